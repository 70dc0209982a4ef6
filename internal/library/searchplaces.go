package library

import (
	"context"
	"slices"
	"strconv"

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

// The rows of placesQuery.
const (
	rowGone = iota
	rowPostings
	rowTranscript
)

// placesQuery reads in one statement, and so of one moment, the postings of all stems in the
// blocks that have all of them, the transcripts that are in no block, and those that are no
// more.
func (l *Reader) placesQuery(stems []string) *query {
	q := &query{d: l.store.Dialect()}
	in := " IN (" + placeholders(q, stems) + ")"
	rest := "p.rest"
	if len(stems) == 1 {
		rest = "CAST(NULL AS bytea)" // the first places are enough
	}
	q.text = `SELECT ` + strconv.Itoa(rowGone) + `, x.id, 0, '', CAST(NULL AS bytea), CAST(NULL AS bytea), CAST(NULL AS bytea) FROM lectern.lectern_search_gone x
UNION ALL SELECT ` + strconv.Itoa(rowTranscript) + `, t.id, t.recording_id, '', t.positions, NULL, NULL FROM lectern.lectern_transcripts t WHERE t.block IS NULL
UNION ALL SELECT ` + strconv.Itoa(rowPostings) + `, b.id, 0, p.stem, p.first, ` + rest + `, b.transcripts FROM lectern.lectern_search_blocks b` +
		q.join(false, "p", "p.stem, p.first, p.rest", "lectern.lectern_search_postings", "p.block = b.id AND p.stem"+in) + `
WHERE (SELECT count(*) FROM lectern.lectern_search_postings h WHERE h.block = b.id AND h.stem` + in + `) = ` + strconv.Itoa(len(stems))
	return q
}

// block is what is read of a block.
type block struct {
	transcripts []byte
	postings    []fulltext.Postings
}

// blocks are those of a search, by their ids.
type blocks map[int64]*block

// add adds a row. Rows come in any order: PostgreSQL may read several blocks at once.
func (b blocks) add(id int64, transcripts []byte, p fulltext.Postings) {
	if b[id] == nil {
		b[id] = &block{transcripts: transcripts}
	}
	b[id].postings = append(b[id].postings, p)
}

// findPlaces adds the best places of all transcripts that have all stems.
func (l *Reader) findPlaces(ctx context.Context, stems []string, places *placeHits) error {
	var (
		gone   []int64
		blocks = blocks{}
	)
	err := l.rows(ctx, "library: places in transcripts", l.placesQuery(stems), func(scan func(...any) error) error {
		var (
			kind, id, recording      int64
			stem                     string
			first, rest, transcripts []byte
		)
		err := scan(&kind, &id, &recording, &stem, &first, &rest, &transcripts)
		switch kind {
		case rowGone:
			gone = append(gone, id)
		case rowTranscript:
			if i, ok := places.byID[recording]; ok {
				places.add(i, id, fulltext.Positions(first).Places(stems, hitsPerRecording))
			}
		default:
			blocks.add(id, transcripts, fulltext.Postings{Stem: stem, First: first, Rest: rest})
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(gone)
	for _, b := range blocks {
		b.findPlaces(gone, len(stems), places)
	}
	return nil
}

// findPlaces adds the best places of a block's transcripts that are still there. A block
// whose rows are not those of all stems is damaged, and has none.
func (b *block) findPlaces(gone []int64, stems int, places *placeHits) {
	if len(b.postings) != stems {
		return
	}
	transcripts := fulltext.TranscriptIDs(b.transcripts)
	recordings := make([]int, len(transcripts)) // their numbers; -1 for what does not count
	for n, t := range transcripts {
		i, ok := places.byID[t.Recording]
		if _, no := slices.BinarySearch(gone, t.ID); no || !ok {
			i = -1
		}
		recordings[n] = i
	}
	fulltext.EachMatch(b.postings, hitsPerRecording,
		func(n int) bool { return n < len(recordings) && recordings[n] >= 0 },
		func(n int, best []fulltext.Place) { places.add(recordings[n], transcripts[n].ID, best) })
}
