package syncer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// busyWait is how long an ingest waits for its folder.
const busyWait = time.Second

// claims are the claims on ingests that workers of this process hold. What the ledger
// has beyond them is of a run whose end could not be written down: the database was
// away.
type claims struct {
	syncer string

	mu   sync.Mutex
	last int64           // guarded by mu
	live map[string]bool // guarded by mu
}

func newClaims(syncer string) *claims { return &claims{syncer: syncer, live: map[string]bool{}} }

func (c *claims) begin() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	name := fmt.Sprintf("%s#%d", c.syncer, c.last)
	c.live[name] = true
	return name
}

func (c *claims) end(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.live, name)
}

func (c *claims) lapsed(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.HasPrefix(name, c.syncer+"#") && !c.live[name]
}

// claim makes this syncer the owner. Without one (ID 0) there is nothing to do, or
// nothing yet: wait says when.
func (s *Syncer) claim(ctx context.Context, id int64, owner string) (i store.Ingest, wait time.Duration, err error) {
	err = s.deps.Store.Update(ctx, "syncer: claim an ingest", func(x store.Session) error {
		row, err := store.LoadIngest(ctx, x, id, true)
		switch {
		case catalog.IsNotFound(err):
			return nil
		case err != nil:
			return err
		case row.State == store.Removed, row.LessonID == 0:
			return nil
		case row.Lease != "" && !s.claims.lapsed(row.Lease):
			wait = 2 * time.Second // until its owner ends, or counts as dead
			return nil
		}
		before := row.Lease
		row.Lease = owner
		row.Attempts++
		if row.State == store.Failed { // somebody asked for another try
			row.Attempts, row.FailingSince = 1, time.Time{}
		}
		if row.State != store.Done {
			row.State = store.Working
		}
		ok, err := store.SaveIngest(ctx, x, row, before, s.now())
		if ok {
			i = row
		}
		return err
	})
	return i, wait, err
}
