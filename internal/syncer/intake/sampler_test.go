package intake

import (
	"testing"
	"time"
)

// TestSampler: a flood of refusals leaves a burst of lines, then one a second that says
// how many were left out.
func TestSampler(t *testing.T) {
	s, now := newSampler(), time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	lines := 0
	for range 1000 {
		if _, logged := s.next(now); logged {
			lines++
		}
	}
	if lines != refusalBurst {
		t.Errorf("%d lines of a flood, want %d", lines, refusalBurst)
	}
	if omitted, logged := s.next(now.Add(time.Second)); !logged || omitted != 1000-refusalBurst {
		t.Errorf("a second later: %v, %d left out", logged, omitted)
	}
	if omitted, logged := s.next(now.Add(2 * time.Second)); !logged || omitted != 0 {
		t.Errorf("another second later: %v, %d left out", logged, omitted)
	}
}
