package library

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

const (
	// viewInterval is how long a user's views of a recording count once.
	viewInterval = 30 * time.Minute
	// flushInterval is how often views are written: opening a lesson must not be a write of
	// its own when a school begins its evening.
	flushInterval = 2 * time.Second
	// startRetention is longer than any window in which starts are counted.
	startRetention = 2 * time.Hour
	// viewsPerStatement keeps a statement's parameters within SQLite's limit.
	viewsPerStatement = 500
)

// Views counts the views of recordings: once per user and recording in thirty minutes, on
// whichever gateway. Views are collected and written in batches by one UPDATE, which
// leaves updated_at as it is: a view is no change of the recording. Safe for concurrent
// use.
type Views struct {
	*flusher
	store *catalog.Store

	mu       sync.Mutex        // guards pending and per; no query runs under it
	pending  map[viewKey]int64 // counted, not written: when, in milliseconds
	per      map[int64]int64   // how many of them each recording has
	flushing sync.Mutex        // one flush at a time
}

type viewKey struct{ user, recording int64 }

// NewViews makes the counter and starts its goroutine; Stop ends it.
func NewViews(store *catalog.Store, log *slog.Logger) *Views { return newViews(store, log, time.Now) }

func newViews(store *catalog.Store, log *slog.Logger, now func() time.Time) *Views {
	v := &Views{store: store, pending: map[viewKey]int64{}, per: map[int64]int64{}}
	v.flusher = newFlusher(batch{name: "views", interval: flushInterval, log: log, now: now, flush: v.Flush, prune: v.deleteOld, waiting: v.waiting})
	v.start()
	return v
}

func (v *Views) waiting() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.pending)
}

const selectSeen = `
SELECT EXISTS (SELECT 1 FROM lectern.lectern_views
               WHERE user_id = $1 AND recording_id = $2 AND counted_ms > $3)`

// Count counts a view, unless one of the same user and recording was counted within
// thirty minutes. pending is how many views of the recording the catalog does not
// have yet, this one among them. The caller
// has checked that the recording exists.
func (v *Views) Count(ctx context.Context, userID, recordingID int64) (pending int64, err error) {
	var (
		seen bool
		key  = viewKey{userID, recordingID}
		now  = v.now().UnixMilli()
	)
	err = v.store.Row(ctx, "library: count a view", selectSeen, []any{userID, recordingID, now - viewInterval.Milliseconds()}, &seen)
	if err != nil {
		return 0, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, waits := v.pending[key]; !waits && !seen {
		v.pending[key] = now
		v.per[recordingID]++
	}
	return v.per[recordingID], nil
}

// Flush writes what was counted so far, all of it or nothing.
func (v *Views) Flush(ctx context.Context) error {
	v.flushing.Lock()
	defer v.flushing.Unlock()
	v.mu.Lock()
	batch := make([]view, 0, len(v.pending))
	for key, at := range v.pending {
		batch = append(batch, view{key, at})
	}
	v.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	// In one order, so that gateways that write at the same time cannot deadlock.
	slices.SortFunc(batch, func(a, b view) int {
		return cmp.Or(cmp.Compare(a.recording, b.recording), cmp.Compare(a.user, b.user))
	})
	if err := v.addViews(ctx, batch); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range batch {
		delete(v.pending, one.viewKey)
		if v.per[one.recording]--; v.per[one.recording] == 0 {
			delete(v.per, one.recording)
		}
	}
	return nil
}

// view is a view at a time in milliseconds.
type view struct {
	viewKey
	at int64
}

// addViews writes a batch in one transaction: the views, and the recordings' counts for
// those that no gateway has counted yet.
func (v *Views) addViews(ctx context.Context, batch []view) error {
	const op = "library: add views"
	return v.store.UpdateWithin(ctx, op, flushTimeout, func(ctx context.Context, x catalog.Session) error {
		more := map[int64]int64{}
		for part := range slices.Chunk(batch, viewsPerStatement) {
			if err := recordViews(ctx, x, part, more); err != nil {
				return err
			}
		}
		return addViewCounts(ctx, x, more)
	})
}

// recordViews upserts views and adds to more those that count.
func recordViews(ctx context.Context, x catalog.Session, part []view, more map[int64]int64) error {
	var b strings.Builder
	args := make([]any, 0, 3*len(part))
	b.WriteString(`INSERT INTO lectern.lectern_views AS v (user_id, recording_id, counted_ms) VALUES `)
	for i, one := range part {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "($%d, $%d, $%d)", 3*i+1, 3*i+2, 3*i+3)
		args = append(args, one.user, one.recording, one.at)
	}
	fmt.Fprintf(&b, ` ON CONFLICT (user_id, recording_id) DO UPDATE SET counted_ms = excluded.counted_ms
		WHERE v.counted_ms <= excluded.counted_ms - %d RETURNING recording_id`, viewInterval.Milliseconds())
	return x.Each(ctx, b.String(), args, func(scan func(...any) error) error {
		var recording int64
		err := scan(&recording)
		more[recording]++
		return err
	})
}

// addViewCounts is one UPDATE for up to viewsPerStatement recordings.
func addViewCounts(ctx context.Context, x catalog.Session, more map[int64]int64) error {
	ids := make([]int64, 0, len(more))
	for id := range more {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for part := range slices.Chunk(ids, viewsPerStatement) {
		var b strings.Builder
		args := make([]any, 0, 2*len(part))
		b.WriteString(`UPDATE public.schedule_lessonrecording AS r SET views_count = r.views_count + d.n FROM (`)
		for i, id := range part {
			if i > 0 {
				b.WriteString(" UNION ALL ")
			}
			fmt.Fprintf(&b, "SELECT CAST($%d AS bigint) AS id, CAST($%d AS bigint) AS n", 2*i+1, 2*i+2)
			args = append(args, id, more[id])
		}
		b.WriteString(`) AS d WHERE r.id = d.id`)
		if _, err := x.Exec(ctx, b.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// deleteOld deletes the views and starts that no longer count.
func (v *Views) deleteOld(ctx context.Context, now time.Time) error {
	const op = "library: prune"
	return v.store.UpdateWithin(ctx, op, flushTimeout, func(ctx context.Context, x catalog.Session) error {
		if _, err := x.Exec(ctx, `DELETE FROM lectern.lectern_views WHERE counted_ms <= $1`, now.Add(-viewInterval).UnixMilli()); err != nil {
			return err
		}
		_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_starts WHERE started_ms <= $1`, now.Add(-startRetention).UnixMilli())
		return err
	})
}
