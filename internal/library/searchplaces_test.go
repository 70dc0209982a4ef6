package library

import (
	"testing"

	"github.com/lectiospace/lectern/internal/fulltext"
)

// TestBlocksInAnyOrder: the rows of a block need not follow each other.
func TestBlocksInAnyOrder(t *testing.T) {
	allowed := []watchable{{id: 1}, {id: 2}}
	places, read := newPlaceHits(allowed), blocks{}
	made := map[int64]fulltext.Block{}
	for id := int64(1); id <= 2; id++ {
		d := fulltext.Index([]fulltext.Cue{{Text: "alpha beta"}})
		made[id] = fulltext.NewBlock([]fulltext.Transcript{{ID: 10 * id, Recording: id, Positions: d.Positions}})
	}
	for stem := range 2 {
		for id, b := range made {
			read.add(id, b.Transcripts, b.Postings[stem])
		}
	}
	for _, b := range read {
		b.findPlaces(nil, 2, places)
	}
	if n := places.total(); n != 2 {
		t.Errorf("%d places of 2 are found", n)
	}
}
