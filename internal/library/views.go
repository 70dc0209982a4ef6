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
	// viewOnce is how long a user's views of a recording are one.
	viewInterval = 30 * time.Minute
	// flushViews is how often what was seen is written: opening lessons must not
	// become a write each when a school begins its evening.
	flushInterval = 2 * time.Second
	// flushTimeout bounds one flush, for which nobody waits.
	flushTimeout = 10 * time.Second
	// lastFlush is how long Stop tries to write what is left.
	finalFlushTimeout = 10 * time.Second
	// forgetEvery is how often what is too old to count is removed.
	pruneInterval = 10 * time.Minute
	// keepStarts is longer than any window that starts are counted in.
	startRetention = 2 * time.Hour
	// viewsAStatement keeps a statement's parameters within SQLite's bounds.
	viewsPerStatement = 500
)

// Views counts who has seen what: once per user and recording per thirty
// minutes, whichever gateway they come to. Views are collected, and written together by
// one UPDATE, which leaves updated_at alone: being seen is no change. Safe for
// concurrent use.
type Views struct {
	store *catalog.Store
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex         // guards what follows; nothing is asked under it
	pending map[viewKey]int64  // counted, not written: when, in milliseconds
	per     map[int64]int64    // how many of them each recording has
	flush   sync.Mutex         // one flush at a time
	cancel  context.CancelFunc // ends the goroutine
	done    chan struct{}      // closed when it has ended
	stop    sync.Once
}

type viewKey struct{ user, recording int64 }

// NewViews makes the counter and starts its goroutine; Stop ends it.
func NewViews(store *catalog.Store, log *slog.Logger) *Views { return newViews(store, log, time.Now) }

func newViews(store *catalog.Store, log *slog.Logger, now func() time.Time) *Views {
	ctx, cancel := context.WithCancel(context.Background())
	v := &Views{store: store, log: log, now: now, cancel: cancel, done: make(chan struct{}),
		pending: map[viewKey]int64{}, per: map[int64]int64{}}
	go v.run(ctx)
	return v
}

// Stop writes what is left and ends the goroutine. A second call does nothing.
// After it nothing may be counted.
func (v *Views) Stop() {
	v.stop.Do(func() {
		v.cancel()
		<-v.done
		ctx, cancel := context.WithTimeout(context.Background(), finalFlushTimeout)
		defer cancel()
		for {
			err := v.Flush(ctx)
			if err == nil {
				return
			}
			select {
			case <-ctx.Done():
				v.log.Error("views could not be written and are lost", slog.Int("views", len(v.pending)), slog.Any("error", err))
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

func (v *Views) run(ctx context.Context) {
	defer close(v.done)
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	forgot, failing := v.now(), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := v.Flush(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			v.log.Warn("views cannot be written yet, they are kept", slog.Any("error", err))
		}
		failing = err != nil
		if now := v.now(); now.Sub(forgot) >= pruneInterval {
			forgot = now
			if err := v.prune(ctx, now); err != nil {
				v.log.Debug("removing what is too old to count", slog.Any("error", err))
			}
		}
	}
}

const selectSeen = `
SELECT EXISTS (SELECT 1 FROM lectern.lectern_views
               WHERE user_id = $1 AND recording_id = $2 AND counted_ms > $3)`

// Count counts a view, unless one of the same user and recording was counted within
// thirty minutes. pending is how many views of the recording the catalog does not
// have yet, this one among them. Whether the recording exists is the caller's
// question.
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
	v.flush.Lock()
	defer v.flush.Unlock()
	v.mu.Lock()
	batch := make([]view, 0, len(v.pending))
	for key, at := range v.pending {
		batch = append(batch, view{key, at})
	}
	v.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	// In one order, so that gateways that write at once wait for each other and do
	// not lock each other out.
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

// view is one that was seen, at a moment in milliseconds.
type view struct {
	viewKey
	at int64
}

// addViews writes a batch in one transaction: who has seen what when, and for those
// that nobody, on any gateway, has counted yet the recordings' counts.
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

// rememberViews notes views and adds to more those that count.
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

// raiseViews is the one UPDATE of a flush, as long as no thousand recordings were
// seen within it.
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

// forget removes the views and starts that no longer count.
func (v *Views) prune(ctx context.Context, now time.Time) error {
	const op = "library: forget"
	return v.store.UpdateWithin(ctx, op, flushTimeout, func(ctx context.Context, x catalog.Session) error {
		if _, err := x.Exec(ctx, `DELETE FROM lectern.lectern_views WHERE counted_ms <= $1`, now.Add(-viewInterval).UnixMilli()); err != nil {
			return err
		}
		_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_starts WHERE started_ms <= $1`, now.Add(-startRetention).UnixMilli())
		return err
	})
}
