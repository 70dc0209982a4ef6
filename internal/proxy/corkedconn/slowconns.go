package corkedconn

import "sync/atomic"

// slowConns is a listener's slow connections, which share the kernel's memory for TCP.
// Beyond what tcp_mem of tcp(7) allows the kernel takes bytes from no connection, and all of
// them stall; so the more of them there are, the smaller is their mark. Safe for concurrent
// use.
type slowConns struct {
	budget int64 // bytes
	n      atomic.Int64
}

// mark returns the mark of each: its share of the budget, in steps, so that a connection more
// does not change those of all others.
func (s *slowConns) mark() int {
	share := s.budget / max(1, s.n.Load())
	switch {
	case share >= slowMark:
		return slowMark
	case share >= slowMark/2:
		return slowMark / 2
	case share >= newMark:
		return newMark
	default:
		return max(leastMark, int(share-share%leastMark))
	}
}

// The states of a membership.
const (
	outside int32 = iota
	inside
	closed
)

// membership is whether a connection is one of the slow ones. The goroutine that sends
// calls set; close may be called from any, and more than once.
type membership struct {
	of    *slowConns
	state atomic.Int32
}

func (m *membership) set(slow bool) {
	switch {
	case slow && m.state.CompareAndSwap(outside, inside):
		m.of.n.Add(1)
	case !slow && m.state.CompareAndSwap(inside, outside):
		m.of.n.Add(-1)
	}
}

func (m *membership) close() {
	if m.state.Swap(closed) == inside {
		m.of.n.Add(-1)
	}
}
