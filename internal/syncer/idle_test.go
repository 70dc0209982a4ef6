package syncer_test

import (
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/pgtest"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestIdleSyncerIsQuiet: a syncer with nothing to do sends PostgreSQL about three
// statements a second, begins, commits and pings included. The rounds of half a minute differ by a
// few, as what they begin falls into one window or the next.
func TestIdleSyncerIsQuiet(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for most of a minute")
	}
	var counter *pgtest.Statements
	through := func(database string) string {
		counter, database = pgtest.CountStatements(t, database)
		return database
	}
	s := syncertest.New(t, syncertest.OnPostgres, syncertest.Through(through), syncertest.Configured(func(c *syncer.Config) {
		c.SupervisorEvery, c.IdlePoll = 0, 0 // as in production
	}))
	s.Start()
	s.Idle()
	counter.Take()               // what the start sent
	time.Sleep(12 * time.Second) // and what follows it: the polls go on for a while
	counter.Take()
	const window = 30 * time.Second // in which every round of the supervisor has its turn
	time.Sleep(window)
	n, kinds := counter.Take()
	if rate := float64(n) / window.Seconds(); rate > 3.4 || n == 0 {
		t.Errorf("%.2f statements a second:", rate)
		for statement, n := range kinds {
			t.Errorf("%4d %.160s", n, statement)
		}
	}
}
