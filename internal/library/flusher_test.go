package library

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// countedFlusher is a flusher that counts its flushes, each of which ends with what fails
// returns.
func countedFlusher(interval time.Duration, fails func() error) (f *flusher, flushes *int) {
	flushes = new(int)
	f = newFlusher(batch{
		name: "tests", interval: interval, log: slog.New(slog.DiscardHandler), now: time.Now,
		flush:   func(context.Context) error { *flushes++; return fails() },
		prune:   func(context.Context, time.Time) error { return nil },
		waiting: func() int { return 1 },
	})
	f.start()
	return f, flushes
}

// TestFlushesOnceAnInterval: neither a failure nor the time that a flush takes makes the
// flushes more.
func TestFlushesOnceAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		f, flushes := countedFlusher(watchFlushInterval, func() error {
			time.Sleep(time.Second)
			return away
		})
		time.Sleep(10*watchFlushInterval + watchFlushInterval/2)
		synctest.Wait()
		if *flushes != 10 {
			t.Errorf("%d flushes in ten intervals", *flushes)
		}
		away = nil
		f.Stop()
	})
}

// TestStopWritesWithinItsTime: a last flush is tried until the database is back, or the time
// for it is over.
func TestStopWritesWithinItsTime(t *testing.T) {
	for name, away := range map[string]time.Duration{"back in time": time.Second, "away": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				back := time.Now().Add(away)
				f, flushes := countedFlusher(time.Hour, func() error {
					if time.Now().Before(back) {
						return errors.New("away")
					}
					return nil
				})
				began := time.Now()
				f.Stop()
				if took := time.Since(began); took < min(away, finalFlushTimeout) || took > min(away, finalFlushTimeout)+100*time.Millisecond {
					t.Errorf("Stop took %s", took)
				}
				if *flushes < 2 {
					t.Errorf("%d flushes", *flushes)
				}
			})
		})
	}
}
