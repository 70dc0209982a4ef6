package cache

// block is memory for one chunk; guarded by Cache.mu, but for the bytes of data
// that a part's watermark covers, which do not change any more, and those beyond
// it, which belong to the part's flight.
type buffer struct {
	data   []byte
	refs   int  // readers that hold a piece of it
	inFill bool // in a fill
}

// memory hands out blocks, all together no more than limit bytes; guarded by
// Cache.mu. Who finds none waits in line, holding nothing that others wait for:
// see flight.takeBlock.
type bufferPool struct {
	limit, used int64
	waiters     []chan struct{} // closed when its owner's turn has come
	spare       []*buffer       // at most maxSpare, for the next who asks
}

// maxSpare is how many blocks are kept that nobody uses. Fresh memory costs a
// first byte some milliseconds, page by page.
const maxSpare = 16

// take takes room for n bytes, or a place in the line for it: then wait is closed
// once the room is the caller's.
func (m *bufferPool) acquire(n int64) (wait chan struct{}) {
	if len(m.waiters) == 0 && m.used+n <= m.limit {
		m.used += n
		return nil
	}
	wait = make(chan struct{})
	m.waiters = append(m.waiters, wait)
	return wait
}

// give returns room for n bytes, which is what everybody in the line wants.
func (m *bufferPool) release(n int64) {
	m.used -= n
	for len(m.waiters) > 0 && m.used+n <= m.limit {
		m.used += n
		close(m.waiters[0])
		m.waiters = m.waiters[1:]
	}
}

// waited reports whether somebody stands in the line.
func (m *bufferPool) hasWaiters() bool { return len(m.waiters) > 0 }

// leave gives up a place in the line, or the room when it has just been given.
func (m *bufferPool) cancelWait(wait chan struct{}, n int64) {
	for i, w := range m.waiters {
		if w == wait {
			m.waiters = append(m.waiters[:i], m.waiters[i+1:]...)
			return
		}
	}
	m.release(n)
}

// block makes a block of room that was taken. Full chunks' memory is used again;
// a lesson's last chunk is a part of one.
func (m *bufferPool) newBuffer(length, chunkSize int64) *buffer {
	var b *buffer
	if n := len(m.spare); n > 0 {
		b, m.spare = m.spare[n-1], m.spare[:n-1]
	} else {
		b = &buffer{data: make([]byte, chunkSize)}
	}
	*b = buffer{data: b.data[:length], inFill: true}
	return b
}

// unlist takes a block out of its fill.
func (m *bufferPool) unlist(b *buffer) {
	b.inFill = false
	m.dropIfUnused(b)
}

// letGo gives a reader's hold back.
func (m *bufferPool) unref(b *buffer) {
	b.refs--
	m.dropIfUnused(b)
}

func (m *bufferPool) dropIfUnused(b *buffer) {
	if b.refs == 0 && !b.inFill {
		b.data = b.data[:cap(b.data)]
		m.release(int64(len(b.data)))
		if len(m.spare) < maxSpare {
			m.spare = append(m.spare, b)
		}
	}
}
