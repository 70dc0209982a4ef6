package fulltext

import (
	"cmp"
	"slices"
)

// reach is how many cues a place may have: a cue and its two neighbours.
const reach = 3

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
	all := shortest(lists)
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

// shortest are the runs of at most reach cues that hold a number of each list and cannot
// be shortened, in order. It goes through the lists as a merge does: the run from the
// least of their current numbers to the greatest, then on in the list of the least.
func shortest(lists [][]int) (out []Place) {
	at := make([]int, len(lists))
	for {
		least, first, last := 0, lists[0][at[0]], lists[0][at[0]]
		for i, list := range lists {
			switch n := list[at[i]]; {
			case n < first:
				least, first = i, n
			case n > last:
				last = n
			}
		}
		if last-first < reach {
			// A run that ends where the one before ended is shorter than it.
			if n := len(out); n > 0 && out[n-1].Last == last {
				out[n-1].First = first
			} else {
				out = append(out, Place{first, last})
			}
		}
		if at[least]++; at[least] == len(lists[least]) {
			return out
		}
	}
}
