package simulation

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

var (
	fromSeed = flag.Uint64("from", 1, "first seed")
	seeds    = flag.Uint64("seeds", 1, "how many seeds")
	days     = flag.Int("days", 7, "days of school in each seed")
	clean    = flag.Bool("clean", false, "nothing goes wrong")
	keep     = flag.String("history", "", "file that the history of the last seed is written to")
	tail     = flag.Int("tail", 150, "how many lines of the history are printed of a seed that fails")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if slow {
		*days = min(*days, 2)
	}
	// One goroutine at a time: two runs of a seed differ less.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	if deterministic {
		debug.SetGCPercent(-1) // collect does it
	}
	os.Exit(m.Run())
}

// TestSeeds lives through the school days of some seeds.
func TestSeeds(t *testing.T) {
	for seed := *fromSeed; seed < *fromSeed+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			began, history := realNow(), []string(nil)
			defer func() { // a bubble that has failed does not return
				t.Logf("%d lines of history, %s", len(history), realNow().Sub(began).Round(time.Millisecond))
				if *keep != "" {
					write(t, *keep, strings.Join(history, "\n")+"\n")
				}
				if t.Failed() && len(history) > 0 {
					t.Logf("the history's end:\n%s", strings.Join(history[max(0, len(history)-*tail):], "\n"))
				}
			}()
			if deterministic && *seeds > 1 {
				apart(t, seed)
				return
			}
			simulate(t, seed, !*clean, &history)
		})
	}
}

// apart lives through a seed in a process of its own: what a process has done before, as
// filling caches, changes what the runtime draws.
func apart(t *testing.T, seed uint64, args ...string) {
	t.Helper()
	args = append([]string{"-test.run", "^TestSeeds$", "-test.v", "-from", fmt.Sprint(seed), "-seeds", "1", "-days", fmt.Sprint(*days), "-tail", fmt.Sprint(*tail), fmt.Sprintf("-clean=%t", *clean)}, args...)
	run := exec.Command(os.Args[0], args...)
	out, err := run.CombinedOutput()
	used := time.Duration(0)
	if run.ProcessState != nil {
		used = run.ProcessState.UserTime() + run.ProcessState.SystemTime()
	}
	if err != nil {
		t.Errorf("seed %d: %v, %s of the processor:\n%s", seed, err, used, out)
		return
	}
	t.Logf("%s of the processor", used.Round(time.Millisecond))
}

// collect collects garbage while nobody else runs: when it happens by itself depends on more
// than the seed.
func (w *world) collect() {
	const limit = 300 << 20
	var heap runtime.MemStats
	if runtime.ReadMemStats(&heap); deterministic && heap.HeapAlloc > limit {
		synctest.Wait()
		runtime.GC()
	}
}

// simulate lives through one seed and writes down its history.
func simulate(t *testing.T, seed uint64, faulty bool, history *[]string) {
	t.Helper()
	if _, err := emptyDatabase(); err != nil {
		t.Fatal(err)
	}
	cryptotest.SetGlobalRandom(t, seed)
	dir, err := os.MkdirTemp(memory, "simulation-")
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		setOrder(seed)
		defer setOrder(0)
		w := newWorld(t, seed, dir)
		defer func() {
			w.setClock(0)
			for _, m := range w.machines {
				if m.process != nil {
					w.end(m)
				}
			}
			w.close()
			*history = w.history
		}()
		w.faults.on = faulty
		w.openSchool()
		monday := w.began.AddDate(0, 0, 2) // the bubble's clock begins on Saturday, 2000-01-01
		for day := range *days {
			w.plan(monday.AddDate(0, 0, day))
		}
		end := monday.AddDate(0, 0, *days)
		w.live(end)
		w.faults.on = false
		w.setClock(0)
		w.note("faults have ceased")
		for day := range 5 {
			w.work(end.AddDate(0, 0, day).Add(12*time.Hour), 8*time.Minute)
		}
		// The last time until nothing is left to do: a file that never becomes readable is tried
		// anew each day, a few times.
		w.work(end.AddDate(0, 0, 5).Add(12*time.Hour), 3*time.Hour)
		w.live(end.AddDate(0, 0, 6))
		w.checkEnd()
	})
}
