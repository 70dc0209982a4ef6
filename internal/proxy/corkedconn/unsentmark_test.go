package corkedconn

import (
	"testing"
	"time"
)

func TestUnsentMark(t *testing.T) {
	const ms = time.Millisecond
	type wakeUp struct {
		n                int64
		elapsed, blocked time.Duration
		fast             bool // afterwards
	}
	half := int64(startMark / 2)
	for name, wakeUps := range map[string][]wakeUp{
		"proves fast with a whole mark":             {{half, 5 * ms, 2 * ms, false}, {half, 5 * ms, 2 * ms, true}},
		"a burst into the queues of a path":         {{half, ms, ms, false}, {10_000, 80 * ms, 80 * ms, false}, {half, 3000 * ms, 3000 * ms, false}},
		"at 1 Mbit/s":                               {{half, 3000 * ms, 3000 * ms, false}, {half, 3000 * ms, 3000 * ms, false}},
		"at 32 MiB/s":                               {{half, 12 * ms, 11 * ms, false}, {half, 12 * ms, 11 * ms, false}},
		"a pause of the sender proves nothing":      {{half, 5 * ms, ms, false}, {half, time.Minute, ms, false}, {half, 5 * ms, ms, false}},
		"many small steps":                          {{half / 2, 3 * ms, ms, false}, {half / 2, 3 * ms, ms, false}, {half / 2, 3 * ms, ms, false}, {half / 2, 3 * ms, ms, true}},
		"fast stays fast at 20 MiB/s":               {{2 * half, ms, ms, true}, {fastMark / 2, 100 * ms, 100 * ms, true}, {fastMark / 2, 100 * ms, 100 * ms, true}},
		"fast stays fast while the sender pauses":   {{2 * half, ms, ms, true}, {1000, time.Minute, ms, true}},
		"fast falls back after one long wait":       {{2 * half, ms, ms, true}, {fastMark / 2, 126 * ms, 126 * ms, false}},
		"and must prove itself again":               {{2 * half, ms, ms, true}, {fastMark, time.Second, time.Second, false}, {half, ms, ms, false}, {half, ms, ms, true}},
		"what came before a long wait counts not":   {{half, ms, ms, false}, {1, time.Second, time.Second, false}, {half, ms, ms, false}},
		"what a fast one drained counts not either": {{2 * half, ms, ms, true}, {10 * half, ms, ms, true}, {1, time.Second, time.Second, false}, {half, ms, ms, false}},
	} {
		var m unsentMark
		for i, w := range wakeUps {
			was := m.bytes()
			changed := m.observe(w.n, w.elapsed, w.blocked)
			want := startMark
			if w.fast {
				want = fastMark
			}
			if m.bytes() != want {
				t.Errorf("%s: a mark of %d after wake-up %d, want %d", name, m.bytes(), i+1, want)
			}
			if changed != (m.bytes() != was) {
				t.Errorf("%s: wake-up %d: changed is %t", name, i+1, changed)
			}
		}
	}
}
