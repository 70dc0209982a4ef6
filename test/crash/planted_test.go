package crash

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
)

var planted = flag.Int("planted", 0, "plant each fault, and end up to so many lives until one finds it")

// plants are faults of the kind that the campaign has to find: a text of a file below internal
// and what it is replaced by.
var plants = []struct{ name, test, file, text, by string }{
	{"the checksums of chunks of an earlier run are not compared", "TestGateway", "cache/scan.go",
		"c.commit(o, index, length, 0, eventFound", "c.commit(o, index, length, chunkfile.AllBlocks, eventFound"},
	{"the file of an evicted chunk stays", "TestGateway", "cache/chunks.go",
		"err = c.disk.Remove(r.key.path(c.cfg.Dir, r.index))", "err = nil"},
	{"temporary files of an earlier run stay", "TestGateway", "cache/cache.go",
		"if err := os.RemoveAll(c.tmpDir()); err != nil {\n\t\treturn err\n\t}", "_ = os.RemoveAll(\"\")"},
	{"an event is acknowledged before its commit", "TestSyncer", "syncer/intake/batcher.go",
		"\tresults, err := b.insert(ctx, all)\n", "\tfor _, p := range all {\n\t\tp.done <- outcome{result: resultAccepted}\n\t\tp.done = make(chan outcome, 1)\n\t}\n\ttime.Sleep(50 * time.Millisecond)\n\tresults, err := b.insert(ctx, all)\n"},
	{"the key of an upload is not stored before it", "TestSyncer", "syncer/ingest/upload.go",
		"return target, key, r.update(ctx, \"syncer: an archive key\", func(_ store.Session, i *store.Ingest) error {", "return target, key, func(string, func(store.Session, *store.Ingest) error) error {\n\t\tif r.row.Archived() {\n\t\t\tr.row.StagedKey = key\n\t\t} else {\n\t\t\tr.row.Provider, r.row.ArchiveKey = target.Provider(), key\n\t\t}\n\t\treturn nil\n\t}(\"\", func(_ store.Session, i *store.Ingest) error {"},
	{"quota is counted again when a version is published", "TestSyncer", "syncer/store/quota.go",
		"q.Used += size - c.bytes\n", "q.Used += size\n"},
	{"the local archive writes to the file's own name", "TestSyncer", "origin/local/archive.go",
		"partial := path.Join(path.Dir(item.Key), \".\"+path.Base(item.Key)+\".partial\")", "partial := path.Join(path.Dir(item.Key), \".\"+path.Base(item.Key)+time.Now().Format(\"150405.000000\")+\".partial\")"},
	{"Zoom's copy is trashed before the recording is published", "TestSyncer", "syncer/ingest/run.go",
		"\terr = step(ctx, \"publish\", ", "\tfor _, f := range r.plan.parts {\n\t\t_ = r.s.deps.Zoom.TrashFile(ctx, r.teacher.ZoomAccount(), f.MeetingUUID, f.ID)\n\t}\n\terr = step(ctx, \"publish\", "},
	{"a download continues behind whatever is there", "TestSyncer", "syncer/ingest/fetch.go",
		"\tif err := out.Truncate(d.Offset); err != nil {\n\t\treturn 0, err\n\t}\n\tif _, err := out.Seek(d.Offset, io.SeekStart); err != nil {", "\tif _, err := out.Seek(0, io.SeekEnd); err != nil {"},
	{"the jobs of dead syncers stay theirs", "TestSyncer", "syncer/supervisor.go",
		"if job.Worker == \"\" || slices.Contains(alive, job.Worker) {", "if true {"},
}

// TestPlantsApply: each planted fault still has a place in the code.
func TestPlantsApply(t *testing.T) {
	for _, p := range plants {
		if _, err := mutated(p.file, p.text, p.by); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// mutated is a file with its fault.
func mutated(file, text, by string) (string, error) {
	data, err := os.ReadFile(filepath.Join("..", "..", "internal", file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(data), text); n != 1 {
		return "", fmt.Errorf("%s has the text %d times", file, n)
	}
	return strings.Replace(string(data), text, by, 1), nil
}

// TestPlanted: every planted fault is found, and says after how many lives.
func TestPlanted(t *testing.T) {
	if *planted == 0 {
		t.Skip("-planted says how many lives each fault may take")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, dir, p.file, p.text, p.by)
			began := time.Now()
			log := filepath.Join(dir, "report")
			cmd := exec.Command(self, "-test.run", "^"+p.test+"$", "-iterations", fmt.Sprint(2**planted), "-seed", fmt.Sprint(*seed), "-binaries", dir, "-report", log)
			out, err := cmd.CombinedOutput()
			lives, _ := os.ReadFile(log)
			if err == nil {
				t.Fatalf("not found by %d lives", *planted)
			}
			t.Logf("found after %d lives, %s: %s", strings.Count(string(lives), "points passed"), time.Since(began).Round(time.Second), complaint(string(out)))
		})
	}
}

// plant builds the programs with a fault.
func plant(t *testing.T, dir, file, text, by string) {
	t.Helper()
	code, err := mutated(file, text, by)
	if err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(filepath.Join("..", "..", "internal", file))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: write(t, dir, "mutated.go", code)}})
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-tags", "failpoint", "-overlay", write(t, dir, "overlay.json", string(overlay)), "-o", dir, "./cmd/gateway", "./cmd/syncer")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// complaint is the first line of a test's output that says what is wrong.
func complaint(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") && !strings.Contains(line, "lives in") {
			return strings.TrimSpace(line)
		}
	}
	return out[:min(len(out), 500)]
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
