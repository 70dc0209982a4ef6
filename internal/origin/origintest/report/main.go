// Command report runs the conformance suites of origins and archives on every provider and
// prints a table of their cases. It ends with 1 unless all pass.
//
//	go run ./internal/origin/origintest/report
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
)

// providers are the packages below internal/origin that run both suites.
var providers = []string{"local", "drive", "s3", "azure"}

// suites are the tests that run them, and what each is of.
var suites = []struct{ test, of string }{{"TestConformance", "origin"}, {"TestArchive", "archive"}}

func main() {
	args := []string{"test", "-count=1", "-json", "-run", "^(TestConformance|TestArchive)$"}
	for _, provider := range providers {
		args = append(args, "./internal/origin/"+provider)
	}
	out, err := exec.Command("go", args...).Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	results, err := read(bytes.NewReader(out))
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	if complete := results.write(os.Stdout); !complete || failed != nil {
		os.Exit(1)
	}
}

// results are the cases of the suites in the order in which they first ended.
type results struct {
	cases []string                     // suite and name
	runs  map[string]map[string]*tally // by case and provider
}

// tally counts how often a case was run with a provider: against several servers, or with
// and without a right.
type tally struct{ passed, failed int }

// read reads what go test -json prints. A case is a test without tests below it.
func read(in io.Reader) (results, error) {
	out := results{runs: map[string]map[string]*tally{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	parents := map[string]bool{}
	for lines.Scan() {
		var event struct{ Action, Package, Test string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			continue // what a compiler prints
		}
		provider := path.Base(event.Package)
		id := provider + " " + event.Test
		if i := strings.LastIndex(event.Test, "/"); i > 0 {
			parents[provider+" "+event.Test[:i]] = true
		}
		if event.Test != "" && !parents[id] && (event.Action == "pass" || event.Action == "fail" || event.Action == "skip") {
			out.add(event.Test, provider, event.Action == "pass")
		}
	}
	return out, lines.Err()
}

func (r *results) add(test, provider string, passed bool) {
	name := ""
	for _, s := range suites {
		if strings.HasPrefix(test, s.test+"/") {
			name = s.of + ": " + strings.ReplaceAll(path.Base(test), "_", " ")
		}
	}
	if name == "" {
		name = test
	}
	if r.runs[name] == nil {
		r.cases = append(r.cases, name)
		r.runs[name] = map[string]*tally{}
	}
	t := r.runs[name][provider]
	if t == nil {
		t = &tally{}
		r.runs[name][provider] = t
	}
	if passed {
		t.passed++
	} else {
		t.failed++
	}
}

// write writes a Markdown table. complete is false when a case failed, or was not run with a
// provider.
func (r *results) write(w io.Writer) (complete bool) {
	complete = len(r.cases) > 0
	fmt.Fprintf(w, "| case | %s |\n|---%s|\n", strings.Join(providers, " | "), strings.Repeat("|---", len(providers)))
	for _, name := range r.cases {
		fmt.Fprintf(w, "| %s |", name)
		for _, provider := range providers {
			t := r.runs[name][provider]
			switch {
			case t == nil:
				complete = false
				fmt.Fprint(w, " not run |")
			case t.failed > 0:
				complete = false
				fmt.Fprint(w, " FAIL |")
			case t.passed > 1:
				fmt.Fprintf(w, " pass (%d×) |", t.passed)
			default:
				fmt.Fprint(w, " pass |")
			}
		}
		fmt.Fprintln(w)
	}
	return complete
}
