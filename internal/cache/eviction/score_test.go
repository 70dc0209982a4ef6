package eviction

import (
	"testing"

	"pgregory.net/rapid"
)

// TestModel: a victim is always resident and not busy, and one is found as long as
// there is one.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		groups := map[ID]uint32{}
		w := New(rapid.IntRange(0, 100).Draw(rt, "capacity"), func(id ID) uint32 { return groups[id] })
		resident, busy := map[ID]bool{}, map[ID]bool{}
		for range rapid.IntRange(1, 300).Draw(rt, "steps") {
			id := ID(rapid.OneOf(rapid.Uint32Range(1, 60), rapid.Uint32Range(1, 3*pageSize)).Draw(rt, "id"))
			switch {
			case !resident[id]:
				groups[id] = rapid.Uint32Range(1, 5).Draw(rt, "group")
				w.Admit(id, Arrival{Edge: rapid.Bool().Draw(rt, "edge"), Shared: rapid.Bool().Draw(rt, "crowd")})
				resident[id] = true
			case rapid.Bool().Draw(rt, "touch"):
				w.Touch(id)
			case rapid.Bool().Draw(rt, "busy"):
				busy[id] = !busy[id]
			default:
				w.Remove(id)
				delete(resident, id)
				delete(busy, id)
			}
			free := 0
			for id := range resident {
				if !busy[id] {
					free++
				}
			}
			victim := w.Victim(func(id ID) bool { return busy[id] })
			if (victim != 0) != (free > 0) || victim != 0 && (!resident[victim] || busy[victim]) {
				rt.Fatalf("victim %d, resident %v, busy %v; %d could go", victim, resident[victim], busy[victim], free)
			}
		}
		if w.resident != len(resident) {
			rt.Fatalf("counts %d, %d are resident", w.resident, len(resident))
		}
	})
}

// TestWants: a first use is not enough, unless something else says that there will be more.
func TestWants(t *testing.T) {
	const watched, once = 1, 2
	w := New(100, func(id ID) uint32 { return uint32(id) })
	w.Admit(watched, Arrival{Edge: true})
	w.Admit(once, Arrival{Edge: true})
	w.Touch(watched)
	w.Touch(watched)
	for _, c := range []struct {
		what    string
		group   uint32
		name    uint64
		arrival Arrival
		want    bool
	}{
		{"a first use", 3, 7 << 32, Arrival{}, false},
		{"a second use", 3, 7 << 32, Arrival{}, true},
		{"a first use of another chunk", 3, 8 << 32, Arrival{}, false},
		{"a head or tail", 3, 9 << 32, Arrival{Edge: true}, true},
		{"several readers", 3, 10 << 32, Arrival{Shared: true}, true},
		{"of an object that is watched", watched, 11 << 32, Arrival{}, true},
		{"of an object that was opened once", once, 12 << 32, Arrival{}, false},
	} {
		if got := w.Wants(c.group, c.name, c.arrival); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// TestGhosts: a chunk is remembered while few others come into its bucket.
func TestGhosts(t *testing.T) {
	g := newGhosts(1)
	for name := range uint64(ghostWays) {
		if g.seen(name << 33) {
			t.Errorf("chunk %d was seen before its first use", name)
		}
	}
	if !g.seen(0) {
		t.Error("the oldest of a bucket is forgotten too early")
	}
	g.seen(ghostWays << 33) // takes the place of 1, the oldest now
	for name, want := range []bool{true, false} {
		if got := g.seen(uint64(name) << 33); got != want {
			t.Errorf("chunk %d is remembered: %v, want %v", name, got, want)
		}
	}
}

// TestCrawlKeepsWatchedLesson: a lesson that is watched stays while twenty times the
// cache's capacity is fetched once.
func TestCrawlKeepsWatchedLesson(t *testing.T) {
	const capacity, lesson = 1000, 400
	groups := make([]uint32, 2*capacity)
	w := New(capacity, func(id ID) uint32 { return groups[id] })
	var free []ID
	for id := ID(1); id <= capacity; id++ {
		free = append(free, id)
	}
	there := map[ID]bool{}
	for id := ID(1); id <= lesson; id++ {
		groups[free[0]] = 1
		w.Admit(free[0], Arrival{})
		there[free[0]] = true
		free = free[1:]
	}
	lost := 0
	for i := range 20 * capacity {
		if len(free) == 0 {
			v := w.Victim(func(ID) bool { return false })
			if there[v] {
				lost++
				delete(there, v)
			}
			w.Remove(v)
			free = append(free, v)
		}
		groups[free[0]] = uint32(2 + i/300)
		w.Admit(free[0], Arrival{})
		free = free[1:]
		if id := ID(i%lesson + 1); i%3 == 0 && there[id] {
			w.Touch(id)
		}
	}
	if lost > lesson/50 {
		t.Errorf("%d of the lesson's %d chunks were lost to the crawl", lost, lesson)
	}
}

func BenchmarkVictim(b *testing.B) {
	const chunks = 1_000_000
	w := New(chunks, func(id ID) uint32 { return uint32(id) / 1000 })
	for id := ID(1); id <= chunks; id++ {
		w.Admit(id, Arrival{})
	}
	for b.Loop() {
		id := w.Victim(func(ID) bool { return false })
		w.Remove(id)
		w.Admit(id, Arrival{})
	}
}
