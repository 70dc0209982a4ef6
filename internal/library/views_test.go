package library

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
)

func TestViews(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		t.Run("once in thirty minutes", func(t *testing.T) { checkViewsOnce(t, db) })
		t.Run("two gateways", func(t *testing.T) { checkViewsTogether(t, db) })
		t.Run("stop writes", func(t *testing.T) { checkViewsStop(t, db) })
		t.Run("what is old goes", func(t *testing.T) { checkForget(t, db) })
	})
}

// manualViews is a Views whose goroutine has been ended and whose clock is turned
// by hand.
func manualViews(db *catalogtest.DB, now *time.Time) *Views {
	v := newViews(db.Store, slog.New(slog.DiscardHandler), func() time.Time { return *now })
	v.cancel()
	<-v.done
	return v
}

func viewsOf(t *testing.T, db *catalogtest.DB, id int64) int64 {
	t.Helper()
	return db.Count(t, `SELECT views_count FROM public.schedule_lessonrecording WHERE id = $1`, id)
}

func updatedAt(t *testing.T, db *catalogtest.DB, id int64) string {
	t.Helper()
	var at catalog.DBTime
	db.One(t, `SELECT updated_at FROM public.schedule_lessonrecording WHERE id = $1`, []any{id}, &at)
	return at.String()
}

func checkViewsOnce(t *testing.T, db *catalogtest.DB) {
	now := noon
	v := manualViews(db, &now)
	before, touched := viewsOf(t, db, 2), updatedAt(t, db, 2)
	see := func(user, want int64) {
		t.Helper()
		pending, err := v.Count(t.Context(), user, 2)
		if got := viewsOf(t, db, 2) + pending; err != nil || got != before+want {
			t.Errorf("user %d: %d views, %v; want %d", user, got, err, before+want)
		}
	}
	flush := func(want int64) {
		t.Helper()
		if err := v.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := viewsOf(t, db, 2); got != before+want {
			t.Errorf("%d views written, want %d", got, before+want)
		}
	}
	see(5, 1)
	see(5, 1)
	see(6, 2)
	flush(2)
	now = noon.Add(viewInterval - time.Millisecond)
	see(5, 2)
	flush(2)
	now = noon.Add(viewInterval)
	see(5, 3)
	flush(3)
	flush(3)
	if got := updatedAt(t, db, 2); got != touched {
		t.Errorf("updated_at is %s, was %s", got, touched)
	}
	// A recording that goes before the flush takes nobody else's view with it.
	see(7, 4)
	v.pending[viewKey{7, 999999}] = now.UnixMilli()
	v.per[999999]++
	flush(4)
	if len(v.pending) != 0 || len(v.per) != 0 {
		t.Errorf("left: %v, %v", v.pending, v.per)
	}
}

// checkViewsTogether: the same users at two gateways, flushed at once.
func checkViewsTogether(t *testing.T, db *catalogtest.DB) {
	const users = 1200 // more than a statement takes
	now := noon.Add(24 * time.Hour)
	one, two := manualViews(db, &now), manualViews(db.Reopen(t), &now)
	before, other := viewsOf(t, db, 2), viewsOf(t, db, 6)
	for user := range int64(users) {
		for _, v := range []*Views{one, two} {
			v.pending[viewKey{user, 2}] = now.UnixMilli() // as if neither had seen the other's
			v.pending[viewKey{user, 6}] = now.UnixMilli()
			v.per[2]++
			v.per[6]++
		}
	}
	var wg sync.WaitGroup
	for _, v := range []*Views{one, two} {
		wg.Go(func() {
			for try := 0; ; try++ {
				err := v.Flush(t.Context())
				if err == nil {
					return
				}
				if media.KindOf(err) != media.Unavailable || try == 5 {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if a, b := viewsOf(t, db, 2)-before, viewsOf(t, db, 6)-other; a != users || b != users {
		t.Errorf("%d and %d views of %d users", a, b, users)
	}
}

func checkViewsStop(t *testing.T, db *catalogtest.DB) {
	v := NewViews(db.Store, slog.New(slog.DiscardHandler))
	before := viewsOf(t, db, 7)
	if _, err := v.Count(t.Context(), 3, 7); err != nil {
		t.Fatal(err)
	}
	v.Stop()
	v.Stop()
	if got := viewsOf(t, db, 7); got != before+1 {
		t.Errorf("%d views, want %d", got, before+1)
	}
}

func checkForget(t *testing.T, db *catalogtest.DB) {
	now := noon.Add(48 * time.Hour)
	v := manualViews(db, &now)
	if _, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 70, 1, now.Add(-startRetention), hour, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 70, 1, now.Add(-hour), hour, 0, 0); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, `INSERT INTO lectern.lectern_views (user_id, recording_id, counted_ms) VALUES (70, 1, $1), (71, 1, $2)`,
		now.Add(-viewInterval).UnixMilli(), now.UnixMilli())
	if err := v.prune(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if n := db.Count(t, `SELECT count(*) FROM lectern.lectern_starts WHERE user_id = 70`); n != 1 {
		t.Errorf("%d starts are kept", n)
	}
	if n := db.Count(t, `SELECT count(*) FROM lectern.lectern_views WHERE user_id IN (70, 71)`); n != 1 {
		t.Errorf("%d views are kept", n)
	}
}

// TestViewsOutliveAnOutage: what was counted before is written after.
func TestViewsOutliveAnOutage(t *testing.T) {
	t.Parallel()
	server := pgtest.StartServer(t)
	url := server.Database(t)
	pgtest.Load(t, url, catalogtest.PlatformSQL)
	db := catalogtest.Migrate(t, catalogtest.Open(t, url))
	now := time.Now()
	v := manualViews(db, &now)
	before := viewsOf(t, db, 2)
	if _, err := v.Count(t.Context(), 5, 2); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	if err := v.Flush(t.Context()); media.KindOf(err) != media.Unavailable {
		t.Errorf("while away: %v", err)
	}
	if _, err := v.Count(t.Context(), 6, 2); media.KindOf(err) != media.Unavailable {
		t.Errorf("while away: %v", err)
	}
	server.Restart(t)
	v.Stop()
	if got := viewsOf(t, db, 2); got != before+1 {
		t.Errorf("%d views, want %d", got, before+1)
	}
}
