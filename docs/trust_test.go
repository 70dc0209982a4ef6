package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	makeTarget  = regexp.MustCompile("`make ([a-z-]+)`")
	testMention = regexp.MustCompile("`([a-z0-9/]+)` ((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)")
)

// repeatable returns what a page about campaigns names and nobody can repeat: rows of its tables
// without a command, commands that are no targets of the Makefile, tests that do not exist.
func repeatable(page, makefile string, exists func(pkg, test string) bool) (rows int, found []string) {
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		heading := strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| promise ") || strings.HasPrefix(line, "| campaign ")
		if strings.HasPrefix(line, "|") && !heading {
			rows++
			if !makeTarget.MatchString(line) {
				found = append(found, "no command repeats "+line)
			}
		}
		for _, m := range makeTarget.FindAllStringSubmatch(line, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				found = append(found, "the Makefile has no target "+m[1])
			}
		}
		for _, m := range testMention.FindAllStringSubmatch(line, -1) {
			if !exists(m[1], m[2]) {
				found = append(found, m[1]+" has no test function "+m[2])
			}
		}
	}
	return rows, found
}

// TestTrust fails for a campaign that nobody can repeat.
func TestTrust(t *testing.T) {
	exists := func(pkg, test string) bool { return slices.Contains(testFunctions(t, pkg), test) }
	rows, found := repeatable(read(t, "docs/trust.md"), read(t, "Makefile"), exists)
	for _, what := range found {
		t.Error(what)
	}
	if rows < 20 {
		t.Errorf("only %d campaigns were found", rows)
	}
	for line, want := range map[string]string{
		"| p | `make fuzz` |":                  "",
		"| p | by hand |":                      "no command repeats",
		"| p | `make no-such-thing` |":         "no target no-such-thing",
		"See `docs` TestNoSuchThing.":          "has no test function TestNoSuchThing",
		"See `docs` TestTrust and `make fuzz`": "",
	} {
		_, found := repeatable(line, read(t, "Makefile"), exists)
		if got := strings.Join(found, "; "); (got != "") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
