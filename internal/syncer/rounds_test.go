package syncer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/queue"
)

// TestRounds: what makes the supervisor unresponsive, and what does not.
func TestRounds(t *testing.T) {
	hang := make(chan struct{}) // closed at the end of a test
	for _, c := range []struct {
		name  string
		round func(ctx context.Context, n int) error
		after time.Duration
		want  string // "" = responsive
	}{
		{"rounds succeed", func(context.Context, int) error { return nil }, time.Hour, ""},
		{"the database refuses", func(context.Context, int) error { return errors.New("refused") }, time.Hour, ""},
		{"the database does not answer", func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }, time.Hour, ""},
		{"a round hangs, for a while", func(context.Context, int) error { <-hang; return nil }, roundBound, ""},
		{"a round hangs", func(context.Context, int) error { <-hang; return nil }, roundBound + time.Second, "latest round"},
		{"a later round hangs", func(_ context.Context, n int) error {
			if n > 3 {
				<-hang
			}
			return nil
		}, time.Hour, "latest round"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang = make(chan struct{})
				clock := newRoundClock()
				clock.begin(time.Now())
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					clock.loop(ctx, 2*time.Second, slog.New(slog.NewTextHandler(io.Discard, nil)), c.round)
				}()
				time.Sleep(c.after)
				err := clock.check(time.Now())
				if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("after %s: %v, want %q", c.after, err, c.want)
				}
				cancel()
				close(hang)
				<-ended
			})
		})
	}
	if err := newRoundClock().check(time.Now().Add(time.Hour)); err != nil {
		t.Errorf("before Start: %v", err)
	}
}

// TestLockWithin: a lock that is held until the context ends is an error; one that is
// released before is none.
func TestLockWithin(t *testing.T) {
	for _, c := range []struct {
		name string
		held time.Duration
		ok   bool
	}{{"free", 0, true}, {"held for a moment", time.Second, true}, {"held", time.Hour, false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				if c.held > 0 {
					mu.Lock()
					time.AfterFunc(c.held, mu.Unlock)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				err := queue.LockWithin(ctx, &mu, "test")
				if (err == nil) != c.ok {
					t.Errorf("%v", err)
				}
				if c.ok && !mu.TryLock() {
					t.Error("the lock was not released")
				}
			})
		})
	}
}
