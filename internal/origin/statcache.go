package origin

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// maxStatEntries bounds the cache. Beyond it the cache is cleared, which costs
	// one request for each object in use.
	maxStatEntries = 50_000
	// statTimeout bounds one query, which is shared and has no caller's deadline.
	statTimeout = 30 * time.Second
	// staleAfter is how long a caller waits for the origin before it is given the
	// cached answer: a slow origin is treated like an unreachable one.
	staleAfter = 2 * time.Second
	// failureTTL is how long an unreachable origin is not queried again.
	failureTTL = 5 * time.Second
)

// StatCache answers Stat from memory for as long as Recheck allows. While the
// origin is unreachable it gives the last known answer, with a journal also after a
// restart. Safe for concurrent use.
type StatCache struct {
	next    Stater
	recheck time.Duration
	now     func() time.Time
	log     *slog.Logger
	journal *journal // nil: nothing outlives the process
	// base ends at Close. A query runs in it, not in the context of its first caller:
	// it goes on when that caller has left.
	base    context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup // goroutines; added to under mu while closed is false

	mu      sync.Mutex
	entries map[media.Location]statEntry  // guarded by mu
	queries map[media.Location]*statQuery // in flight; guarded by mu
	closed  bool                          // guarded by mu
}

// statEntry is what is known of a location. A zero checked marks an entry of the
// journal, which is always checked.
type statEntry struct {
	object  media.Object
	checked time.Time // when the last successful query began
	failed  time.Time // when the origin was unreachable, since then
}

// statQuery is one query in flight. done is closed once object and err are set.
type statQuery struct {
	done   chan struct{}
	object media.Object
	err    error
}

// NewStatCache puts a cache in front of next. It starts nothing; goroutines run for
// the duration of a query only.
func NewStatCache(next Stater, recheck time.Duration, now func() time.Time) *StatCache {
	ctx, cancel := context.WithCancel(context.Background())
	return &StatCache{
		next: next, recheck: recheck, now: now, log: slog.New(slog.DiscardHandler), base: ctx, cancel: cancel,
		entries: map[media.Location]statEntry{}, queries: map[media.Location]*statQuery{},
	}
}

// OpenJournal makes the cache outlive the process, in a file. It must be called
// before the first Stat.
func (r *StatCache) OpenJournal(path string, log *slog.Logger) error {
	journal, entries, err := openJournal(path)
	if err != nil {
		return err
	}
	r.journal, r.log = journal, log
	for loc, obj := range entries {
		r.entries[loc] = statEntry{object: obj}
	}
	return nil
}

// Cached is the cached object of a location, without a query. fresh reports whether
// Stat would answer with it at once.
func (r *StatCache) Cached(loc media.Location) (obj media.Object, fresh, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry, ok := r.entries[loc]
	return entry.object, ok && r.fresh(entry), ok
}

// fresh reports whether an entry may be used without a query. The caller holds mu.
func (r *StatCache) fresh(e statEntry) bool {
	return !e.checked.IsZero() && r.now().Sub(e.checked) < r.recheck
}

// Stat answers from the cache, or joins or starts one query for all callers. In the
// second half of an entry's life it answers at once and renews the entry in the
// background. An error has the origin's Kind; after Close it is Unavailable.
func (r *StatCache) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	const op = "origin: stat"
	r.mu.Lock()
	entry, ok := r.entries[loc]
	if r.closed {
		r.mu.Unlock()
		return media.Object{}, media.Faultf(media.Unavailable, op, "the gateway is closing")
	}
	fresh := ok && r.fresh(entry)
	if fresh && r.now().Sub(entry.checked) < r.recheck/2 || ok && !entry.failed.IsZero() && r.now().Sub(entry.failed) < min(failureTTL, r.recheck) {
		r.mu.Unlock()
		return entry.object, nil
	}
	query := r.joinQuery(ctx, loc)
	r.mu.Unlock()
	if fresh {
		return entry.object, nil
	}
	var stale <-chan time.Time
	if ok {
		timer := time.NewTimer(staleAfter)
		defer timer.Stop()
		stale = timer.C
	}
	select {
	case <-ctx.Done():
		return media.Object{}, media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	case <-stale:
		return entry.object, nil
	case <-query.done:
		if query.err != nil && ok && unreachable(query.err) {
			return entry.object, nil
		}
		return query.object, query.err
	}
}

// joinQuery is the query in flight for a location, started when there is none. The
// caller holds mu and has seen that the cache is not closed, so that Close waits for
// the query. A query that is started carries the traceparent of ctx, and does not end
// with it.
func (r *StatCache) joinQuery(ctx context.Context, loc media.Location) *statQuery {
	if query := r.queries[loc]; query != nil {
		return query
	}
	query := &statQuery{done: make(chan struct{})}
	r.queries[loc] = query
	base := media.WithTraceparent(r.base, media.TraceparentOf(ctx))
	r.running.Go(func() {
		changed := r.query(base, loc, query)
		close(query.done)
		if changed && r.journal != nil {
			r.record(loc, query.object, query.err == nil) // nobody waits for a disk
		}
	})
	return query
}

// start runs f in a goroutine that Close waits for, or reports that the cache is
// closed. f must end when base does.
func (r *StatCache) start(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.running.Go(f)
	return true
}

// unreachable reports whether an error says that the origin could not be reached,
// and so nothing about the object.
func unreachable(err error) bool {
	switch media.KindOf(err) {
	case media.Unavailable, media.Timeout, media.Quota:
		return true
	}
	return false
}

// query asks the origin, updates the cache, and reports whether the journal needs a line.
func (r *StatCache) query(base context.Context, loc media.Location, query *statQuery) (changed bool) {
	ctx, cancel := context.WithTimeout(base, statTimeout)
	defer cancel()
	began := r.now()
	query.object, query.err = r.next.Stat(ctx, loc)
	return r.update(loc, query.object, query.err, began)
}

// update applies the result of a query that began at began, and reports whether the
// journal needs a line. A Stat after it starts a new query.
func (r *StatCache) update(loc media.Location, obj media.Object, err error, began time.Time) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.queries, loc)
	entry, had := r.entries[loc]
	switch kind := media.KindOf(err); {
	case err == nil:
		if len(r.entries) >= maxStatEntries {
			clear(r.entries)
		}
		r.entries[loc] = statEntry{object: obj, checked: began}
		return !had || entry.object != obj
	case kind == media.NotFound, kind == media.Denied:
		delete(r.entries, loc)
		return had
	case had && unreachable(err):
		entry.failed = r.now()
		r.entries[loc] = entry
	}
	return false
}

// record writes a change to the journal. A failure is logged only: the journal
// matters after a restart, and the entry is in memory.
func (r *StatCache) record(loc media.Location, obj media.Object, exists bool) {
	line := &obj
	if !exists {
		line = nil
	}
	if err := r.journal.add(loc, line, r.snapshot); err != nil {
		r.log.Warn("stat cache: journal could not be written", slog.Any("error", err))
	}
}

func (r *StatCache) snapshot() map[media.Location]media.Object {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[media.Location]media.Object, len(r.entries))
	for loc, e := range r.entries {
		all[loc] = e.object
	}
	return all
}

// Invalidate drops a location's entry, so that the next Stat queries the origin. It
// is called by the reader that has found the object changed.
func (r *StatCache) Invalidate(loc media.Location) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, loc)
}

// Close cancels running queries and speculative opens, waits for them, and closes the
// journal. It may be called twice.
func (r *StatCache) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.running.Wait()
	if r.journal != nil {
		return r.journal.close()
	}
	return nil
}
