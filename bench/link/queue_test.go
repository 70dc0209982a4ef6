package link

import (
	"testing"
	"time"
)

// TestQueue: packets leave one after the other at the rate, arrive after the delay, and are
// dropped where they would wait for longer than the buffer holds.
func TestQueue(t *testing.T) {
	const packet = 1250 // 10,000 bits: 1 ms
	start := time.Unix(1000, 0)
	q := newQueue(Shape{Delay: 20 * time.Millisecond, Rate: 10_000_000, Queue: 3 * time.Millisecond}, 0)
	for i, want := range []time.Duration{21, 22, 23, 24, 0, 0} {
		at, ok := q.admit(start, packet)
		if ok != (want > 0) || ok && at.Sub(start) != want*time.Millisecond {
			t.Errorf("packet %d: %v, %v", i, at.Sub(start), ok)
		}
	}
	if at, ok := q.admit(start.Add(time.Second), packet); !ok || at.Sub(start) != time.Second+21*time.Millisecond {
		t.Errorf("after a pause: %v, %v", at.Sub(start), ok)
	}
	q = newQueue(Shape{Delay: time.Millisecond}, 0)
	for range 1000 {
		if at, ok := q.admit(start, packet); !ok || at.Sub(start) != time.Millisecond {
			t.Fatalf("without a limit: %v, %v", at.Sub(start), ok)
		}
	}
}

// TestQueueLoses: the share of packets that are lost, the same ones each time.
func TestQueueLoses(t *testing.T) {
	lost := func(seed, direction uint64) (n int, pattern []bool) {
		q := newQueue(Shape{Loss: 0.01, Seed: seed}, direction)
		for range 100_000 {
			_, ok := q.admit(time.Unix(0, 0), 1500)
			if pattern = append(pattern, ok); !ok {
				n++
			}
		}
		return n, pattern
	}
	n, first := lost(1, 0)
	if n < 900 || n > 1100 {
		t.Errorf("%d of 100,000 were lost", n)
	}
	_, again := lost(1, 0)
	_, back := lost(1, 1)
	same, differs := true, false
	for i := range first {
		same = same && first[i] == again[i]
		differs = differs || first[i] != back[i]
	}
	if !same || !differs {
		t.Errorf("the same seed gives the same losses: %v; the other direction has others: %v", same, differs)
	}
}
