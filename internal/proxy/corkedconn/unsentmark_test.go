package corkedconn

import (
	"testing"
	"time"
)

func TestUnsentMark(t *testing.T) {
	const (
		ms   = time.Millisecond
		half = fastProof / 2
	)
	type wakeUp struct {
		n                int64
		elapsed, blocked time.Duration
		want             int // the mark afterwards
	}
	first := wakeUp{0, 0, ms, newMark}
	for name, wakeUps := range map[string][]wakeUp{
		"fast once the proof has left":           {first, {half, 7 * ms, 2 * ms, newMark}, {half, 7 * ms, 2 * ms, fastMark}},
		"a burst into the queues of a path":      {first, {half, ms, ms, newMark}, {10_000, 80 * ms, 7 * ms, newMark}, {half, 3000 * ms, 3000 * ms, slowMark}},
		"slow with the first wake-up":            {{0, 0, 126 * ms, slowMark}, {half, 3000 * ms, 3000 * ms, slowMark}},
		"steady at 4 MiB/s":                      {first, {newMark / 2, 31 * ms, 31 * ms, steadyMark}, {steadyMark / 2, 250 * ms, 250 * ms, steadyMark}},
		"steady, and then slow":                  {{0, 0, 31 * ms, steadyMark}, {steadyMark / 2, 1100 * ms, 1100 * ms, slowMark}, {slowMark / 2, 1100 * ms, 1100 * ms, slowMark}},
		"slow, and then steady":                  {{0, 0, time.Second, slowMark}, {slowMark / 2, 400 * ms, 400 * ms, steadyMark}},
		"neither at 20 MiB/s":                    {first, {half, 12 * ms, 6 * ms, newMark}, {half, 12 * ms, 6 * ms, newMark}, {half, 12 * ms, 6 * ms, newMark}},
		"a pause of the sender proves nothing":   {first, {half, 5 * ms, ms, newMark}, {half, time.Minute, ms, newMark}, {half, 5 * ms, ms, newMark}},
		"many small steps":                       {first, {half / 2, 3 * ms, ms, newMark}, {half / 2, 3 * ms, ms, newMark}, {half / 2, 3 * ms, ms, newMark}, {half / 2, 3 * ms, ms, fastMark}},
		"fast stays fast at 20 MiB/s":            {{2 * half, ms, ms, fastMark}, {fastMark / 2, 100 * ms, 100 * ms, fastMark}, {fastMark / 2, 100 * ms, 100 * ms, fastMark}},
		"fast stays fast while the sender rests": {{2 * half, ms, ms, fastMark}, {1000, time.Minute, ms, fastMark}},
		"fast becomes steady by one long wait":   {{2 * half, ms, ms, fastMark}, {fastMark / 2, 126 * ms, 126 * ms, steadyMark}},
		"fast becomes slow by one longer wait":   {{2 * half, ms, ms, fastMark}, {fastMark / 2, 2001 * ms, 2001 * ms, slowMark}},
		"and must prove itself again":            {{2 * half, ms, ms, fastMark}, {fastMark, 3 * time.Second, 3 * time.Second, slowMark}, {half, ms, ms, slowMark}, {half, ms, ms, fastMark}},
		"nothing before a long wait counts":      {first, {half, ms, ms, newMark}, {1, time.Second, time.Second, slowMark}, {half, ms, ms, slowMark}},
		"slow stays slow at 1 Mbit/s":            {{0, 0, time.Second, slowMark}, {slowMark / 2, 4 * time.Second, 4 * time.Second, slowMark}, {slowMark / 2, 4 * time.Second, 30 * ms, slowMark}},
	} {
		var m unsentMark
		mark := newMark
		for i, w := range wakeUps {
			m.observe(w.n, w.elapsed, w.blocked, mark)
			if mark = m.bytes(steadyMark); mark != w.want {
				t.Errorf("%s: a mark of %d after wake-up %d, want %d", name, mark, i+1, w.want)
			}
		}
	}
}
