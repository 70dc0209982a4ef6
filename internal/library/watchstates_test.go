package library

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/watchstate"
)

func TestWatchStates(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		t.Run("read at once", func(t *testing.T) { checkReadAtOnce(t, db) })
		t.Run("two gateways", func(t *testing.T) { checkTwoGateways(t, db) })
		t.Run("clocks that disagree", func(t *testing.T) { checkClocks(t, db) })
		t.Run("many in one statement", func(t *testing.T) { checkManyStates(t, db) })
		t.Run("at most one statement a second", func(t *testing.T) { checkStatements(t, db) })
		t.Run("what is gone takes nothing with it", func(t *testing.T) { checkStatesOfGone(t, db) })
		t.Run("goes with the recording and the user", func(t *testing.T) { checkStatesGo(t, db) })
		t.Run("bounded", func(t *testing.T) { checkStatesBounded(t, db) })
	})
}

// manualStates are WatchStates whose goroutine has been ended.
func manualStates(db *catalogtest.DB, now *time.Time) *WatchStates {
	w := NewWatchStates(db.Store, slog.New(slog.DiscardHandler), func() time.Time { return *now })
	w.cancel()
	<-w.done
	return w
}

func put(t *testing.T, w *WatchStates, user, recording int64, seconds time.Duration, pieces ...watchstate.Piece) {
	t.Helper()
	if err := w.Put(user, recording, seconds*time.Second, pieces); err != nil {
		t.Fatal(err)
	}
}

func flushed(t *testing.T, w *WatchStates) {
	t.Helper()
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantState checks the position, in seconds, and how many buckets count.
func wantState(t *testing.T, w *WatchStates, user, recording int64, seconds time.Duration, watched int) {
	t.Helper()
	states, err := w.States(t.Context(), user, []int64{recording, 999999})
	got := states[recording]
	if err != nil || got.Position != seconds*time.Second || len(got.Played.Watched(0)) != watched {
		t.Errorf("at %s with %v, %v; want %ds and %d buckets", got.Position, got.Played.Watched(0), err, seconds, watched)
	}
}

func checkReadAtOnce(t *testing.T, db *catalogtest.DB) {
	now := noon
	w := manualStates(db, &now)
	wantState(t, w, 5, 6, 0, 0)
	put(t, w, 5, 6, 7, watchstate.Piece{From: 0, To: 4000})
	wantState(t, w, 5, 6, 7, 0)
	flushed(t, w)
	wantState(t, w, 5, 6, 7, 0)
	now = noon.Add(10 * time.Second)
	put(t, w, 5, 6, 3, watchstate.Piece{From: 8000, To: 9000}) // half of the bucket, over a flush
	wantState(t, w, 5, 6, 3, 1)
	flushed(t, w)
	wantState(t, w, 5, 6, 3, 1)
	now = noon.Add(-time.Hour) // the clock is set back
	put(t, w, 5, 6, 20)
	now = noon.Add(-2 * time.Hour)
	put(t, w, 5, 6, 21)
	if s := w.pending[stateKey{5, 6}]; s.Position != 21*time.Second {
		t.Errorf("the later arrival at one gateway is at %s", s.Position)
	}
	if w.size == 0 {
		t.Error("what waits has no size")
	}
	flushed(t, w)
	if len(w.pending) != 0 || w.writing != nil || w.size != 0 {
		t.Errorf("left: %v, %v, %d bytes", w.pending, w.writing, w.size)
	}
}

// checkTwoGateways: one user at two devices, each at a gateway of its own, flushed at once.
func checkTwoGateways(t *testing.T, db *catalogtest.DB) {
	const rounds = 20
	now := noon.Add(time.Hour)
	one, two := manualStates(db, &now), manualStates(db.Reopen(t), &now)
	for round := range int64(rounds) {
		put(t, one, 7, 6, 1, watchstate.Piece{From: 20000 * round, To: 20000*round + 6000})
		put(t, two, 7, 6, 2, watchstate.Piece{From: 20000*round + 10000, To: 20000*round + 16000})
		var both sync.WaitGroup
		for _, w := range []*WatchStates{one, two} {
			both.Go(func() {
				if err := w.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
	now = now.Add(time.Second)
	put(t, two, 7, 6, 3)
	flushed(t, two)
	wantState(t, one, 7, 6, 3, 2*rounds)
}

// checkClocks: three gateways with PostgreSQL, of which one's clock is an hour ahead and one's an
// hour behind. The report that arrives last counts, whichever of them has it.
func checkClocks(t *testing.T, db *catalogtest.DB) {
	if db.Store.Dialect() == catalog.SQLite {
		t.Skip("gateways with one SQLite have one clock")
	}
	clock := func(ahead time.Duration) (*WatchStates, func()) {
		now := time.Now().Add(ahead)
		w := manualStates(db.Reopen(t), &now)
		w.machine = func() time.Time { return now }
		return w, func() { now = time.Now().Add(ahead) }
	}
	first, tickFirst := clock(time.Hour)
	right, tickRight := clock(0)
	behind, tickBehind := clock(-time.Hour)
	put(t, first, 8, 6, 10)
	flushed(t, first)
	tickRight()
	put(t, right, 8, 6, 20)
	flushed(t, right)
	wantState(t, first, 8, 6, 20, 0)
	tickBehind()
	put(t, behind, 8, 6, 30)
	flushed(t, behind)
	wantState(t, right, 8, 6, 30, 0)
	tickFirst()
	put(t, first, 8, 6, 40)
	wantState(t, first, 8, 6, 40, 0)
	flushed(t, first)
	tickBehind()
	put(t, behind, 8, 6, 50)
	wantState(t, behind, 8, 6, 50, 0)
	flushed(t, behind)
	states, err := right.States(t.Context(), 8, []int64{6})
	if at := states[6].At; err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("the last report is of %s, %v", at, err)
	}
}

// checkManyStates: more rows than SQLite joins in a compound SELECT.
func checkManyStates(t *testing.T, db *catalogtest.DB) {
	now := noon.Add(2 * time.Hour)
	w := manualStates(db, &now)
	put(t, w, 9, 2, 5, watchstate.Piece{From: 0, To: 10000})
	for user := int64(100000); user < 101200; user++ {
		put(t, w, user, 2, 5) // of nobody
	}
	flushed(t, w)
	wantState(t, w, 9, 2, 5, 1)
	if n := db.Count(t, `SELECT count(*) FROM lectern.lectern_watch_states WHERE user_id >= 100000`); n != 0 {
		t.Errorf("%d states of nobody", n)
	}
}

// checkStatements: what a gateway with the most viewers writes in one interval takes no more
// statements than the interval has seconds, the transaction's begin and end included.
func checkStatements(t *testing.T, db *catalogtest.DB) {
	const viewers = 5000
	db = db.Reopen(t) // with a count of its own
	metrics := prometheus.NewRegistry()
	if err := db.Store.RegisterMetrics(metrics); err != nil {
		t.Fatal(err)
	}
	statements := func() uint64 {
		t.Helper()
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "lectern_database_seconds" {
				return f.GetMetric()[0].GetHistogram().GetSampleCount()
			}
		}
		t.Fatal("statements are not counted")
		return 0
	}
	now := noon.Add(6 * time.Hour)
	w := manualStates(db, &now)
	put(t, w, 5, 6, 5, watchstate.Piece{From: 0, To: 10000})
	flushed(t, w) // a connection is there
	for user := range int64(viewers) {
		put(t, w, 200000+user, 6, 5, watchstate.Piece{From: 0, To: 10000})
	}
	before := statements()
	flushed(t, w)
	n := statements() - before
	if n == 0 || float64(n) > watchFlushInterval.Seconds() {
		t.Errorf("%d statements in %s, want at most one a second", n, watchFlushInterval)
	}
}

func checkStatesOfGone(t *testing.T, db *catalogtest.DB) {
	now := noon.Add(3 * time.Hour)
	w := manualStates(db, &now)
	put(t, w, 9, 999999, 5)
	put(t, w, 999999, 7, 5)
	put(t, w, 9, 7, 5)
	flushed(t, w)
	wantState(t, w, 9, 7, 5, 0)
	if n := db.Count(t, `SELECT count(*) FROM lectern.lectern_watch_states WHERE recording_id = 999999 OR user_id = 999999`); n != 0 {
		t.Errorf("%d states of what is gone", n)
	}
}

// checkStatesGo: states go with the row of their recording and of their user, and with the
// bytes of a recording whose row stays.
func checkStatesGo(t *testing.T, db *catalogtest.DB) {
	now := noon.Add(5 * time.Hour)
	w := manualStates(db, &now)
	for _, recording := range []int64{2, 3, 8} {
		put(t, w, 10, recording, 5)
		put(t, w, 11, recording, 5)
	}
	flushed(t, w)
	db.Exec(t, `INSERT INTO lectern.lectern_purges (recording_id, provider, archive_key, purged_at) VALUES (2, 'local', 'a', $1), (3, 'local', 'b', $1)`, catalog.NewDBTime(now))
	db.Exec(t, `UPDATE public.schedule_lessonrecording SET is_deleted = $1 WHERE id = 2`, true)
	if err := w.prune(t.Context(), w.now()); err != nil {
		t.Fatal(err)
	}
	left := func(want int64, what string) {
		t.Helper()
		if n := db.Count(t, `SELECT count(*) FROM lectern.lectern_watch_states WHERE user_id IN (10, 11)`); n != want {
			t.Errorf("%s: %d states are left, want %d", what, n, want)
		}
	}
	left(4, "a purged recording, and one that was restored")
	db.Exec(t, `DELETE FROM public.schedule_lessonrecording_allowed_students WHERE customuser_id = 11`)
	db.Exec(t, `DELETE FROM public.schedule_group_students WHERE customuser_id = 11`)
	db.Exec(t, `DELETE FROM public.accounts_customuser WHERE id = 11`)
	left(2, "a user")
	db.Exec(t, `DELETE FROM public.schedule_lessonrecording_allowed_students WHERE lessonrecording_id = 8`)
	db.Exec(t, `DELETE FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = 8`)
	db.Exec(t, `DELETE FROM public.schedule_lessonrecording WHERE id = 8`)
	left(1, "a recording")
}

// checkStatesBounded: what waits while the database is away has a bound; the oldest stays, and
// all that waits is written once the database is back.
func checkStatesBounded(t *testing.T, db *catalogtest.DB) {
	now := noon.Add(4 * time.Hour)
	w := manualStates(db, &now)
	w.limit = 10 * stateSize
	var refused int
	for user := range int64(20) {
		if err := w.Put(user+1, 7, time.Second, nil); media.KindOf(err) == media.Unavailable {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if refused != 10 || len(w.pending) != 10 || w.pending[stateKey{1, 7}] == nil {
		t.Errorf("%d refused, %d wait", refused, len(w.pending))
	}
	put(t, w, 1, 7, 2) // takes no more memory
	if err := w.Flush(canceledContext(t)); err == nil {
		t.Fatal("a flush without a database succeeds")
	}
	if len(w.pending) != 10 || w.size != 10*stateSize || w.pending[stateKey{1, 7}].Position != 2*time.Second {
		t.Errorf("after a failed flush %d wait, %d bytes", len(w.pending), w.size)
	}
	flushed(t, w)
	if len(w.pending) != 0 || w.size != 0 {
		t.Errorf("once the database is back %d wait, %d bytes", len(w.pending), w.size)
	}
	wantState(t, w, 1, 7, 2, 0)
	for user := int64(2); user <= 10; user++ {
		wantState(t, w, user, 7, 1, 0)
	}
}

func canceledContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestWatchStatesStopWrites(t *testing.T) {
	db := catalogtest.Databases[0].Open(t)
	w := NewWatchStates(db.Store, slog.New(slog.DiscardHandler), time.Now)
	put(t, w, 5, 6, 9, watchstate.Piece{From: 0, To: 10000})
	put(t, w, 5, 6, 9, watchstate.Piece{From: 10000, To: 16000}, watchstate.Piece{From: 40000, To: 50000})
	put(t, w, 6, 6, 1)
	w.Stop()
	w.Stop()
	watched, err := WatchedBy(t.Context(), db.Store, 5)
	if err != nil || len(watched) != 1 || watched[0].Recording != 6 || watched[0].Position != 9 || fmt.Sprint(watched[0].Played) != "[[0 20] [40 50]]" {
		t.Errorf("stored of the user: %+v, %v", watched, err)
	}
	now := noon
	wantState(t, manualStates(db, &now), 5, 6, 9, 3)
}
