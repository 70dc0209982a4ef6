package main

import (
	"strings"
	"testing"
)

// TestTable: a case that fails, or that a provider has not run, makes the table incomplete.
func TestTable(t *testing.T) {
	event := func(action, provider, test string) string {
		return `{"Action":"` + action + `","Package":"example/internal/origin/` + provider + `","Test":"` + test + `"}` + "\n"
	}
	var all strings.Builder
	for _, provider := range providers {
		all.WriteString(event("run", provider, "TestConformance") + event("run", provider, "TestConformance/with/a_case") +
			event("pass", provider, "TestConformance/with/a_case") + event("pass", provider, "TestConformance/with") + event("pass", provider, "TestConformance"))
	}
	for name, c := range map[string]struct {
		more     string
		complete bool
		says     string
	}{
		"all pass":   {"# a compiler's line\n", true, "| origin: a case | pass | pass | pass | pass |\n"},
		"more often": {event("pass", "s3", "TestConformance/without/a_case"), true, "pass (2×)"},
		"one fails":  {event("fail", "azure", "TestConformance/without/a_case"), false, "FAIL"},
		"one lacks":  {event("pass", "azure", "TestArchive/another_case"), false, "| archive: another case | not run | not run | not run | pass |"},
		"skipped":    {event("skip", "s3", "TestConformance/without/a_case"), false, "FAIL"},
	} {
		r, err := read(strings.NewReader(all.String() + c.more))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if complete := r.write(&out); complete != c.complete || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: complete %v\n%s", name, complete, out.String())
		}
	}
	if complete := (&results{}).write(new(strings.Builder)); complete {
		t.Error("complete without a case")
	}
}
