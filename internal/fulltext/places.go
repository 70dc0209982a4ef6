package fulltext

import (
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
	return new(Matcher).bestPlaces(lists, most)
}

// cueList is a list of cues in order, written as differences, in two pieces.
type cueList struct {
	part, rest []byte // the piece that is read, and the one after it
	at         int    // in part
	cue        int    // the current one
}

// next moves to the next cue; false when there is none, or the list is damaged.
func (l *cueList) next() bool {
	if l.at == len(l.part) {
		if len(l.rest) == 0 {
			return false
		}
		l.part, l.rest, l.at = l.rest, nil, 0
	}
	step, n := uvarint(l.part[l.at:])
	if n <= 0 || step > 1<<31 {
		return false
	}
	l.at += n
	l.cue += int(step)
	return true
}

// bestPlaces are the best places that have a cue of each list. It uses the lists up. What it
// returns is valid until it is called again.
func (m *Matcher) bestPlaces(lists []cueList, most int) []Place {
	m.shortest(lists, most)
	m.best = m.best[:0]
	for length := range MaxCues {
		for _, place := range m.runs {
			if place.Last-place.First != length || slices.ContainsFunc(m.best, place.overlaps) {
				continue
			}
			if len(m.best) == most {
				return m.best
			}
			m.best = append(m.best, place)
		}
	}
	return m.best
}

func (p Place) overlaps(o Place) bool { return p.First <= o.Last && o.First <= p.Last }

// shortest sets runs to those of at most MaxCues cues that hold a number of each list and
// cannot be shortened, in order, until enough of them are a single cue, which no other run
// beats. It goes through the lists as a merge does: the run from the least of their current
// numbers to the greatest, then on in the list of the least.
func (m *Matcher) shortest(lists []cueList, enough int) {
	m.runs = m.runs[:0]
	for i := range lists {
		if !lists[i].next() {
			return
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
			if n := len(m.runs); n > 0 && m.runs[n-1].Last == last {
				m.runs[n-1].First = first
			} else {
				m.runs = append(m.runs, Place{first, last})
			}
			if first == last {
				single++
			}
		}
		if single == enough || !lists[least].next() {
			return
		}
	}
}
