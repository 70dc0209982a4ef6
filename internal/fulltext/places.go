package fulltext

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// MaxCues is how many cues a place may have: a cue and its two neighbours.
const MaxCues = 3

// Place is a run of cues in which all words of a query are, and which is no longer than it
// must be: without its first or its last cue a word would be missing.
type Place struct{ First, Last int }

// Places returns the best places of a document that have all stems, at most most: those of
// the fewest cues, and of these the earliest. No two have a cue in common.
func (p Positions) Places(stems []string, most int) []Place {
	if len(stems) == 0 {
		return nil
	}
	lists := p.lists(stems)
	if lists == nil {
		return nil
	}
	return bestPlaces(lists, most)
}

// cueList is a list of cues in order, written as differences, in two pieces.
type cueList struct {
	first, rest []byte
	cue         int // the current one
}

// next moves to the next cue; false when there is none, or the list is damaged.
func (l *cueList) next() bool {
	if len(l.first) == 0 {
		if len(l.rest) == 0 {
			return false
		}
		l.first, l.rest = l.rest, nil
	}
	step, n := binary.Uvarint(l.first)
	if n <= 0 || step > 1<<31 {
		return false
	}
	l.first = l.first[n:]
	l.cue += int(step)
	return true
}

// bestPlaces are the best places that have a cue of each list. It uses the lists up.
func bestPlaces(lists []cueList, most int) []Place {
	all := shortest(lists, most)
	slices.SortStableFunc(all, func(a, b Place) int { return cmp.Compare(a.Last-a.First, b.Last-b.First) })
	var out []Place
	for _, place := range all {
		if len(out) == most {
			break
		}
		if !slices.ContainsFunc(out, func(o Place) bool { return place.First <= o.Last && o.First <= place.Last }) {
			out = append(out, place)
		}
	}
	return out
}

// shortest are the runs of at most MaxCues cues that hold a number of each list and cannot
// be shortened, in order, until enough of them are a single cue, which no other run beats.
// It goes through the lists as a merge does: the run from the least of their current
// numbers to the greatest, then on in the list of the least.
func shortest(lists []cueList, enough int) (out []Place) {
	for i := range lists {
		if !lists[i].next() {
			return nil
		}
	}
	for single := 0; ; {
		least, first, last := 0, lists[0].cue, lists[0].cue
		for i := 1; i < len(lists); i++ {
			switch n := lists[i].cue; {
			case n < first:
				least, first = i, n
			case n > last:
				last = n
			}
		}
		if last-first < MaxCues {
			// A run that ends where the one before ended is shorter than it.
			if n := len(out); n > 0 && out[n-1].Last == last {
				out[n-1].First = first
			} else {
				out = append(out, Place{first, last})
			}
			if first == last {
				single++
			}
		}
		if single == enough || !lists[least].next() {
			return out
		}
	}
}
