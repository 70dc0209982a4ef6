package cache

import (
	"slices"
	"time"
)

// buffer is memory for one chunk; guarded by Cache.mu, except for the bytes of
// data: those below a part's watermark never change, and those above it belong to
// the part's fetch.
type buffer struct {
	data []byte
	refs int // the fill, and readers that hold a piece of it
}

// A buffer's memory is not the garbage collector's: the heap would be as large as the most
// that was ever fetched at a time, its next collection due when it has doubled, and memory
// that has been released still the process's. A reference too few is therefore worse than one
// too many.

// bufferPool bounds all buffers together by limit bytes; guarded by Cache.mu.
// Waiters are served first come, first served. A waiter must not hold what another one
// needs, a buffer or one of the few requests that an origin gets at a time, or both wait
// forever: see fetch.acquireBuffer.
type bufferPool struct {
	limit, used int64
	waiters     []chan struct{} // closed when space has been given to the waiter
	spare       []*buffer       // unused; with those in use no more than limit
	idle        int             // the fewest spare ones since the last trim
	closed      bool            // no spare ones are kept
}

// minSpare is how many unused buffers are kept for good, and trimInterval how long those are
// kept that were in use beyond that. Fresh memory costs page faults, which a fast origin's
// stream pays for each chunk.
const (
	minSpare     = 16
	trimInterval = 5 * time.Second
)

// acquire takes space for n bytes. If there is none, wait is closed once the space
// is the caller's.
func (p *bufferPool) acquire(n int64) (wait chan struct{}) {
	if len(p.waiters) == 0 && p.used+n <= p.limit {
		p.used += n
		return nil
	}
	wait = make(chan struct{})
	p.waiters = append(p.waiters, wait)
	return wait
}

// acquireSome takes space for as many of count pieces of n bytes as it can without waiting, and
// returns how many: at most half of what is free, or one, so that others find some too.
func (p *bufferPool) acquireSome(count, n int64) int64 {
	if len(p.waiters) > 0 {
		return 0
	}
	free := (p.limit - p.used) / n
	got := min(count, free, max(1, free/2))
	p.used += got * n
	return got
}

// release returns space for n bytes, which is what each waiter wants.
func (p *bufferPool) release(n int64) {
	p.used -= n
	for len(p.waiters) > 0 && p.used+n <= p.limit {
		p.used += n
		close(p.waiters[0])
		p.waiters = p.waiters[1:]
	}
}

func (p *bufferPool) hasWaiters() bool { return len(p.waiters) > 0 }

// cancelWait ends a wait, or releases the space when it has just been given.
func (p *bufferPool) cancelWait(wait chan struct{}, n int64) {
	if i := slices.Index(p.waiters, wait); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
		return
	}
	p.release(n)
}

// takeSpare returns a spare buffer, or nil. Its space has been acquired.
func (p *bufferPool) takeSpare() *buffer {
	n := len(p.spare)
	if n == 0 {
		return nil
	}
	b := p.spare[n-1]
	p.spare = p.spare[:n-1]
	p.idle = min(p.idle, n-1)
	return b
}

// trim removes the spare buffers that were not used since the last trim, except for minSpare.
// The caller frees them, without the lock.
func (p *bufferPool) trim() (unused []*buffer) {
	n := max(0, p.idle-minSpare)
	unused = slices.Clone(p.spare[:n]) // the last ones are warm
	p.spare = slices.Delete(p.spare, 0, n)
	p.idle = len(p.spare)
	return unused
}

// close removes all spare buffers, and has those that are still in use freed with their last
// reference. The caller frees what is returned.
func (p *bufferPool) close() (unused []*buffer) {
	unused, p.spare, p.closed = p.spare, nil, true
	return unused
}

// freeBuffers returns the memory of buffers that nobody uses to the operating system.
func freeBuffers(unused []*buffer) {
	for _, b := range unused {
		freeMemory(b.data)
	}
}

// trimBuffers trims the pool from time to time until the cache is closed.
func (c *Cache) trimBuffers() {
	tick := time.NewTicker(trimInterval)
	defer tick.Stop()
	for {
		select {
		case <-c.base.Done():
			return
		case <-tick.C:
			c.mu.Lock()
			unused := c.buffers.trim()
			c.mu.Unlock()
			freeBuffers(unused)
		}
	}
}

// closeBuffers closes the pool; c.mu is not held.
func (c *Cache) closeBuffers() {
	c.mu.Lock()
	unused := c.buffers.close()
	c.mu.Unlock()
	freeBuffers(unused)
}

// unref gives up a reference. The last one returns the buffer and its space.
func (p *bufferPool) unref(b *buffer) {
	if b.refs--; b.refs > 0 {
		return
	}
	b.data = b.data[:cap(b.data)]
	p.release(int64(len(b.data)))
	if p.closed {
		freeMemory(b.data)
		return
	}
	p.spare = append(p.spare, b)
}
