package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatchdog: pings come only while every probe answers in time, a probe that hangs
// is not called again, and pings come back with it.
func TestWatchdog(t *testing.T) {
	const timeout = 30 * time.Second
	good := func(context.Context) error { return nil }
	after := func(d time.Duration) func(context.Context) error {
		return func(ctx context.Context) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	for _, c := range []struct {
		name   string
		probes []func(context.Context) error
		pings  int64 // within five minutes, of at most 29
	}{
		{"none", nil, 29},
		{"responsive", []func(context.Context) error{good, good}, 29},
		{"slow, within the deadline", []func(context.Context) error{good, after(9 * time.Second)}, 29},
		{"slow, beyond the deadline", []func(context.Context) error{good, after(11 * time.Second)}, 0},
		{"failing", []func(context.Context) error{good, func(context.Context) error { return errors.New("stuck") }}, 0},
		{"hanging, first", []func(context.Context) error{func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, good}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var pings atomic.Int64
				var probes []Probe
				for _, p := range c.probes {
					probes = append(probes, Probe{Name: "p", Responsive: p})
				}
				w := newWatchdog(slog.New(slog.DiscardHandler), func() { pings.Add(1) }, probes)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute-time.Second)
				defer cancel()
				w.run(ctx, timeout)
				if got := pings.Load(); got != c.pings && (c.pings == 0 || got < c.pings-15) {
					t.Errorf("%d pings, want %d", got, c.pings)
				}
			})
		})
	}
}

// TestWatchdogWithAStuckLock: a probe that ignores its deadline ends the pings, is
// running once only, and the pings come back when it returns.
func TestWatchdogWithAStuckLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings, calls atomic.Int64
		lock := make(chan struct{}, 1) // a mutex that synctest understands
		w := newWatchdog(slog.New(slog.DiscardHandler), func() { pings.Add(1) }, []Probe{{"lock", func(context.Context) error {
			calls.Add(1)
			lock <- struct{}{}
			<-lock
			return nil
		}}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); w.run(ctx, 30*time.Second) }()
		time.Sleep(time.Minute)
		if got := pings.Load(); got < 5 {
			t.Errorf("%d pings in a minute of health", got)
		}
		lock <- struct{}{}
		time.Sleep(10 * time.Second)
		before, started := pings.Load(), calls.Load()
		time.Sleep(10 * time.Minute)
		if got := pings.Load(); got != before {
			t.Errorf("%d pings while the lock is stuck", got-before)
		}
		if got := calls.Load(); got > started+1 {
			t.Errorf("%d probes wait for the stuck lock", got-started)
		}
		<-lock
		time.Sleep(time.Minute)
		if got := pings.Load(); got < before+5 {
			t.Errorf("%d pings in the minute after", got-before)
		}
		lock <- struct{}{} // run ends although a probe hangs
		time.Sleep(time.Minute)
		cancel()
		<-ended
		<-lock
	})
}
