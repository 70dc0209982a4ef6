package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// namedTest is a test as the security model names it: `package` and function.
var namedTest = regexp.MustCompile("^`([a-z0-9/]+)` ((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)$")

// threatsWithoutTests returns what is wrong with the tables of threats: lines without a
// test, and tests that do not exist.
func threatsWithoutTests(page string, exists func(pkg, test string) bool) (lines int, found []string) {
	_, threats, ok := strings.Cut(page, "\n## Threats\n")
	if !ok {
		return 0, []string{"there is no section Threats"}
	}
	for line := range strings.Lines(threats) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| threat ") {
			continue
		}
		lines++
		columns := strings.Split(strings.Trim(line, "|"), "|")
		if len(columns) != 3 || strings.TrimSpace(columns[0]) == "" || strings.TrimSpace(columns[1]) == "" {
			found = append(found, "not a threat, a measure and tests: "+line)
			continue
		}
		for name := range strings.SplitSeq(columns[2], ",") {
			m := namedTest.FindStringSubmatch(strings.TrimSpace(name))
			switch {
			case m == nil:
				found = append(found, "no test is named by "+strings.TrimSpace(name)+" in: "+line)
			case !exists(m[1], m[2]):
				found = append(found, m[1]+" has no test function "+m[2])
			}
		}
	}
	return lines, found
}

// testFunctions returns the test functions in a directory.
func testFunctions(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// TestSecurityModel fails for a threat that no test holds.
func TestSecurityModel(t *testing.T) {
	functions := map[string][]string{}
	exists := func(pkg, test string) bool {
		names, ok := functions[pkg]
		if !ok {
			names = testFunctions(t, pkg)
			functions[pkg] = names
		}
		return slices.Contains(names, test)
	}
	lines, found := threatsWithoutTests(read(t, "docs/security-model.md"), exists)
	for _, what := range found {
		t.Error(what)
	}
	if lines < 40 {
		t.Errorf("only %d threats were found", lines)
	}
	for _, c := range []struct{ line, want string }{
		{"| t | m | `docs` TestSecurityModel |", ""},
		{"| t | m | `docs` TestSecurityModel, `docs` TestNoSuchThing |", "has no test function TestNoSuchThing"},
		{"| t | m | `internal/nowhere` TestSecurityModel |", "has no test function"},
		{"| t | m |  |", "no test is named"},
		{"| t | m | looked at by hand |", "no test is named"},
		{"| t | m |", "not a threat"},
	} {
		lines, found := threatsWithoutTests("\n## Threats\n\n| threat | measure | tests |\n|---|---|---|\n"+c.line+"\n", exists)
		if got := strings.Join(found, "; "); lines != 1 || (got != "") != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d lines, %q, want %q", c.line, lines, got, c.want)
		}
	}
}
