package database

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/plant"
)

// plants are faults of the kind that the short tests have to find: a text of a file and what
// it is replaced by, the test that looks for it, and the models that must have no explanation
// then. A failure of anything else finds nothing.
var plants = []struct{ name, file, text, by, test, models string }{
	{"starts of one user are counted side by side", "internal/library/playbackstarts.go",
		"`SELECT pg_advisory_xact_lock($1, $2)`", "`SELECT CAST($1 AS int), CAST($2 AS int)`", "TestLimitsLinearizable", "starts"},
	{"a start whose commit was not acknowledged is counted again", "internal/library/playbackstarts.go",
		"\treturn start, err\n}\n\n// explainNoStart", "\tif err != nil {\n\t\tvar again media.Start\n\t\tif p.store.UpdateWithin(ctx, op, catalog.LookupTimeout, func(ctx context.Context, x catalog.Session) error {\n\t\t\treturn x.One(ctx, insertStart, []any{userID, recordingID, now, since, from, int64(limit)}, &again.ID)\n\t\t}) == nil {\n\t\t\treturn again, nil\n\t\t}\n\t}\n\treturn start, err\n}\n\n// explainNoStart", "TestLimitsLinearizable", "starts"},
	{"a failed commit of a start or a code is taken for a good one", "internal/catalog/statements.go",
		"return fmt.Errorf(\"commit: %w\", err)", "_ = fmt.Sprint(err)\n\t\treturn nil", "TestLimitsLinearizable", "codes and starts"},
	{"a failed commit of a quota is taken for a good one", "internal/catalog/statements.go",
		"return fmt.Errorf(\"commit: %w\", err)", "_ = fmt.Sprint(err)\n\t\treturn nil", "TestQuotaLinearizable", "quota"},
	{"a code that is used already begins a session", "internal/catalog/usedcodes.go",
		"first = inserted == 1", "first = inserted <= 1", "TestLimitsLinearizable", "codes"},
	{"a quota is read without its lock", "internal/syncer/store/quota.go",
		"WHERE teacher_id = $1`+x.ForUpdate(),\n\t\t[]any{teacher}, &q.ID", "WHERE teacher_id = $1`,\n\t\t[]any{teacher}, &q.ID", "TestQuotaLinearizable", "quota"},
	{"a charge is added again when it is repeated", "internal/syncer/store/quota.go",
		"\tif c.state == \"charged\" {\n\t\tq.Used += size - c.bytes", "\tif c.state == \"charged\" {\n\t\tq.Used += size", "TestQuotaLinearizable", "quota"},
	{"a refund is made again when it is repeated", "internal/syncer/store/quota.go",
		"\tcase \"released\":\n\t\treturn nil\n", "", "TestQuotaLinearizable", "quota"},
	{"entries are used for longer than they may", "internal/catalog/cache.go",
		"limit := c.cfg.MaxStaleness", "limit := 8 * c.cfg.MaxStaleness", "TestRevocationLinearizable", "access"},
}

// TestPlantsApply: each planted fault still has a place in the code.
func TestPlantsApply(t *testing.T) {
	for _, p := range plants {
		if _, err := (plant.Fault{File: p.file, Text: p.text, By: p.by}).Source("../.."); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// TestPlanted: every planted fault is found by the test that is for it, with one of ten seeds.
func TestPlanted(t *testing.T) {
	if !*planted {
		t.Skip("see make torture-database-planted")
	}
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			overlay, err := plant.Fault{File: p.file, Text: p.text, By: p.by}.Overlay(dir, "../..")
			if err != nil {
				t.Fatal(err)
			}
			binary := filepath.Join(dir, "database.test")
			if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			all := ""
			for seed := 1; seed <= 10; seed++ {
				began := time.Now()
				out, err := exec.Command(binary, "-test.run", "^"+p.test+"$", "-seed", fmt.Sprint(seed)).CombinedOutput()
				found, other := verdict(string(out))
				switch {
				case other != "" || err != nil && found == "" || err == nil && found != "":
					t.Fatalf("fails for another reason: %s: %v\n%s", other, err, out)
				case found == "":
				default:
					t.Logf("seed %d: found by %s after %s: no order explains its histories of %s", seed, p.test, time.Since(began).Round(100*time.Millisecond), found)
					if all = union(all, found); all == p.models {
						return
					}
					if !strings.Contains(p.models, found) {
						t.Fatalf("found by %s, which must not see it", found)
					}
				}
			}
			t.Errorf("no order explains histories of %q, want %q", all, p.models)
		})
	}
}

var (
	failure     = regexp.MustCompile(`(?m)^    \w+_test\.go:\d+: (.*)$`)
	unexplained = regexp.MustCompile(`^(\w+): no order explains `)
	// notes are what the tests log of themselves: figures, and that there is more of the same.
	notes = regexp.MustCompile(`^(\w+: \d+ operations, |\w+: and \d+ more$|\w+ in all: |seed \d+: )`)
)

// verdict reads the output of a test: the models without an explanation, and the first
// failure of another kind.
func verdict(out string) (models, other string) {
	for _, m := range failure.FindAllStringSubmatch(out, -1) {
		switch found := unexplained.FindStringSubmatch(m[1]); {
		case found != nil:
			models = union(models, found[1])
		case other == "" && !notes.MatchString(m[1]):
			other = m[1]
		}
	}
	if strings.Contains(out, "panic:") || strings.Contains(out, "goleak") {
		other = "a panic or a leak"
	}
	return models, other
}

// union is the sorted names of two lists.
func union(a, b string) string {
	var all []string
	for _, list := range []string{a, b} {
		if list != "" {
			all = append(all, strings.Split(list, " and ")...)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " and ")
}

// TestVerdict: a failure that is not a model's counts as none.
func TestVerdict(t *testing.T) {
	for _, c := range []struct{ out, models, other string }{
		{"ok", "", ""},
		{"    history_test.go:1: starts: no order explains user 2:\n    \t1ms - 2ms: start: yes\n    history_test.go:2: starts: and 3 more\n", "starts", ""},
		{"    history_test.go:1: starts: no order explains user 2:\n    history_test.go:1: codes: no order explains code a:\n", "codes and starts", ""},
		{"    history_test.go:1: codes: 1 objects could not be decided\n", "", "codes: 1 objects could not be decided"},
		{"    history_test.go:1: codes: 9 operations, 1 of unknown outcome\n    limits_test.go:1: seed 1: 2× away\n", "", ""},
		{"    history_test.go:1: quota: no order explains teacher 1:\n    nodes_test.go:1: sessions ended: not within two minutes\n", "quota", "sessions ended: not within two minutes"},
	} {
		if models, other := verdict(c.out); models != c.models || other != c.other {
			t.Errorf("%q: %q, %q", c.out, models, other)
		}
	}
}
