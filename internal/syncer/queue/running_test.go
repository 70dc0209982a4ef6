package queue

import (
	"slices"
	"testing"
	"time"
)

// TestLostEnds: a job counts as lost when the queue has it running here for a while
// and nobody works on it.
func TestLostEnds(t *testing.T) {
	a, now := newRunningJobs(), time.Now()
	a.begin(1, "event")
	if got := a.lostEnds([]int64{1, 2}, now); got != nil {
		t.Errorf("lost at first sight: %v", got)
	}
	now = now.Add(lostEndAfter + time.Second)
	if got := a.lostEnds([]int64{1, 2}, now); !slices.Equal(got, []int64{2}) {
		t.Errorf("lost: %v, want the one nobody works on", got)
	}
	a.end(1)
	if got := a.lostEnds([]int64{1}, now); got != nil {
		t.Errorf("an end is lost before the queue had its time: %v", got)
	}
	if a.lostEnds(nil, now); len(a.suspect) != 0 {
		t.Errorf("remembers jobs that are over: %v", a.suspect)
	}
}
