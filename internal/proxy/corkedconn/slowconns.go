package corkedconn

import (
	"sync/atomic"
	"time"
)

// slowConns is a listener's slow connections, and those whose send is blocked, which share the kernel's memory for TCP.
// Beyond what tcp_mem of tcp(7) allows the kernel takes bytes from no connection, and all of
// them stall; so the more of them there are, the smaller is their mark. Other programs, and
// clients on the same machine, use that memory as well: where it is short all the same, the marks
// shrink until it is not. Safe for concurrent use.
type slowConns struct {
	memory tcpMemory
	n      atomic.Int64
	budget atomic.Int64 // bytes that all together may leave unsent
	looked atomic.Int64 // when the memory was looked at last, in nanoseconds since 1970
}

// tcpMemory is the kernel's memory for TCP.
type tcpMemory struct {
	// bound is how many bytes all connections of the machine may use without the kernel being short
	// of memory; 0 = unknown.
	bound int64
	// used says how many bytes they use; false where that is unknown.
	used func() (bytes int64, known bool)
}

// newSlowConns returns the slow connections of a listener, none so far.
func newSlowConns(m tcpMemory) *slowConns {
	s := &slowConns{memory: m}
	s.budget.Store(s.mostBudget())
	return s
}

// mostBudget is half of the bound. The rest is for what is in flight, for fast connections and for
// other programs; clients on the same machine keep as much unread.
func (s *slowConns) mostBudget() int64 { return s.memory.bound / 2 }

// lookEvery is how often the memory is looked at: a slow connection goes on about once a second,
// and has its new mark then.
const lookEvery = time.Second

// look adjusts the budget, when the time has come. Once TCP has been short of memory the kernel drops
// what arrives, and what is sent again takes more memory, until all use less than the bound: the
// budget falls faster than it rises.
func (s *slowConns) look(now time.Time) {
	before := s.looked.Load()
	if now.UnixNano()-before < int64(lookEvery) || !s.looked.CompareAndSwap(before, now.UnixNano()) {
		return
	}
	used, known := s.memory.used()
	budget := s.budget.Load()
	switch {
	case !known:
	case used > s.memory.bound:
		s.budget.Store(max(s.n.Load()*leastMark, budget/2))
	case used < s.memory.bound/4*3:
		s.budget.Store(min(s.mostBudget(), budget+s.mostBudget()/16))
	}
}

// mark returns the mark of each: its share of the budget, in steps, so that a connection more
// does not change those of all others.
func (s *slowConns) mark() int {
	share := s.budget.Load() / max(1, s.n.Load())
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

// membership is whether a connection is one of them. The goroutine that sends
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
