package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/plant"
	"github.com/lectiospace/lectern/test/conformance"
	"github.com/lectiospace/lectern/test/differential"
)

// plantedFault is a change of one source file that makes a gateway which breaks a requirement.
type plantedFault struct {
	name string
	// module is the module of the file, "" for ours.
	module, file string
	// old, which the file has once, becomes new.
	old, new string
}

const fasthttpModule = "github.com/valyala/fasthttp"

var plantedFaults = []plantedFault{
	{"the coding identity is taken", "", "internal/requestline/fields.go", "if isTransferEncoding(line[:colon]) && ", "if false && "},
	{"a second Content-Length is taken", fasthttpModule, "header.go", "return 0, 0, ErrDuplicateContentLength", "h.connectionClose = false"},
	{"fields behind the body count", "", "internal/proxy/router.go", "\tdropTrailers(&c.Request.Header)\n", ""},
	{"a chunked body is not read", fasthttpModule, "http.go",
		"\t\treturn nil\n\t}\n\n\tif err = req.ReadBody(r, contentLength, maxBodySize); err != nil {",
		"\t\treturn nil\n\t}\n\n\tif contentLength == -1 {\n\t\treturn nil\n\t}\n\tif err = req.ReadBody(r, contentLength, maxBodySize); err != nil {"},
	{"a long target behind a request counts as long fields", "", "internal/proxy/corkedconn/conn.go", " || c.line >= buffer", ""},
	{"a suffix longer than the file lacks its first byte", "", "internal/proxy/stream/ranges.go", "n = min(n, size)", "n = min(n, max(0, size-1))"},
	{"If-Range compares weakly", "", "internal/proxy/precondition/precondition.go", `tag == v.ETag && rest == ""`, `strings.TrimPrefix(tag, "W/") == v.ETag && rest == ""`},
	{"If-Modified-Since counts beside If-None-Match", "", "internal/proxy/precondition/precondition.go", "\t} else if t, ok := v.parseDate(c.IfModifiedSince)", "\t}\n\tif t, ok := v.parseDate(c.IfModifiedSince)"},
	{"sixteen ranges are too many", "", "internal/proxy/stream/ranges.go", "specs > maxRanges", "specs >= maxRanges"},
}

// TestConformancePlanted builds a gateway with each fault, and counts by what the campaigns
// find it: the table, bare; the gateway and HAProxy, that disagree; the oracle and net/http. A
// fault that nothing finds fails. It runs where CONFORMANCE_PLANTED is 1.
func TestConformancePlanted(t *testing.T) {
	if os.Getenv("CONFORMANCE_PLANTED") != "1" {
		t.Skip("make conformance-planted runs it")
	}
	defer func(dir string) { bin = dir }(bin) // no other test runs beside this one
	for _, fault := range plantedFaults {
		t.Run(fault.name, func(t *testing.T) {
			bin = fault.build(t)
			f := newConformanceFixture(t)
			cases, found := f.failing()
			disagreements := f.disagreeing(t)
			differences := f.differing(t)
			fmt.Fprintf(t.Output(), "%s: %d cases %v, %d disagreements with HAProxy, %d differences of no known class in 3000\n", fault.name, cases, found, disagreements, differences)
			if cases+disagreements+differences == 0 {
				t.Error("nothing finds it")
			}
		})
	}
}

// build builds the gateway with the fault, and returns the directory of the binary.
func (p plantedFault) build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	if p.module == "" {
		overlay, err := plant.Fault{File: p.file, Text: p.old, By: p.new}.Overlay(dir, root)
		if err != nil {
			t.Fatal(err)
		}
		args = []string{"-overlay", overlay}
	} else {
		args = []string{"-modfile", p.replaceModule(t, root, dir)}
	}
	build := exec.Command("go", append(append([]string{"build"}, args...), "-o", dir+"/", "./cmd/gateway")...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// replaceModule copies the module, with the fault, and returns a go.mod that names the copy: an
// overlay may not be in the module cache.
func (p plantedFault) replaceModule(t *testing.T, root, dir string) (modfile string) {
	t.Helper()
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", p.module)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	source, copied := strings.TrimSpace(string(out)), filepath.Join(dir, "module")
	if err := os.CopyFS(copied, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	changed, err := plant.Fault{File: p.file, Text: p.old, By: p.new}.Source(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, p.file), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			text = fmt.Appendf(text, "\nreplace %s => %s\n", p.module, copied)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "go.mod")
}

// failing is how many cases of the table the gateway fails, and the first of them.
func (f *conformanceFixture) failing() (n int, first []string) {
	for _, r := range f.bare().Run(conformance.Cases(), conformance.First, conformance.Behind) {
		if len(r.Faults) > 0 {
			if n++; n <= 3 {
				first = append(first, r.Case.ID)
			}
		}
	}
	return n, first
}

// disagreeing is how often the gateway saw other requests than HAProxy has sent, which passes
// chunked bodies on as such.
func (f *conformanceFixture) disagreeing(t *testing.T) int {
	server, tap := f.tapped(t, haproxyExample)
	server.Patience = time.Second
	server.Run(conformance.Encodings(), conformance.First)
	return len(tap.Disagreements())
}

// differing is how many of 3000 random requests are answered in a way that nothing explains.
func (f *conformanceFixture) differing(t *testing.T) int {
	file := differential.File{Content: f.subject.Content, Modified: f.subject.Modified}
	gateway := f.wire(file)
	defer gateway.Close()
	comparison := differential.NewComparison(file)
	if err := comparison.Compare(differential.NewGenerator(1, file), 3000, &gateway, differential.ServeContent{File: file}); err != nil {
		t.Error(err)
	}
	return len(comparison.Unknown)
}

// bare is the gateway itself.
func (f *conformanceFixture) bare() conformance.Server {
	address := strings.TrimPrefix(f.url, "http://")
	return conformance.Server{
		Name: "gateway", Subject: f.subject, Patience: 8 * time.Second,
		Dial: func() (net.Conn, error) { return net.Dial("tcp", address) },
	}
}
