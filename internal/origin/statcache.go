package origin

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// rememberRoom bounds how many objects are remembered; beyond it the table
	// starts again, which costs one request for each object in use.
	maxStatEntries = 50_000
	// statTimeout bounds one shared question, which has no caller's deadline.
	statTimeout = 30 * time.Second
	// patience is how long an origin may take to say what lies at a known place
	// before what is known of it has to do: as good as away.
	staleAfter = 2 * time.Second
	// awayFor is how long an origin that was away is not waited for again.
	failureTTL = 5 * time.Second
)

// Remembered answers Stat from memory for as long as Recheck allows, and with
// the last known answer while the origin is away, before and after a restart.
// Safe for concurrent use.
type StatCache struct {
	next    Stater
	recheck time.Duration
	now     func() time.Time
	log     *slog.Logger
	group   singleflight.Group
	journal *journal // nil: nothing outlives the process
	// base ends at Close; asking goes on when the one who asked first has left.
	base    context.Context
	cancel  context.CancelFunc
	queries sync.WaitGroup

	mu      sync.Mutex
	entries map[media.Location]statEntry // guarded by mu
	closed  bool                         // guarded by mu
}

// memory is what is known of a place. A zero at is an earlier run's word, which
// is always asked about.
type statEntry struct {
	object  media.Object
	checked time.Time // when the origin was asked
	failed  time.Time // when it did not answer, since then
}

// Remember puts a memory in front of next.
func NewStatCache(next Stater, recheck time.Duration, now func() time.Time) *StatCache {
	ctx, cancel := context.WithCancel(context.Background())
	return &StatCache{next: next, recheck: recheck, now: now, log: slog.New(slog.DiscardHandler), base: ctx, cancel: cancel, entries: map[media.Location]statEntry{}}
}

// Keep makes the memory outlive the process, in a file. It is called before the
// first Stat.
func (r *StatCache) OpenJournal(path string, log *slog.Logger) error {
	kept, known, err := openJournal(path)
	if err != nil {
		return err
	}
	r.journal, r.log = kept, log
	for loc, obj := range known {
		r.entries[loc] = statEntry{object: obj}
	}
	return nil
}

// Known tells what is remembered of a place, and whether it need not be asked for.
func (r *StatCache) Cached(loc media.Location) (obj media.Object, fresh, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.entries[loc]
	return known.object, ok && r.fresh(known), ok
}

// fresh reports whether a memory may still be used unasked; r.mu is held.
func (r *StatCache) fresh(m statEntry) bool {
	return !m.checked.IsZero() && r.now().Sub(m.checked) < r.recheck
}

// Stat answers from memory, or asks once for all who want to know.
func (r *StatCache) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	r.mu.Lock()
	known, ok := r.entries[loc]
	if r.closed {
		r.mu.Unlock()
		return media.Object{}, media.Faultf(media.Unavailable, "origin: stat", "the gateway is closing")
	}
	fresh := ok && r.fresh(known)
	if fresh && r.now().Sub(known.checked) < r.recheck/2 || ok && !known.failed.IsZero() && r.now().Sub(known.failed) < min(failureTTL, r.recheck) {
		r.mu.Unlock()
		return known.object, nil
	}
	r.queries.Add(1)
	r.mu.Unlock()
	answer := r.group.DoChan(loc.Provider+"\x00"+loc.Key, func() (any, error) {
		r.queries.Add(1)
		defer r.queries.Done()
		return r.query(loc)
	})
	r.queries.Done()
	if fresh {
		return known.object, nil // asked ahead, so that nobody who watches has to wait
	}
	var enough <-chan time.Time
	if ok {
		timer := time.NewTimer(staleAfter)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-ctx.Done():
		return media.Object{}, media.Fault(media.KindOf(ctx.Err()), "origin: stat", ctx.Err())
	case <-enough:
		return known.object, nil
	case a := <-answer:
		if a.Err == nil {
			return a.Val.(media.Object), nil
		}
		if ok && unreachable(a.Err) {
			return known.object, nil
		}
		return media.Object{}, a.Err
	}
}

// away tells faults of reaching an origin from its answers.
func unreachable(err error) bool {
	switch media.KindOf(err) {
	case media.Unavailable, media.Timeout, media.Quota:
		return true
	}
	return false
}

func (r *StatCache) query(loc media.Location) (media.Object, error) {
	ctx, cancel := context.WithTimeout(r.base, statTimeout)
	defer cancel()
	began := r.now()
	obj, err := r.next.Stat(ctx, loc)
	r.mu.Lock()
	known, had := r.entries[loc]
	news := false
	switch kind := media.KindOf(err); {
	case err == nil:
		if len(r.entries) >= maxStatEntries {
			clear(r.entries)
		}
		r.entries[loc] = statEntry{object: obj, checked: began}
		news = !had || known.object != obj
	case kind == media.NotFound, kind == media.Denied:
		delete(r.entries, loc)
		news = had
	case had && unreachable(err):
		known.failed = r.now()
		r.entries[loc] = known
	}
	r.mu.Unlock()
	if news && r.journal != nil {
		r.record(loc, obj, err == nil)
	}
	return obj, err
}

// writeDown keeps what is new. It is nobody's business but the next run's when it
// cannot be kept.
func (r *StatCache) record(loc media.Location, obj media.Object, there bool) {
	line := &obj
	if !there {
		line = nil
	}
	if err := r.journal.add(loc, line, r.snapshot); err != nil {
		r.log.Warn("what is known of a lesson's file could not be written down", slog.Any("error", err))
	}
}

func (r *StatCache) snapshot() map[media.Location]media.Object {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[media.Location]media.Object, len(r.entries))
	for loc, m := range r.entries {
		all[loc] = m.object
	}
	return all
}

// Forget makes the next Stat ask: somebody has found the object changed.
func (r *StatCache) Invalidate(loc media.Location) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, loc)
}

// Close ends what is being asked and waits; it may be called twice.
func (r *StatCache) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.queries.Wait()
	if r.journal != nil {
		return r.journal.close()
	}
	return nil
}
