package database

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/plant"
)

// plants are faults of the kind that the short tests have to find: a text of a file and what
// it is replaced by.
var plants = []struct{ name, file, text, by, test string }{
	{"starts of one user are counted side by side", "internal/library/playbackstarts.go",
		"`SELECT pg_advisory_xact_lock($1, $2)`", "`SELECT CAST($1 AS int), CAST($2 AS int)`", "TestLimitsLinearizable"},
	{"a start whose commit was not acknowledged is counted again", "internal/library/playbackstarts.go",
		"\treturn start, err\n}\n\n// explainNoStart", "\tif err != nil {\n\t\tvar again media.Start\n\t\tif p.store.UpdateWithin(ctx, op, catalog.LookupTimeout, func(ctx context.Context, x catalog.Session) error {\n\t\t\treturn x.One(ctx, insertStart, []any{userID, recordingID, now, since, from, int64(limit)}, &again.ID)\n\t\t}) == nil {\n\t\t\treturn again, nil\n\t\t}\n\t}\n\treturn start, err\n}\n\n// explainNoStart", "TestLimitsLinearizable"},
	{"a failed commit is taken for a good one", "internal/catalog/store.go",
		"return fmt.Errorf(\"commit: %w\", err)", "_ = fmt.Sprint(err)\n\t\treturn nil", "(TestLimitsLinearizable|TestQuotaLinearizable)"},
	{"a code that is used already begins a session", "internal/catalog/usedcodes.go",
		"first = inserted == 1", "first = inserted <= 1", "TestLimitsLinearizable"},
	{"a quota is read without its lock", "internal/syncer/store/quota.go",
		"WHERE teacher_id = $1`+x.ForUpdate(),\n\t\t[]any{teacher}, &q.ID", "WHERE teacher_id = $1`,\n\t\t[]any{teacher}, &q.ID", "TestQuotaLinearizable"},
	{"a charge is added again when it is repeated", "internal/syncer/store/quota.go",
		"\tif c.state == \"charged\" {\n\t\tq.Used += size - c.bytes", "\tif c.state == \"charged\" {\n\t\tq.Used += size", "TestQuotaLinearizable"},
	{"a refund is made again when it is repeated", "internal/syncer/store/quota.go",
		"\tcase \"released\":\n\t\treturn nil\n", "", "TestQuotaLinearizable"},
	{"entries are used for longer than they may", "internal/catalog/cache.go",
		"limit := c.cfg.MaxStaleness", "limit := 8 * c.cfg.MaxStaleness", "TestRevocationLinearizable"},
}

// TestPlantsApply: each planted fault still has a place in the code.
func TestPlantsApply(t *testing.T) {
	for _, p := range plants {
		if _, err := (plant.Fault{File: p.file, Text: p.text, By: p.by}).Source("../.."); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// TestPlanted: every planted fault is found by the test that is for it, with one of five seeds.
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
			for seed := 1; seed <= 5; seed++ {
				began := time.Now()
				out, err := exec.Command(binary, "-test.run", "^"+p.test+"$", "-seed", fmt.Sprint(seed)).CombinedOutput()
				if err != nil && strings.Contains(string(out), "no order explains") {
					t.Logf("found with seed %d after %s", seed, time.Since(began).Round(100*time.Millisecond))
					return
				}
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			t.Error("not found")
		})
	}
}
