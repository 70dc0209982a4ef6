package simulation

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/plant"
)

var only = flag.String("only", "", "plant only the faults whose name has this in it")

var planted = flag.Int("planted", 0, "run each planted fault with up to so many seeds, until one finds it")

// plants are faults of the kind that simulations have to find: a text of a file below
// internal/syncer and what it is replaced by.
var plants = []struct{ name, file, text, by string }{
	{"another version than the archived one is trashed at Zoom", "ingest/zoomtrash.go",
		"if replaced || f.Changed() || videoAwaited", "if replaced && false || videoAwaited"},
	{"a later version is charged on top of the earlier", "store/quota.go",
		"q.Used += size - c.bytes\n", "q.Used += size\n"},
	{"an event is acknowledged that was not committed", "intake/batcher.go",
		"o := outcome{err: err}\n\t\tif err == nil {\n\t\t\to.result = results[i]\n\t\t}", "o := outcome{result: resultAccepted}\n\t\tif err == nil {\n\t\t\to.result = results[i]\n\t\t}"},
	{"what has failed is not taken up again", "ingest/request.go",
		"return !i.Orphaned() && i.Reason != store.ReasonQuota && !i.RetakeAt.After(s.now())", "return false"},
	{"the key of an upload is not stored before it", "ingest/upload.go",
		"return target, key, r.update(ctx, \"syncer: an archive key\", func(_ store.Session, i *store.Ingest) error {", "return target, key, func(string, func(store.Session, *store.Ingest) error) error {\n\t\tif r.row.Archived() {\n\t\t\tr.row.StagedKey = key\n\t\t} else {\n\t\t\tr.row.Provider, r.row.ArchiveKey = target.Provider(), key\n\t\t}\n\t\treturn nil\n\t}(\"\", func(_ store.Session, i *store.Ingest) error {"},
	{"a file that failed its verification stays in the archive", "ingest/upload.go",
		"if err := target.Remove(ctx, key); err != nil {\n\t\treturn failedAt(atArchive, err)\n\t}\n\terr := r.update(ctx, \"syncer: give up an archive key\"", "err := r.update(ctx, \"syncer: give up an archive key\""},
	{"the jobs of dead syncers stay theirs", "supervisor.go",
		"if job.Worker == \"\" || slices.Contains(alive, job.Worker) {", "if true {"},
	{"a companion that is cut is kept, and trashed at Zoom", "ingest/companionfetch.go",
		" || f.Size != 0 && stat.Size() != f.Size {", " {"},
	{"a replaced part counts as archived", "ingest/publish.go",
		"if len(replaced) == 0 {", "if len(replaced) >= 0 {"},
	{"a recording is published unverified", "ingest/upload.go",
		"if stored.Same(m.size, m.md5) {", "if stored.Size > 0 {"},
	{"a recording is for a group of another teacher", "ingest/privacy.go",
		"groups, err = store.OwnGroups(ctx, x, l.TeacherID, p.groups)", "groups = p.groups"},
	{"a reservation of quota is never released", "store/quota.go",
		"SET reserved = 0, state = CASE", "SET reserved = reserved, state = CASE"},
	{"the count of used storage leaves charges with the wrong teacher", "store/quota.go",
		"WHERE state = 'charged' AND teacher_id <> $1", "WHERE state = 'never' AND teacher_id <> $1"},
	{"recordings are kept for hours instead of days", "ingest/publish.go",
		"now.AddDate(0, 0, int(r.lesson.KeepDays))", "now.Add(time.Duration(r.lesson.KeepDays) * time.Hour)"},
	{"what has expired stays", "retention/retention.go",
		"if row.AvailableUntil.After(c.now()) {", "if !row.AvailableUntil.IsZero() {"},
	{"the used storage is not counted after a restart", "retention/due.go",
		"d.usage = stale && d.spared.IsZero()", "d.usage = false"},
	{"the leases of dead syncers stay theirs", "supervisor.go",
		"if err := store.ReleaseLeases(ctx, x, id, nil, s.now()); err != nil {", "if err := store.ReleaseLeases(ctx, x, \"\", nil, s.now()); err != nil {"},
}

// TestPlantsApply: each planted fault still has a place in the code.
func TestPlantsApply(t *testing.T) {
	for _, p := range plants {
		if _, err := (plant.Fault{File: p.file, Text: p.text, By: p.by}).Source(".."); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// TestPlanted: every planted fault is found, and says after how many seeds.
func TestPlanted(t *testing.T) {
	if *planted == 0 {
		t.Skip("-planted says how many seeds each fault may take")
	}
	for _, p := range plants {
		if !strings.Contains(p.name, *only) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			code, err := plant.Fault{File: p.file, Text: p.text, By: p.by}.Source("..")
			if err != nil {
				t.Fatal(err)
			}
			overlay, err := plant.Overlay(dir, map[string]string{filepath.Join("..", p.file): code}, runtimeOverlay(t))
			if err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(dir, "simulation.test")
			build := exec.Command("go", "test", "-c", "-vet=off", "-tags", tags, "-overlay", overlay, "-o", program, ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			began := time.Now()
			for n := range *planted {
				run := exec.Command(program, "-test.run", "^TestSeeds$", "-from", fmt.Sprint(*fromSeed+uint64(n)), "-seeds", "1", "-days", fmt.Sprint(*days), "-tail", "0")
				if out, err := run.CombinedOutput(); err != nil {
					t.Logf("found by seed %d, the %d., after %s: %s", *fromSeed+uint64(n), n+1, time.Since(began).Round(time.Second), firstComplaint(string(out)))
					return
				}
			}
			t.Errorf("not found by %d seeds", *planted)
		})
	}
}

// runtimeOverlay is what the command deterministic replaces, nothing where this program is
// built without.
func runtimeOverlay(t *testing.T) map[string]string {
	t.Helper()
	var overlay struct{ Replace map[string]string }
	if !deterministic {
		return map[string]string{}
	}
	path, err := exec.Command("go", "run", "./deterministic").Output()
	if err == nil {
		path, err = os.ReadFile(strings.TrimSpace(string(path)))
	}
	if err == nil {
		err = json.Unmarshal(path, &overlay)
	}
	if err != nil {
		t.Fatal(err)
	}
	return overlay.Replace
}

// firstComplaint is the first line of a test's output that says what is wrong.
func firstComplaint(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "panic") {
			return strings.TrimSpace(line)
		}
	}
	return out[:min(len(out), 500)]
}

// write writes a file and returns its path.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
