package corkedconn

import "testing"

func TestSlowConnsShareTheKernelsMemory(t *testing.T) {
	s := &slowConns{budget: 1000 * slowMark}
	members := make([]membership, 10_000)
	for i := range members {
		m := &members[i]
		m.of = s
		m.set(true)
		m.set(true) // is one all the same
		if all := int64(s.mark()) * int64(i+1); all > s.budget {
			t.Fatalf("%d slow connections may leave %d bytes unsent, more than %d", i+1, all, s.budget)
		}
		if want, ok := map[int]int{1000: slowMark, 1001: slowMark / 2, 4000: newMark, 5000: 6 * leastMark, 10_000: 3 * leastMark}[i+1]; ok && s.mark() != want {
			t.Errorf("a mark of %d for %d, want %d", s.mark(), i+1, want)
		}
	}
	s.budget = 0
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
