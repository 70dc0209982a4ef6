package cache

import "slices"

// buffer is memory for one chunk; guarded by Cache.mu, except for the bytes of
// data: those below a part's watermark never change, and those above it belong to
// the part's fetch.
type buffer struct {
	data []byte
	refs int // the fill, and readers that hold a piece of it
}

// bufferPool bounds all buffers together by limit bytes; guarded by Cache.mu.
// Waiters are served first come, first served. A waiter must not hold a buffer that
// another waiter needs, or both wait forever: see fetch.acquireBuffer.
type bufferPool struct {
	limit, used int64
	waiters     []chan struct{} // closed when space has been given to the waiter
	spare       []*buffer       // at most maxSpare
}

// maxSpare is how many unused buffers are kept. Fresh memory costs a first byte
// some milliseconds of page faults.
const maxSpare = 16

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
	return b
}

// unref gives up a reference. The last one returns the buffer and its space.
func (p *bufferPool) unref(b *buffer) {
	if b.refs--; b.refs > 0 {
		return
	}
	b.data = b.data[:cap(b.data)]
	p.release(int64(len(b.data)))
	if len(p.spare) < maxSpare {
		p.spare = append(p.spare, b)
	}
}
