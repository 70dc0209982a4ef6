package library

import (
	"github.com/lectiospace/lectern/internal/fulltext"
)

// placeHits are the best places of each recording that a user may watch.
type placeHits struct {
	allowed []watchable
	byID    map[int64]int     // numbers in allowed
	found   []recordingPlaces // by the number in allowed
}

// recordingPlaces are the places of one recording, the best first.
type recordingPlaces struct {
	hits [hitsPerRecording]placeHit
	n    int
	most int // how many it may have
}

type placeHit struct {
	transcript int64
	place      fulltext.Place
}

func newPlaceHits(allowed []watchable) *placeHits {
	p := &placeHits{allowed: allowed, byID: make(map[int64]int, len(allowed)), found: make([]recordingPlaces, len(allowed))}
	for i := range allowed {
		p.byID[allowed[i].id] = i
		p.found[i].most = hitsPerRecording
	}
	return p
}

// limit bounds the places of a recording.
func (p *placeHits) limit(recording int64, most int) { p.found[p.byID[recording]].most = most }

// add adds places of a transcript to those of a recording of allowed. All languages of a
// recording compete.
func (p *placeHits) add(recording int, transcript int64, places []fulltext.Place) {
	f := &p.found[recording]
	for _, place := range places {
		at := f.n
		for at > 0 && better(placeHit{transcript, place}, f.hits[at-1]) {
			at--
		}
		if at >= f.most {
			continue
		}
		f.n = min(f.n+1, f.most)
		copy(f.hits[at+1:f.n], f.hits[at:])
		f.hits[at] = placeHit{transcript, place}
	}
}

// better is whether a place needs fewer cues than another, or as many and comes first.
func better(a, b placeHit) bool {
	if x, y := a.place.Last-a.place.First, b.place.Last-b.place.First; x != y {
		return x < y
	}
	if a.transcript != b.transcript {
		return a.transcript < b.transcript
	}
	return a.place.First < b.place.First
}

func (p *placeHits) total() (n int) {
	for i := range p.found {
		n += p.found[i].n
	}
	return n
}

// page appends hits to a page until it has limit of them, without the first skip: by the
// number of cues that they need, and of equals those of the newest recording.
func (p *placeHits) page(page []hit, skip, limit int64) []hit {
	for length := range fulltext.MaxCues {
		for i := range p.found {
			f := &p.found[i]
			for _, h := range f.hits[:f.n] {
				if h.place.Last-h.place.First != length {
					continue
				}
				if skip--; skip >= 0 {
					continue
				}
				if int64(len(page)) >= limit {
					return page
				}
				page = append(page, hit{recording: &p.allowed[i], transcript: h.transcript, place: h.place})
			}
		}
	}
	return page
}

// addAll adds the places of matches, but for those of recordings that are not allowed.
func (p *placeHits) addAll(matches [][]match) {
	for _, some := range matches {
		for i := range some {
			m := &some[i]
			if recording, ok := p.byID[m.recording]; ok {
				p.add(recording, m.transcript, m.places[:m.n])
			}
		}
	}
}

// addLoose adds the places of transcripts that have all stems.
func (p *placeHits) addLoose(transcripts []looseTranscript, stems []string) {
	for _, t := range transcripts {
		if recording, ok := p.byID[t.recording]; ok {
			p.add(recording, t.id, t.positions.Places(stems, hitsPerRecording))
		}
	}
}
