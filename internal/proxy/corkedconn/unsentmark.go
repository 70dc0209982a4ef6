package corkedconn

import "time"

// A stream's unsent bytes are those that the kernel has accepted and not yet put on the
// wire: behind the ones in flight, which the client's window and the path bound. The
// unsent mark bounds them, as TCP_NOTSENT_LOWAT of tcp(7): a send blocks at the mark, and
// goes on when half of it has left. Without a mark the send buffer of a client that reads
// 1 Mbit/s grows like that of a fast one, to megabytes each.
const (
	// startMark is a new connection's: six seconds of a lesson at 1 Mbit/s, so that a slow
	// viewer's stream is refilled every three seconds.
	startMark = 768 << 10
	// fastMark is that of a connection that empties a whole startMark in milliseconds. There
	// a small mark makes the stream a staircase of wake-ups. It is as much as Linux lets a
	// send buffer grow to by default (tcp_wmem), and what such a client leaves unsent, once,
	// when it stops reading.
	fastMark = 4 << 20
	// fastWithin is how soon startMark has to be gone: at 64 MiB/s or more.
	fastWithin = 12 * time.Millisecond
	// slowAfter is how long a fast connection may block before it counts as slow: half of
	// fastMark leaves within it at 16 MiB/s or more.
	slowAfter = 125 * time.Millisecond
)

// unsentMark decides which mark a connection has. The zero value is a new connection's.
// It is not safe for concurrent use.
type unsentMark struct {
	fast    bool
	drained int64         // bytes that left since the measurement began
	elapsed time.Duration // the time that they took
}

// bytes returns the mark.
func (m *unsentMark) bytes() int {
	if m.fast {
		return fastMark
	}
	return startMark
}

// observe is called when a send that had blocked goes on, before it sends more. n bytes
// were accepted since the one before went on; as half a mark was unsent both times, as many
// have left. elapsed is the time between the two, and blocked how long this one waited. It
// reports whether the mark has changed.
func (m *unsentMark) observe(n int64, elapsed, blocked time.Duration) (changed bool) {
	was := m.fast
	m.drained += n
	m.elapsed += elapsed
	switch {
	case blocked > slowAfter:
		m.fast = false
	case m.elapsed > fastWithin:
	case m.drained < startMark:
		return false // too few to tell: the queues on the path take as many at once
	default:
		m.fast = true
	}
	m.drained, m.elapsed = 0, 0
	return m.fast != was
}
