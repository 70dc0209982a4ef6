package cache

import (
	"context"
	"sync/atomic"

	"github.com/lectiospace/lectern/internal/media"
)

// lockProbe is the goroutine of Responsive that waits for Cache.mu: nil when there is
// none, else a channel that is closed once it has had the lock.
type lockProbe struct{ waiting atomic.Pointer[chan struct{}] }

// Responsive reports whether the cache's lock can be taken before ctx ends: nil, or
// an error of kind Timeout or Canceled. A watchdog calls it to detect a deadlock.
// While the lock is stuck at most one goroutine waits for it, however often and from
// however many goroutines Responsive is called.
func (c *Cache) Responsive(ctx context.Context) error {
	if c.mu.TryLock() {
		c.mu.Unlock()
		return nil
	}
	select {
	case <-c.lockProbe.join(c.probeLock):
		return nil
	case <-ctx.Done():
		return media.Fault(media.KindOf(ctx.Err()), "cache: lock", ctx.Err())
	}
}

// join starts the probe unless one waits already, and returns its channel.
func (p *lockProbe) join(probe func()) <-chan struct{} {
	taken := make(chan struct{})
	for !p.waiting.CompareAndSwap(nil, &taken) {
		if other := p.waiting.Load(); other != nil {
			return *other
		}
	}
	go func() {
		probe()
		p.waiting.Store(nil)
		close(taken)
	}()
	return taken
}

func (c *Cache) probeLock() {
	c.mu.Lock()
	defer c.mu.Unlock()
}
