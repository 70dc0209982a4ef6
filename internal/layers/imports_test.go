// Package layers tests which package may import which. allowed_test.go is the one
// list; an import that is not in it fails, and so does an entry that nobody needs.
package layers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lectiospace/lectern/"

// rule lists everything that one package may import: packages of ours, modules of
// others, and the guarded packages of the standard library.
type rule struct {
	pkg   string // below the module
	may   []use
	tests []use // what its tests may import beyond may
}

// use is one permitted import with its reason.
type use struct{ what, why string }

// guarded are the packages of the standard library that need an entry like anybody
// else's: each gives a power that few packages should have.
var guarded = []string{"database/sql", "database/sql/driver", "os/exec", "unsafe"}

// vague are names that say nothing of what a package is for.
var vague = []string{"util", "utils", "common", "types", "helpers", "misc", "base"}

// goPackage is what `go list` says of a package.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// check compares packages with rules. modules are the paths of all modules that
// go.mod requires directly.
func check(rules []rule, packages []goPackage, modules []string) (found []string) {
	complain := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	byName := map[string]rule{}
	for _, r := range rules {
		if _, twice := byName[r.pkg]; twice {
			complain("%s has two rules", r.pkg)
		}
		byName[r.pkg] = r
		for _, u := range slices.Concat(r.may, r.tests) {
			if len(strings.Fields(u.why)) < 2 {
				complain("%s: the entry %s has no reason", r.pkg, u.what)
			}
		}
		for _, u := range r.tests {
			if slices.ContainsFunc(r.may, func(m use) bool { return m.what == u.what }) {
				complain("%s: its tests may import %s anyway", r.pkg, u.what)
			}
		}
	}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		if slices.Contains(vague, path.Base(name)) {
			complain("%s: the name says nothing", name)
		}
		r, ok := byName[name]
		if !ok {
			complain("%s has no rule", name)
			continue
		}
		delete(byName, name)
		needed := func(imports []string) []string {
			var units []string
			for _, imported := range imports {
				if unit := unitOf(imported, modules); unit != "" && unit != name {
					units = append(units, unit)
				}
			}
			slices.Sort(units)
			return slices.Compact(units)
		}
		code, tests := needed(p.Imports), needed(slices.Concat(p.TestImports, p.XTestImports))
		for _, unit := range code {
			if !lists(r.may, unit) {
				complain("%s may not import %s", name, unit)
			}
		}
		for _, unit := range tests {
			if !lists(r.may, unit) && !lists(r.tests, unit) {
				complain("%s: its tests may not import %s", name, unit)
			}
		}
		for _, u := range r.may {
			if !slices.Contains(code, u.what) {
				complain("%s does not import %s any more: remove the entry", name, u.what)
			}
		}
		for _, u := range r.tests {
			if !slices.Contains(tests, u.what) {
				complain("%s: its tests do not import %s any more: remove the entry", name, u.what)
			}
		}
	}
	for name := range byName {
		complain("%s does not exist any more: remove its rule", name)
	}
	slices.Sort(found)
	return found
}

func lists(uses []use, unit string) bool {
	return slices.ContainsFunc(uses, func(u use) bool { return u.what == unit })
}

// unitOf returns what has to be listed for an import: a package of ours, the module
// that it is in, a guarded package, or "" for the rest of the standard library.
func unitOf(imported string, modules []string) string {
	if ours, ok := strings.CutPrefix(imported, module); ok {
		return ours
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		if slices.Contains(guarded, imported) {
			return imported
		}
		return ""
	}
	longest := ""
	for _, m := range modules {
		if (imported == m || strings.HasPrefix(imported, m+"/")) && len(m) > len(longest) {
			longest = m
		}
	}
	if longest == "" {
		return imported // a module that go.mod does not require directly
	}
	return longest
}

// listed runs `go list` over the whole module.
func listed(t *testing.T) (packages []goPackage) {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 15 {
		t.Fatalf("only %d packages were found", len(packages))
	}
	return packages
}

// required returns the modules that go.mod requires directly.
func required(t *testing.T) (modules []string) {
	t.Helper()
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		m := regexp.MustCompile(`^\t(\S+) v\S+\n`).FindStringSubmatch(line)
		if m != nil {
			modules = append(modules, m[1])
		}
	}
	if len(modules) < 10 {
		t.Fatalf("only %d modules were found in go.mod", len(modules))
	}
	return modules
}

func TestImports(t *testing.T) {
	for _, complaint := range check(allowed, listed(t), required(t)) {
		t.Error(complaint)
	}
}

// TestCheckCatches plants one violation of each kind.
func TestCheckCatches(t *testing.T) {
	rules := []rule{
		{pkg: "internal/media"},
		{pkg: "internal/cache", may: []use{{"internal/media", "objects and spans"}}, tests: []use{{"go.uber.org/goleak", "finds leaked goroutines"}}},
	}
	modules := []string{"go.uber.org/goleak", "example.org/river", "example.org/river/driver"}
	media := goPackage{ImportPath: module + "internal/media"}
	cache := goPackage{
		ImportPath: module + "internal/cache", Imports: []string{"io", module + "internal/media"},
		TestImports: []string{"testing", "go.uber.org/goleak"}, XTestImports: []string{module + "internal/cache"},
	}
	if found := check(rules, []goPackage{media, cache}, modules); len(found) != 0 {
		t.Fatalf("complaints without a violation: %v", found)
	}
	for _, c := range []struct {
		name   string
		change func(rules []rule, media, cache *goPackage) []rule
		want   string
	}{
		{"a package of ours", func(r []rule, _, cache *goPackage) []rule {
			cache.Imports = append(cache.Imports, module+"internal/origin")
			return r
		}, "internal/cache may not import internal/origin"},
		{"a module", func(r []rule, media, _ *goPackage) []rule {
			media.Imports = []string{"example.org/river/driver/sqlite"}
			return r
		}, "internal/media may not import example.org/river/driver"},
		{"an unknown module", func(r []rule, media, _ *goPackage) []rule {
			media.Imports = []string{"example.org/other"}
			return r
		}, "internal/media may not import example.org/other"},
		{"a guarded package", func(r []rule, media, _ *goPackage) []rule {
			media.Imports = []string{"database/sql"}
			return r
		}, "internal/media may not import database/sql"},
		{"a test's import", func(r []rule, media, _ *goPackage) []rule {
			media.TestImports = []string{"go.uber.org/goleak"}
			return r
		}, "internal/media: its tests may not import go.uber.org/goleak"},
		{"an external test's import", func(r []rule, media, _ *goPackage) []rule {
			media.XTestImports = []string{module + "internal/cache"}
			return r
		}, "internal/media: its tests may not import internal/cache"},
		{"a test's import in the code", func(r []rule, _, cache *goPackage) []rule {
			cache.Imports = append(cache.Imports, "go.uber.org/goleak")
			return r
		}, "internal/cache may not import go.uber.org/goleak"},
		{"a stale entry", func(r []rule, _, cache *goPackage) []rule {
			cache.Imports = nil
			return r
		}, "internal/cache does not import internal/media any more: remove the entry"},
		{"a stale entry of tests", func(r []rule, _, cache *goPackage) []rule {
			cache.TestImports = nil
			return r
		}, "internal/cache: its tests do not import go.uber.org/goleak any more: remove the entry"},
		{"an entry without a reason", func(r []rule, _, _ *goPackage) []rule {
			return []rule{r[0], {pkg: "internal/cache", may: []use{{"internal/media", "-"}}, tests: r[1].tests}}
		}, "internal/cache: the entry internal/media has no reason"},
		{"an entry twice", func(r []rule, _, _ *goPackage) []rule {
			return []rule{r[0], {pkg: "internal/cache", may: r[1].may, tests: append(slices.Clone(r[1].tests), r[1].may...)}}
		}, "internal/cache: its tests may import internal/media anyway"},
		{"two rules", func(r []rule, _, _ *goPackage) []rule { return append(r, rule{pkg: "internal/media"}) }, "internal/media has two rules"},
		{"no rule", func(r []rule, _, _ *goPackage) []rule { return r[1:] }, "internal/media has no rule"},
		{"a package that is gone", func(r []rule, _, _ *goPackage) []rule { return append(r, rule{pkg: "internal/ledger"}) },
			"internal/ledger does not exist any more: remove its rule"},
		{"a vague name", func(r []rule, media, _ *goPackage) []rule {
			media.ImportPath = module + "internal/util"
			return append(r[1:], rule{pkg: "internal/util"})
		}, "internal/util: the name says nothing"},
	} {
		m, k := media, cache
		k.Imports, k.TestImports = slices.Clone(cache.Imports), slices.Clone(cache.TestImports)
		if found := check(c.change(slices.Clone(rules), &m, &k), []goPackage{m, k}, modules); !slices.Contains(found, c.want) {
			t.Errorf("%s: got %q, want %q among them", c.name, found, c.want)
		}
	}
}
