package faults

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// place is where a cell is in the product: its fault, state, viewer and kind of origin.
type place [4]int

// placeOf is the place of a number.
func placeOf(number int) (p place) {
	for i, of := range []int{len(upstreamKinds), len(viewers), len(states)} {
		p[3-i] = number % of
		number /= of
	}
	p[0] = number
	return p
}

// sides are the two sides of each sort of pairs.
var sides = [6][2]int{{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}}

// pairs are those of two things that have come together in a cell.
type pairs struct {
	of    place // how many there are of each
	seen  [len(sides)][]bool
	count int
	sum   int // of all pairs
}

func newPairs(faults int) *pairs {
	s := &pairs{of: place{faults, len(states), len(viewers), len(upstreamKinds)}}
	for i, side := range sides {
		n := s.of[side[0]] * s.of[side[1]]
		s.seen[i] = make([]bool, n)
		s.sum += n
	}
	return s
}

func (s *pairs) at(i int, p place) *bool {
	return &s.seen[i][p[sides[i][0]]*s.of[sides[i][1]]+p[sides[i][1]]]
}

// fresh is how many pairs of a cell have not been seen.
func (s *pairs) fresh(p place) (n int) {
	for i := range sides {
		if !*s.at(i, p) {
			n++
		}
	}
	return n
}

// add sees the pairs of a cell.
func (s *pairs) add(p place) {
	for i := range sides {
		if seen := s.at(i, p); !*seen {
			*seen = true
			s.count++
		}
	}
}

// covering is the order of all cells of so many faults that a seed stands for. In rounds it
// takes each fault once, in the cell that has most pairs which have not been seen, until all
// pairs have: a fault has len(viewers) viewers, so hardly more rounds are needed. The first
// round leaves out cells for which unmet says that the fault would not be met. What is left of
// the product follows at random.
func covering(faults int, seed uint64, unmet func(place) bool) []int {
	r := rand.New(rand.NewPCG(seed, 3))
	each := len(states) * len(viewers) * len(upstreamKinds)
	order := make([]int, 0, faults*each)
	taken := make([]bool, faults*each)
	seen := newPairs(faults)
	for first := true; seen.count < seen.sum; first = false {
		for _, f := range r.Perm(faults) {
			most, best := 0, -1
			for _, n := range r.Perm(each) {
				p := placeOf(f*each + n)
				if fresh := seen.fresh(p); fresh > most && !(first && unmet(p)) {
					most, best = fresh, f*each+n
				}
			}
			if best < 0 {
				continue
			}
			seen.add(placeOf(best))
			taken[best] = true
			order = append(order, best)
		}
	}
	for _, n := range r.Perm(len(taken)) {
		if !taken[n] {
			order = append(order, n)
		}
	}
	return order
}

// unmetByOrigin: a fault of a body is not met where no body is needed.
func unmetByOrigin(p place) bool {
	f := allFaults[p[0]]
	return f.on == onMedia && f.begin == nil && (states[p[1]].whole || viewers[p[2]].bodiless)
}

// TestCovering holds the order against what it is for. The numbers of pairs are counted here by
// their names, as cells have them.
func TestCovering(t *testing.T) {
	for _, order := range []struct {
		name   string
		faults int
		unmet  func(place) bool
	}{
		{"origin", len(allFaults), unmetByOrigin},
		{"disk", len(diskFaults), func(place) bool { return false }},
	} {
		t.Run(order.name, func(t *testing.T) {
			n, s, v, k := order.faults, len(states), len(viewers), len(upstreamKinds)
			for seed := range uint64(5) {
				numbers := covering(order.faults, seed, order.unmet)
				if !slices.Equal(numbers, covering(order.faults, seed, order.unmet)) {
					t.Fatalf("seed %d: not the same order twice", seed)
				}
				if sorted := slices.Sorted(slices.Values(numbers)); len(sorted) != n*s*v*k || sorted[0] != 0 || sorted[len(sorted)-1] != len(sorted)-1 || len(slices.Compact(sorted)) != len(sorted) {
					t.Fatalf("seed %d: not each cell once", seed)
				}
				met := map[string]bool{}
				together := map[[2]string]bool{}
				all := 0
				for i, number := range numbers {
					c := newCell(t, number)
					fault := allFaults[number/(s*v*k)].name // faults of the disk are as good as these
					if i < n {
						met[fault] = true
						if order.unmet(placeOf(number)) {
							t.Errorf("seed %d: the first cell of a fault does not meet it: %s", seed, c)
						}
					}
					names := []string{"fault " + fault, "state " + c.state.name, "viewer " + c.viewer.name, "kind " + upstreamKinds[c.kind]}
					for a := range names {
						for b := range a {
							together[[2]string{names[b], names[a]}] = true
						}
					}
					if all = i + 1; len(together) == n*(s+v+k)+s*v+s*k+v*k {
						break
					}
				}
				if len(met) != n {
					t.Errorf("seed %d: the first %d cells have %d faults", seed, n, len(met))
				}
				if most := n*v + 15; all > most {
					t.Errorf("seed %d: all pairs take %d cells, not %d", seed, all, most)
				}
				t.Logf("seed %d: all %d pairs in %d cells", seed, len(together), all)
			}
		})
	}
}
