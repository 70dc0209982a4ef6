package corkedconn

import "testing"

func TestSlowConnsShareTheKernelsMemory(t *testing.T) {
	s := &slowConns{budget: 1000 * slowMark}
	members := make([]membership, 5000)
	for i := range members {
		m := &members[i]
		m.of = s
		m.set(true)
		m.set(true) // is one all the same
		if all := int64(s.mark()) * int64(i+1); all > s.budget && s.mark() > newMark {
			t.Fatalf("%d slow connections may leave %d bytes unsent, more than %d", i+1, all, s.budget)
		}
		if i+1 == 1000 && s.mark() != slowMark {
			t.Errorf("a mark of %d for 1000, want %d", s.mark(), slowMark)
		}
	}
	if s.mark() != newMark {
		t.Errorf("a mark of %d for 5000, want %d", s.mark(), newMark)
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
