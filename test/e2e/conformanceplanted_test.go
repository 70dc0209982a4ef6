package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
// find it: the table, bare; the gateway and nginx, that disagree; the oracle and net/http. A
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
			fmt.Fprintf(t.Output(), "%s: %d cases %v, %d disagreements with nginx, %d differences of no known class in 3000\n", fault.name, cases, found, disagreements, differences)
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
	source := filepath.Join(root, p.file)
	if p.module != "" {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", p.module).Output()
		if err != nil {
			t.Fatal(err)
		}
		source = filepath.Join(strings.TrimSpace(string(out)), p.file)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), p.old); n != 1 {
		t.Fatalf("%s has %q %d times, want once", p.file, p.old, n)
	}
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), p.old, p.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", dir+"/", "./cmd/gateway")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
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

// disagreeing is how often the gateway saw other requests than nginx has sent.
func (f *conformanceFixture) disagreeing(t *testing.T) int {
	server, tap := f.tapped(t, nginxExample("nginx", "nginx.conf"))
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
