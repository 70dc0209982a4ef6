package ingest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// leaseWait is how long a job waits for the lease that another run holds: until that
// run ends, or its syncer counts as dead.
const leaseWait = 2 * time.Second

// leases are the leases that runs of this process hold. A lease of this process that
// the database has beyond them is of a run whose end could not be written down: the
// database was away. Safe for concurrent use.
type leases struct {
	syncer string

	mu   sync.Mutex
	last int64           // guarded by mu
	held map[string]bool // guarded by mu
}

func newLeases(syncer string) *leases { return &leases{syncer: syncer, held: map[string]bool{}} }

// begin names a lease that nobody has held before.
func (l *leases) begin() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	name := fmt.Sprintf("%s#%d", l.syncer, l.last)
	l.held[name] = true
	return name
}

func (l *leases) end(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, name)
}

// lapsed reports whether a lease is of this process and its run has ended.
func (l *leases) lapsed(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.HasPrefix(name, l.syncer+"#") && !l.held[name]
}

// takeLease makes a run the one that works on an ingest. ID 0 means that there is
// nothing to do, or not yet: wait says for how long.
func (s *Ingester) takeLease(ctx context.Context, id int64, lease string) (i store.Ingest, wait time.Duration, err error) {
	err = s.deps.Store.Update(ctx, "syncer: take a lease", func(x store.Session) error {
		i, wait = store.Ingest{}, 0
		row, err := store.LoadIngest(ctx, x, id, true)
		switch {
		case catalog.IsNotFound(err):
			return nil
		case err != nil:
			return err
		case row.State() == store.Removed, row.Orphaned():
			return nil
		case row.Lease != "" && !s.leases.lapsed(row.Lease):
			wait = leaseWait
			return nil
		}
		before := row.Lease
		row.Lease = lease
		row.Attempts++
		if row.Reason == store.ReasonObserved && !s.deps.Observer.On() {
			row.Reason, row.Detail = "", ""
		}
		if row.State() == store.Failed { // an operator ran the job again
			row.Attempts, row.FailingSince = 1, time.Time{}
			if err := forgetFaults(ctx, x, row); err != nil {
				return err
			}
		}
		if err := row.Apply(store.Begin); err != nil {
			return err
		}
		ok, err := store.SaveIngest(ctx, x, row, before, s.now())
		if ok {
			i = row
		}
		return err
	})
	return i, wait, err
}

// ReleaseLapsed releases the leases of this process whose runs have ended without writing that
// down. Another syncer that fetches the job waits for a lease of one that lives, and may
// fetch it every time.
func (s *Ingester) ReleaseLapsed(ctx context.Context) error {
	const op = "syncer: release lapsed leases"
	var some bool
	err := s.deps.Store.View(ctx, op, func(x store.Session) (err error) {
		some, err = store.HoldsLeases(ctx, x, s.leases.syncer)
		return err
	})
	if err != nil || !some {
		return err
	}
	return s.deps.Store.Update(ctx, op, func(x store.Session) error {
		return store.ReleaseLeases(ctx, x, s.leases.syncer, s.leases.lapsed, s.now())
	})
}
