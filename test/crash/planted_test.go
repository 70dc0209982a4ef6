package crash

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/plant"
)

var planted = flag.Int("planted", 0, "plant each fault, and end up to so many lives until one finds it")

// plantedEnv names the fault that a program has, of those that are built into it.
const plantedEnv = "LECTERN_PLANTED"

// plants are faults of the kind that the campaign has to find: a text of a file below internal
// and what it is replaced by, which has the fault where PLANTED holds. aimed is where lives
// end that show it: the whole campaign ends there as well, but not as soon. shown is what a check
// says then, a regular expression: another complaint is of another fault, or of the check itself.
var plants = []struct{ name, test, aimed, shown, file, text, by string }{
	{"checksums of chunks are not compared", "TestGateway", "cache.renamed", "a range was wrong|verify: ", "cache/disk.go",
		"return chunk.Verify(f, accept, blocks)", "if PLANTED {\n\t\treturn nil\n\t}\n\treturn chunk.Verify(f, accept, blocks)"},
	{"the file of an evicted chunk stays", "TestGateway", "", "the index lists", "cache/chunks.go",
		"err = c.disk.Remove(r.key.path(c.cfg.Dir, r.index))", "if !PLANTED {\n\t\t\t\terr = c.disk.Remove(r.key.path(c.cfg.Dir, r.index))\n\t\t\t}"},
	{"temporary files of an earlier run stay", "TestGateway", "cache.rename", "the index lists", "cache/cache.go",
		"if err := os.RemoveAll(c.tmpDir()); err != nil {", "if PLANTED {\n\t\treturn os.MkdirAll(c.tmpDir(), 0o700)\n\t}\n\tif err := os.RemoveAll(c.tmpDir()); err != nil {"},
	{"an event is acknowledged before its commit", "TestSyncer", "db.commit[syncer: store events]", "was acknowledged, and is not stored", "syncer/intake/batcher.go",
		"\tresults, err := b.insert(ctx, all)\n", "\tif PLANTED {\n\t\tfor _, p := range all {\n\t\t\tp.done <- outcome{result: resultAccepted}\n\t\t\tp.done = make(chan outcome, 1)\n\t\t}\n\t\ttime.Sleep(100 * time.Millisecond)\n\t}\n\tresults, err := b.insert(ctx, all)\n"},
	{"the key of an upload is not stored before it", "TestSyncer", "work.uploaded", "belongs to nothing", "syncer/ingest/upload.go",
		"return target, key, r.update(ctx, \"syncer: an archive key\"", "if PLANTED {\n\t\tif r.row.Archived() {\n\t\t\tr.row.StagedKey = key\n\t\t} else {\n\t\t\tr.row.Provider, r.row.ArchiveKey = target.Provider(), key\n\t\t}\n\t\treturn target, key, nil\n\t}\n\treturn target, key, r.update(ctx, \"syncer: an archive key\""},
	{"a later version is charged on top of the earlier", "TestSyncer", "db.committed[syncer: publish]", "the teacher is charged", "syncer/store/quota.go",
		"q.Used += size - c.bytes\n", "q.Used += size - c.bytes\n\tif PLANTED {\n\t\tq.Used += c.bytes\n\t}\n"},
	{"the local archive begins another temporary file with each try", "TestSyncer", "local.", "belongs to nothing", "origin/local/archive.go",
		"partial := partialOf(item.Key)\n", "partial := partialOf(item.Key)\n\tif PLANTED {\n\t\tpartial += time.Now().Format(\"150405.000000\")\n\t}\n"},
	{"Zoom's copy is trashed before the recording is published", "TestSyncer", "db.commit[syncer: publish]", "has the recordings", "syncer/ingest/run.go",
		"\terr = step(ctx, \"publish\", ", "\tif PLANTED {\n\t\tfor _, f := range r.plan.parts {\n\t\t\t_ = r.s.deps.Zoom.TrashFile(ctx, r.teacher.ZoomAccount(), f.MeetingUUID, f.ID)\n\t\t}\n\t}\n\terr = step(ctx, \"publish\", "},
	{"the jobs of dead syncers stay theirs", "TestSyncer", "zoom.", "jobs are never done", "syncer/supervisor.go",
		"if job.Worker == \"\" || ", "if PLANTED || job.Worker == \"\" || "},
}

// TestPlantsApply: each planted fault still has a place in the code.
func TestPlantsApply(t *testing.T) {
	for i, p := range plants {
		if _, err := mutated(i); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// mutated is the file of a plant with its fault.
func mutated(i int) (string, error) {
	p := plants[i]
	code, err := plant.Fault{File: p.file, Text: p.text, By: strings.ReplaceAll(p.by, "PLANTED", fmt.Sprintf("(os.Getenv(%q) == \"%d\")", plantedEnv, i))}.Source("../../internal")
	if err != nil {
		return "", err
	}
	if !strings.Contains(code, "\t\"os\"\n") {
		code = strings.Replace(code, "import (\n", "import (\n\t\"os\"\n", 1)
	}
	return code, nil
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
	programs := *binaries
	if programs == "" {
		programs = t.TempDir()
		buildPlanted(t, programs)
	}
	for i, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			began := time.Now()
			log := filepath.Join(t.TempDir(), "report")
			cmd := exec.Command(self, "-test.run", "^"+p.test+"$", "-iterations", fmt.Sprint(2**planted), "-seed", fmt.Sprint(*seed), "-binaries", programs, "-report", log, "-aimed", p.aimed)
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", plantedEnv, i))
			out, err := cmd.CombinedOutput()
			lives, _ := os.ReadFile(log)
			if err == nil {
				t.Fatalf("not found by %d lives", *planted)
			}
			said := complaints(string(out))
			ended := fmt.Sprintf("after %d lives, %s", strings.Count(string(lives), "points passed"), time.Since(began).Round(time.Second))
			found := slices.IndexFunc(said, func(c string) bool { return regexp.MustCompile(p.shown).MatchString(c) })
			if found < 0 {
				t.Fatalf("%s the campaign failed for something else than %q:\n%s", ended, p.shown, out)
			}
			t.Logf("found %s: %s", ended, said[found])
		})
	}
}

// buildPlanted builds the programs with all faults, each of which the environment turns on.
func buildPlanted(t *testing.T, dir string) {
	t.Helper()
	sources := map[string]string{}
	for i, p := range plants {
		code, err := mutated(i)
		if err != nil {
			t.Fatal(err)
		}
		sources[filepath.Join("..", "..", "internal", p.file)] = code
	}
	overlay, err := plant.Overlay(dir, sources, nil)
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-tags", "failpoint", "-overlay", overlay, "-o", dir, "./cmd/gateway", "./cmd/syncer")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// complaints are the lines of a test's output that say what is wrong.
func complaints(out string) (lines []string) {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") && !strings.Contains(line, "lives in") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
