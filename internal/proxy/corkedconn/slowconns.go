package corkedconn

import (
	"sync/atomic"
	"time"
)

// slowConns is a listener's slow and steady connections, and those whose send is blocked, which share the kernel's memory for TCP.
// Beyond what tcp_mem of tcp(7) allows the kernel takes bytes from no connection, and all of
// them stall; so the more of them there are, the smaller is their mark. Other programs, and
// clients on the same machine, use that memory as well: where it is short all the same, the marks
// shrink until it is not. Safe for concurrent use.
type slowConns struct {
	memory tcpMemory
	n      atomic.Int64
	budget atomic.Int64 // bytes that all together may leave unsent
	began  time.Time
	next   atomic.Int64 // when the memory is looked at next, in nanoseconds since began
}

// tcpMemory is the kernel's memory for TCP.
type tcpMemory struct {
	// bound is how many bytes all connections of the machine may use without the kernel being short
	// of memory; 0 = unknown.
	bound int64
	// group is how many bytes the control group of the process may use for everything; 0 = unknown
	// or unbounded. As a unit's MemoryMax it counts sockets, and what files of the process are in
	// the page cache.
	group int64
	// used says how many bytes they use; false where that is unknown.
	used func() (bytes int64, known bool)
}

// newSlowConns returns the slow connections of a listener, none so far.
func newSlowConns(m tcpMemory) *slowConns {
	s := &slowConns{memory: m, began: time.Now()}
	s.budget.Store(s.mostBudget())
	return s
}

// mostBudget is half of the bound. The rest is for what is in flight, for fast connections and for
// other programs; clients on the same machine keep as much unread. Of what the process may use it is
// a quarter, beside the heap, the memory of fetches, and the chunks that are being sent.
func (s *slowConns) mostBudget() int64 {
	most := s.memory.bound / 2
	if s.memory.group > 0 {
		most = min(most, s.memory.group/4)
	}
	return most
}

// The memory is looked at every lookEvery, and after a cut when that has had its effect: a slow
// connection has its new mark when it goes on, which at 1 Mbit/s takes four seconds with slowMark
// and less where there are many.
const (
	lookEvery = time.Second
	cutEvery  = 4 * time.Second
)

// look adjusts the budget, when the time has come. Once TCP has been short of memory the kernel drops
// what arrives, and what is sent again takes more memory, until all use less than the bound: the
// budget falls faster than it rises. It rises only while a quarter is free, so that it does not swing.
func (s *slowConns) look(now time.Time) {
	at := int64(now.Sub(s.began))
	due := s.next.Load()
	if s.memory.bound <= 0 || at < due || !s.next.CompareAndSwap(due, at+int64(lookEvery)) {
		return
	}
	used, known := s.memory.used()
	budget := s.budget.Load()
	switch {
	case !known:
	case used > s.memory.bound:
		s.budget.Store(budget / 2)
		s.next.Store(at + int64(cutEvery))
	case used < s.memory.bound/4*3:
		s.budget.Store(min(s.mostBudget(), budget+s.mostBudget()/16))
	}
}

// mark returns the mark of each: its share of the budget, in steps, so that a connection more
// does not change those of all others.
func (s *slowConns) mark() int {
	if s.memory.bound <= 0 {
		return newMark
	}
	share := s.budget.Load() / max(1, s.n.Load())
	switch {
	case share >= steadyMark:
		return steadyMark
	case share >= steadyMark/2:
		return steadyMark / 2
	case share >= steadyMark/4:
		return steadyMark / 4
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
