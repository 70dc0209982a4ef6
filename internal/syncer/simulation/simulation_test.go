package simulation

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	fromSeed = flag.Uint64("from", 1, "first seed")
	seeds    = flag.Uint64("seeds", 1, "how many seeds")
	days     = flag.Int("days", 7, "days of school in each seed")
	clean    = flag.Bool("clean", false, "nothing goes wrong")
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
	os.Exit(m.Run())
}

// TestSeeds lives through the school days of some seeds.
func TestSeeds(t *testing.T) {
	for seed := *fromSeed; seed < *fromSeed+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			began, history := realNow(), []string(nil)
			defer func() { // a bubble that has failed does not return
				t.Logf("%d lines of history, %s", len(history), realNow().Sub(began).Round(time.Millisecond))
				if t.Failed() {
					t.Logf("the history's end:\n%s", strings.Join(history[max(0, len(history)-*tail):], "\n"))
				}
			}()
			simulate(t, seed, !*clean, &history)
		})
	}
}

// simulate lives through one seed and writes down its history.
func simulate(t *testing.T, seed uint64, faulty bool, history *[]string) {
	t.Helper()
	if _, err := emptyDatabase(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(memory, "simulation-")
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, dir)
		defer func() {
			if w.process != nil {
				w.end()
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
		w.clock.Store(0)
		w.note("faults have ceased")
		for day := range 6 {
			for _, at := range []time.Duration{3 * time.Hour, 15 * time.Hour} {
				w.work(end.AddDate(0, 0, day).Add(at+time.Minute), 8*time.Minute)
			}
		}
		w.live(end.AddDate(0, 0, 6))
		w.checkEnd()
	})
}
