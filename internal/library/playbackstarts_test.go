package library

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
)

const (
	hour  = time.Hour
	reuse = 10 * time.Minute
)

func TestCountStart(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		t.Run("window", func(t *testing.T) { checkStartWindow(t, db) })
		t.Run("reuse", func(t *testing.T) { checkStartReuse(t, db) })
		t.Run("lowered limit", func(t *testing.T) { checkLoweredLimit(t, db) })
		t.Run("together", func(t *testing.T) { checkStartsTogether(t, db) })
	})
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// checkStartWindow: the trailing hour, to the millisecond.
func checkStartWindow(t *testing.T, db *catalogtest.DB) {
	start := func(after time.Duration) media.Start {
		t.Helper()
		got, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 5, 1, noon.Add(after), hour, 0, 3)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, after := range []time.Duration{0, 10 * time.Second, 20 * time.Second} {
		if got := start(after); got.ID == 0 || !got.At.Equal(noon.Add(after)) || got.Wait != 0 {
			t.Fatalf("after %v: %+v", after, got)
		}
	}
	for _, c := range []struct{ after, wait time.Duration }{
		{30 * time.Second, hour - 30*time.Second}, {hour - time.Millisecond, time.Millisecond}, {hour - 1500*time.Millisecond, 1500 * time.Millisecond},
	} {
		if got := start(c.after); got.ID != 0 || got.Wait != c.wait {
			t.Errorf("after %v: %+v, want a wait of %v", c.after, got, c.wait)
		}
	}
	fourth := start(hour)
	if fourth.ID == 0 {
		t.Errorf("an hour later: %+v", fourth)
	}
	if got := start(hour + time.Second); got.Wait != 9*time.Second {
		t.Errorf("full again: %+v", got)
	}
	if err := NewPlaybackStarts(db.Store).UncountStart(t.Context(), fourth.ID); err != nil {
		t.Fatal(err)
	}
	if got := start(hour + time.Second); got.ID == 0 {
		t.Errorf("after one was taken back: %+v", got)
	}
	if got, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 6, 1, noon, hour, 0, 3); err != nil || got.ID == 0 {
		t.Errorf("somebody else: %+v, %v", got, err)
	}
	if got, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 5, 1, noon.Add(hour), hour, 0, 0); err != nil || got.ID == 0 {
		t.Errorf("without a limit: %+v, %v", got, err)
	}
}

// checkStartReuse: a direct stream goes with an earlier start of its recording,
// also where the limit is reached.
func checkStartReuse(t *testing.T, db *catalogtest.DB) {
	direct := func(recording int64, after time.Duration) media.Start {
		t.Helper()
		got, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 7, recording, noon.Add(after), hour, reuse, 2)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	grant, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 7, 1, noon, hour, 0, 2)
	if err != nil || grant.ID == 0 {
		t.Fatalf("%+v, %v", grant, err)
	}
	if got := direct(1, reuse-time.Millisecond); got.ID != 0 || got.Wait != 0 || !got.At.Equal(noon) {
		t.Errorf("with the grant: %+v", got)
	}
	if got := direct(2, time.Minute); got.ID == 0 {
		t.Errorf("another recording: %+v", got)
	}
	if got := direct(3, time.Minute); got.Wait != hour-time.Minute {
		t.Errorf("over the limit: %+v", got)
	}
	if got := direct(2, 2*time.Minute); got.ID != 0 || got.Wait != 0 {
		t.Errorf("one counted before, over the limit: %+v", got)
	}
	if got := direct(1, reuse); got.Wait != hour-reuse {
		t.Errorf("ten minutes later: %+v", got)
	}
}

// checkLoweredLimit: the wait is until there is room, not until one is gone.
func checkLoweredLimit(t *testing.T, db *catalogtest.DB) {
	for i := range 4 {
		if got, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 8, 1, noon.Add(time.Duration(i)*time.Minute), hour, 0, 10); err != nil || got.ID == 0 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if got, err := NewPlaybackStarts(db.Store).CountStart(t.Context(), 8, 1, noon.Add(5*time.Minute), hour, 0, 2); err != nil || got.Wait != hour-3*time.Minute {
		t.Errorf("%+v, %v", got, err)
	}
}

// checkStartsTogether: two gateways, many requests at once, never one too many. A request
// that the database does not answer in time, on a loaded machine, is sent again.
func checkStartsTogether(t *testing.T, db *catalogtest.DB) {
	const limit, requests = 10, 60
	gateways := []*PlaybackStarts{NewPlaybackStarts(db.Store), NewPlaybackStarts(db.Reopen(t).Store)}
	count := func(gateway *PlaybackStarts, user, recording int64) media.Start {
		for {
			start, err := gateway.CountStart(t.Context(), user, recording, time.Now(), hour, reuse, limit)
			if err == nil {
				return start
			}
			if media.KindOf(err) != media.Unavailable {
				t.Error(err)
				return media.Start{}
			}
		}
	}
	var counted, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range requests {
		wg.Go(func() {
			switch start := count(gateways[i%2], 9, int64(i)); {
			case start.ID != 0:
				counted.Add(1)
			case start.Wait > 0:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	rows := `SELECT count(*) FROM lectern.lectern_starts WHERE user_id = $1`
	if n := db.Count(t, rows, 9); n != limit {
		t.Errorf("%d starts are counted, the limit is %d", n, limit)
	}
	if counted.Load() > limit || refused.Load() != requests-limit {
		t.Errorf("%d requests were answered as counted and %d as refused, of %d with a limit of %d", counted.Load(), refused.Load(), requests, limit)
	}
	// The ranges that one player requests at once are one start.
	for range 20 {
		wg.Go(func() { count(gateways[1], 10, 1) })
	}
	wg.Wait()
	if n := db.Count(t, rows, 10); n != 1 {
		t.Errorf("the ranges of one player are %d starts", n)
	}
}

// TestCountStartBehindAPooler: the limit holds where each transaction gets another
// session.
func TestCountStartBehindAPooler(t *testing.T) {
	t.Parallel()
	direct := pgtest.Start(t)
	pgtest.Load(t, direct, catalogtest.PlatformSQL)
	checkStartsTogether(t, catalogtest.Migrate(t, catalogtest.Open(t, pgtest.Pooler(t, direct))))
}

// TestStartsOfOneUser: starts of one user that wait for another gateway's leave the
// connections to the database to other users.
func TestStartsOfOneUser(t *testing.T) {
	db := catalogtest.Postgres(t)
	tx, err := db.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), `SELECT pg_advisory_xact_lock($1, 5)`, int32(startLock)); err != nil {
		t.Fatal(err)
	}
	starts := NewPlaybackStarts(db.Store)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	const waiting = 100
	for range waiting {
		group.Go(func() { _, _ = starts.CountStart(ctx, 5, 1, noon, hour, 0, 3) })
	}
	// All of them wait now, or would occupy all connections.
	for {
		starts.turns.mu.Lock()
		q := starts.turns.queues[5]
		all := q != nil && q.users == waiting
		starts.turns.mu.Unlock()
		if all {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if used := db.DB().Stats().InUse; used > 2 {
		t.Errorf("%d connections are in use", used)
	}
	if got, err := starts.CountStart(t.Context(), 6, 1, noon, hour, 0, 3); err != nil || got.ID == 0 {
		t.Errorf("another user: %+v, %v", got, err)
	}
	stop()
	group.Wait()
	if n := len(starts.turns.queues); n != 0 {
		t.Errorf("%d queues are left", n)
	}
}
