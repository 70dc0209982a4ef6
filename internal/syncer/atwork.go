package syncer

import (
	"sync"
	"time"
)

// lapseAfter is how long a job of this process is seen as running by the queue, and
// not worked on, before its end counts as lost. The queue tries for a few seconds to
// write an end down.
const lapseAfter = 20 * time.Second

// atWork knows the jobs that this process works on. What the queue believes to be
// running beyond them has ended while the database was away, and would keep others of
// its kind from beginning. Safe for concurrent use.
type atWork struct {
	mu     sync.Mutex
	live   map[int64]bool      // guarded by mu
	lapsed map[int64]time.Time // guarded by mu: since when a job is running in the queue only
}

func newAtWork() *atWork { return &atWork{live: map[int64]bool{}, lapsed: map[int64]time.Time{}} }

func (a *atWork) begin(job int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live[job] = true
}

func (a *atWork) end(job int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.live, job)
}

// lost picks, of the jobs that the queue believes to be running here, those whose end
// was lost. It is asked again and again, by one goroutine.
func (a *atWork) lost(running []int64, now time.Time) (lost []int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := map[int64]time.Time{}
	for _, job := range running {
		if a.live[job] {
			continue
		}
		since, known := a.lapsed[job]
		if !known {
			since = now
		}
		seen[job] = since
		if now.Sub(since) > lapseAfter {
			lost = append(lost, job)
		}
	}
	a.lapsed = seen
	return lost
}
