package corkedconn

import (
	"testing"
	"time"
)

func TestSlowConnsShareTheKernelsMemory(t *testing.T) {
	s := newSlowConns(tcpMemory{bound: 2000 * steadyMark})
	members := make([]membership, 10_000)
	for i := range members {
		m := &members[i]
		m.of = s
		m.set(true)
		m.set(true) // is one all the same
		if all := int64(s.mark()) * int64(i+1); all > s.budget.Load() {
			t.Fatalf("%d slow connections may leave %d bytes unsent, more than %d", i+1, all, s.budget.Load())
		}
		if want, ok := map[int]int{1000: steadyMark, 1001: steadyMark / 2, 4000: steadyMark / 4, 4001: newMark, 8000: newMark, 10_000: 6 * leastMark}[i+1]; ok && s.mark() != want {
			t.Errorf("a mark of %d for %d, want %d", s.mark(), i+1, want)
		}
	}
	s.budget.Store(0)
	if s.mark() != leastMark {
		t.Errorf("a mark of %d where there is no memory, want %d", s.mark(), leastMark)
	}
	for i := range members {
		m := &members[i]
		if i%2 == 0 {
			m.set(false)
			m.set(false)
		}
		m.close()
		m.close()
		m.set(true) // comes too late
	}
	if n := s.n.Load(); n != 0 {
		t.Errorf("%d slow connections are left", n)
	}
}

// TestMarksShrinkWhereMemoryIsShort: whatever else uses the kernel's memory for TCP, the slow
// connections leave it within seconds, and take it again when there is some.
func TestMarksShrinkWhereMemoryIsShort(t *testing.T) {
	const bound = 2000 * steadyMark
	others, known := int64(0), true
	s := newSlowConns(tcpMemory{bound: bound})
	s.memory.used = func() (int64, bool) { return others + s.n.Load()*int64(s.mark()), known }
	s.n.Store(1000)
	now := time.Now()
	after := func(d time.Duration) int {
		for end := now.Add(d); now.Before(end); now = now.Add(lookEvery / 4) {
			s.look(now)
		}
		return s.mark()
	}
	if mark := after(time.Minute); mark != steadyMark {
		t.Errorf("a mark of %d where half of the memory is free, want %d", mark, steadyMark)
	}
	others = bound - 100*steadyMark
	if mark := after(5 * cutEvery); 1000*mark > 100*steadyMark {
		t.Errorf("a mark of %d where others leave %d for 1000", mark, 100*steadyMark)
	}
	known = false
	mark := s.mark()
	others = 0
	if again := after(time.Minute); again != mark {
		t.Errorf("a mark of %d and then %d while nothing is known", mark, again)
	}
	known = true
	if mark := after(20 * time.Second); mark < steadyMark/2 {
		t.Errorf("a mark of %d when others have gone, want at least %d", mark, steadyMark/2)
	}
	others = 2 * bound
	if mark := after(2 * time.Minute); mark != leastMark {
		t.Errorf("a mark of %d where others use all, want %d", mark, leastMark)
	}
	s.n.Store(1)
	if mark := after(time.Minute); mark != leastMark {
		t.Errorf("a mark of %d for one while others use all, want %d", mark, leastMark)
	}
}

// TestMarksInAControlGroup: a unit's limit bounds what lies unsent where it is less than the
// kernel's, and what other programs use of the kernel's still counts.
func TestMarksInAControlGroup(t *testing.T) {
	const bound = 2000 * steadyMark
	others := int64(0)
	s := newSlowConns(tcpMemory{bound: bound, group: 400 * steadyMark, used: func() (int64, bool) { return others, true }})
	s.n.Store(100)
	if s.mark() != steadyMark {
		t.Errorf("a mark of %d for 100, want %d", s.mark(), steadyMark)
	}
	now := time.Now()
	for range 100 {
		now = now.Add(lookEvery)
		s.look(now)
	}
	s.n.Store(101)
	if s.mark() != steadyMark/2 {
		t.Errorf("a mark of %d for 101, want %d", s.mark(), steadyMark/2)
	}
	others = bound + 1
	for range 100 {
		now = now.Add(lookEvery)
		s.look(now)
	}
	if s.mark() != leastMark {
		t.Errorf("a mark of %d where others use all, want %d", s.mark(), leastMark)
	}
	if s = newSlowConns(tcpMemory{bound: bound, group: 1 << 50}); s.budget.Load() != bound/2 {
		t.Errorf("a budget of %d of a large group, want %d", s.budget.Load(), bound/2)
	}
}

// TestMarksWhereNothingIsKnown: without a bound each has what a new one has.
func TestMarksWhereNothingIsKnown(t *testing.T) {
	s := newSlowConns(tcpMemory{used: func() (int64, bool) { return 1 << 60, true }})
	s.n.Store(10_000)
	for now := time.Now(); now.Before(s.began.Add(time.Minute)); now = now.Add(lookEvery) {
		s.look(now)
	}
	if s.mark() != newMark {
		t.Errorf("a mark of %d, want %d", s.mark(), newMark)
	}
}
