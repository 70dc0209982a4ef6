package cache

// block is memory for one chunk; guarded by Cache.mu, but for the bytes of data
// that a part's watermark covers, which do not change any more, and those beyond
// it, which belong to the part's flight.
type block struct {
	data   []byte
	refs   int  // readers that hold a piece of it
	listed bool // in a fill
}

// memory hands out blocks, all together no more than limit bytes; guarded by
// Cache.mu. Who finds none waits in line, holding nothing that others wait for:
// see flight.takeBlock.
type memory struct {
	limit, used int64
	line        []chan struct{} // closed when its owner's turn has come
	spare       []*block        // at most maxSpare, for the next who asks
}

// maxSpare is how many blocks are kept that nobody uses. Fresh memory costs a
// first byte some milliseconds, page by page.
const maxSpare = 16

// take takes room for n bytes, or a place in the line for it: then wait is closed
// once the room is the caller's.
func (m *memory) take(n int64) (wait chan struct{}) {
	if len(m.line) == 0 && m.used+n <= m.limit {
		m.used += n
		return nil
	}
	wait = make(chan struct{})
	m.line = append(m.line, wait)
	return wait
}

// give returns room for n bytes, which is what everybody in the line wants.
func (m *memory) give(n int64) {
	m.used -= n
	for len(m.line) > 0 && m.used+n <= m.limit {
		m.used += n
		close(m.line[0])
		m.line = m.line[1:]
	}
}

// waited reports whether somebody stands in the line.
func (m *memory) waited() bool { return len(m.line) > 0 }

// leave gives up a place in the line, or the room when it has just been given.
func (m *memory) leave(wait chan struct{}, n int64) {
	for i, w := range m.line {
		if w == wait {
			m.line = append(m.line[:i], m.line[i+1:]...)
			return
		}
	}
	m.give(n)
}

// block makes a block of room that was taken. Full chunks' memory is used again;
// a lesson's last chunk is a part of one.
func (m *memory) block(length, chunkSize int64) *block {
	var b *block
	if n := len(m.spare); n > 0 {
		b, m.spare = m.spare[n-1], m.spare[:n-1]
	} else {
		b = &block{data: make([]byte, chunkSize)}
	}
	*b = block{data: b.data[:length], listed: true}
	return b
}

// unlist takes a block out of its fill.
func (m *memory) unlist(b *block) {
	b.listed = false
	m.settle(b)
}

// letGo gives a reader's hold back.
func (m *memory) letGo(b *block) {
	b.refs--
	m.settle(b)
}

func (m *memory) settle(b *block) {
	if b.refs == 0 && !b.listed {
		b.data = b.data[:cap(b.data)]
		m.give(int64(len(b.data)))
		if len(m.spare) < maxSpare {
			m.spare = append(m.spare, b)
		}
	}
}
