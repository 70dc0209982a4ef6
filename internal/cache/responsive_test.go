package cache

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// waitingProbes counts the goroutines that wait for the cache's lock on behalf of
// Responsive.
func waitingProbes() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*Cache).probeLock(")
}

func TestResponsive(t *testing.T) {
	c := openCache(t, t.TempDir(), 1<<20, newFakeOrigin(), realDisk{})
	scanned(t, c)
	if err := c.Responsive(t.Context()); err != nil {
		t.Errorf("a free lock: %v", err)
	}
	c.mu.Lock()
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := c.Responsive(ctx); media.KindOf(err) != media.Timeout {
			t.Errorf("a lock that is held: %v", err)
		}
		cancel()
	}
	if n := waitingProbes(); n > 1 {
		t.Errorf("%d goroutines wait for the lock, want one", n)
	}
	c.mu.Unlock()
	if err := c.Responsive(t.Context()); err != nil {
		t.Errorf("the lock is free again: %v", err)
	}
	waitUntil(t, func() bool { return c.lockProbe.waiting.Load() == nil && waitingProbes() == 0 })
}

// TestResponsiveJoins: calls share one probe, and all of them succeed when it does.
func TestResponsiveJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p lockProbe
		free := make(chan struct{})
		probes := 0
		probe := func() { probes++; <-free }
		first, second := p.join(probe), p.join(probe)
		synctest.Wait()
		if closed(first) || closed(second) || probes != 1 {
			t.Fatalf("%d probes run, want one that waits", probes)
		}
		close(free)
		<-first
		<-second
		<-p.join(probe)
		if probes != 2 {
			t.Errorf("%d probes ran, want another one after the first", probes)
		}
	})
}
