package library

import (
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

// checkStartsTogether: two gateways, many requests at once, never one too many.
func checkStartsTogether(t *testing.T, db *catalogtest.DB) {
	const limit, requests = 10, 60
	other := db.Reopen(t)
	var counted, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range requests {
		wg.Go(func() {
			on := db
			if i%2 == 0 {
				on = other
			}
			got, err := NewPlaybackStarts(on.Store).CountStart(t.Context(), 9, int64(i), time.Now(), hour, reuse, limit)
			switch {
			case err != nil:
				t.Error(err)
			case got.ID != 0:
				counted.Add(1)
			case got.Wait > 0:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if counted.Load() != limit || refused.Load() != requests-limit {
		t.Errorf("%d counted, %d refused", counted.Load(), refused.Load())
	}
	// The same recording at once is one start.
	counted.Store(0)
	for range 20 {
		wg.Go(func() {
			if got, err := NewPlaybackStarts(other.Store).CountStart(t.Context(), 10, 1, time.Now(), hour, reuse, limit); err != nil {
				t.Error(err)
			} else if got.ID != 0 {
				counted.Add(1)
			}
		})
	}
	wg.Wait()
	if counted.Load() != 1 {
		t.Errorf("one player's ranges are %d starts", counted.Load())
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
