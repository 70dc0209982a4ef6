package cache

import (
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/cache/eviction"
)

// A viewer never waits for the disk: its bytes go from memory as they arrive, and
// complete chunks are written behind by a few writers. What finds the queue full, or
// holds memory that a fetch waits for, passes through.

const (
	// maxWriters is how many chunks are written at a time. More of them take the
	// processors from the viewers, whose bytes the kernel copies as well.
	maxWriters = 2
	// stuckAfter is how long one operation of a writer may take before a full queue, or one
	// that gave memory to fetches, counts as a slip of the disk. A disk that is slower than
	// the origin fills the queue too, and is healthy.
	stuckAfter = 5 * time.Second
)

// queuedWrite is a complete chunk that waits for a writer, or is being written. It
// holds a reference of its fill, so the buffer stays.
type queuedWrite struct {
	fill     *fill
	identity string
	arrival  eviction.Arrival
	clock    *ioClock // of its writer; set once the write begins
	sums     []*chunkfile.Run
	keep     bool // nobody watches; what it was read for is that it is stored
}

// writeQueue holds complete chunks until they are written; guarded by Cache.mu.
type writeQueue struct {
	limit   int            // chunks that wait: three quarters of the cache's memory; see hasPlace
	waiting []*queuedWrite // the oldest first
	writing []*queuedWrite // each by a goroutine of its own; at most maxWriters
	dropped bool           // chunks were dropped for their memory since a writer was last looked at
	closed  bool           // nothing more is written: the cache is being closed
	room    chan struct{}  // closed when a chunk leaves the queue; nil when nobody waits for that
}

func newWriteQueue(memory, chunkSize int64) writeQueue {
	return writeQueue{limit: int(memory / 4 * 3 / chunkSize)}
}

// nextRoom is closed when a chunk leaves the queue.
func (q *writeQueue) nextRoom() <-chan struct{} {
	if q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room
}

// broadcast wakes the fetches that wait for a place.
func (q *writeQueue) broadcast() {
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// enqueue queues a chunk for writing, and starts a writer where fewer than
// maxWriters run. It reports false when the queue is full. c.mu is held.
func (c *Cache) enqueue(w *queuedWrite) bool {
	if !c.hasPlace(w) {
		return false
	}
	q := &c.writes
	w.fill.refs++
	q.waiting = append(q.waiting, w)
	if len(q.writing) < maxWriters {
		first := c.startWrite(new(ioClock))
		c.running.Go(func() { c.writeBehind(first) })
	}
	return true
}

// hasPlace reports whether a chunk may wait for a writer. One that several readers waited
// for may as long as no fetch waits for memory: others of the crowd, who are behind, would
// fetch it again. c.mu is held.
func (c *Cache) hasPlace(w *queuedWrite) bool {
	n, limit := len(c.writes.waiting), c.writes.limit
	switch {
	case c.writes.closed:
		return false
	case w.keep:
		return n < max(1, limit/2) // the rest is the viewers'
	case w.arrival.Shared:
		return n < limit || !c.buffers.hasWaiters()
	default:
		return n < limit
	}
}

// startWrite takes the oldest chunk out of the queue, which is not empty, for the writer
// whose clock it gets; c.mu is held.
func (c *Cache) startWrite(clock *ioClock) *queuedWrite {
	q := &c.writes
	w := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.broadcast()
	w.clock, w.sums = clock, w.fill.sums()
	q.writing = append(q.writing, w)
	return w
}

// writeBehind is a writer: it writes one chunk after the other until none waits.
func (c *Cache) writeBehind(w *queuedWrite) {
	thread := c.startBackground(w.clock)
	defer thread.stop()
	for w != nil {
		c.write(w, thread)
		w = c.nextWrite(w)
	}
}

// nextWrite ends a write, and starts the next one unless the queue is empty. c.mu is
// not held.
func (c *Cache) nextWrite(done *queuedWrite) *queuedWrite {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.writes
	q.writing = slices.DeleteFunc(q.writing, func(w *queuedWrite) bool { return w == done })
	if len(q.waiting) == 0 {
		return nil
	}
	return c.startWrite(done.clock)
}

// writersStuck reports whether an operation of a writer has been under way for too long.
// Clocks read files of the kernel: c.mu is not held.
func (c *Cache) writersStuck() bool {
	return slices.ContainsFunc(c.writersClocks(), func(k *ioClock) bool { return k.longer(stuckAfter) })
}

func (c *Cache) writersClocks() (clocks []*ioClock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.writes.writing {
		clocks = append(clocks, w.clock)
	}
	return clocks
}

// dropPassedWrites gives fetches that wait for memory the buffers of chunks that wait
// for a writer and that all their readers have passed. The write of one that a reader
// has yet to read releases its buffer, and dropping it would not: it stays queued. A
// crowd's chunks go last. c.mu is held.
func (c *Cache) dropPassedWrites() {
	c.dropPassed(false)
	c.dropPassed(true)
}

// dropPassed looks at the batchSize oldest that are shared or are not; c.mu is held.
func (c *Cache) dropPassed(shared bool) {
	q := &c.writes
	looks := 0
	for i := 0; i < len(q.waiting) && looks < batchSize && c.buffers.hasWaiters(); {
		w := q.waiting[i]
		if w.keep || w.arrival.Shared != shared {
			i++
			continue
		}
		looks++
		if !w.fill.passed() {
			i++
			continue
		}
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.dropped = true
		q.broadcast()
		c.dropWrite(w, passNoMemory)
	}
}

// dropWrite lets a chunk that has left the queue pass through; c.mu is held.
func (c *Cache) dropWrite(w *queuedWrite, why passReason) {
	c.passThrough(w.fill, why)
	c.unrefFill(w.fill)
}

// dropWrites empties the queue when the disk is bypassed or the cache is being closed, a
// batch in each hold of the lock, and returns how many chunks it has dropped; c.mu is not
// held. Writes that are under way end by themselves.
func (c *Cache) dropWrites() (dropped int) {
	for {
		n, more := c.dropWriteBatch()
		if dropped += n; !more {
			return dropped
		}
	}
}

// dropWriteBatch reports whether there is more to drop.
func (c *Cache) dropWriteBatch() (dropped int, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, why := &c.writes, passDiskFault
	switch {
	case q.closed:
		why = passDiskBusy
	case c.health.state.writable():
		return 0, false
	}
	dropped = min(len(q.waiting), batchSize)
	for _, w := range q.waiting[:dropped] {
		c.dropWrite(w, why)
	}
	q.waiting = q.waiting[dropped:]
	q.broadcast()
	return dropped, len(q.waiting) > 0
}
