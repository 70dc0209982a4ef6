package library

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/fulltext"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// TestBlocksInAnyOrder: the rows of a block need not follow each other.
func TestBlocksInAnyOrder(t *testing.T) {
	var (
		blocks []block
		made   []fulltext.Block
	)
	for id := range int64(3) {
		d := fulltext.Index([]fulltext.Cue{{Text: "alpha beta"}})
		b := fulltext.NewBlock([]fulltext.Transcript{{ID: 10 * (id + 1), Recording: id, Positions: d.Positions}})
		made = append(made, b)
		blocks = append(blocks, block{id: id, transcripts: fulltext.TranscriptIDs(b.Transcripts)})
	}
	m := newBlockMatcher(2, blocks)
	for stem := range 2 {
		for id, b := range made {
			first := append([]byte{}, b.Postings[stem].First...)
			m.add(int64(id), first, b.Postings[stem].Rest)
			clear(first) // a buffer of the driver's
		}
	}
	m.add(2, made[2].Postings[0].First, nil) // one of two stems
	if len(m.found) != 3 {
		t.Errorf("%d matches of 3: %v", len(m.found), m.found)
	}
	for _, found := range m.found {
		if found.transcript != 10*(found.recording+1) || found.n != 1 || found.places[0] != (fulltext.Place{}) {
			t.Errorf("a match of %v", found)
		}
	}
}

// TestSearchOnSeveralConnections: however many connections a search reads on, it finds what
// each transcript has by itself. The transcripts of a recording are in several blocks.
func TestSearchOnSeveralConnections(t *testing.T) {
	const recordings, languages = 34, 8 // four blocks of 64, and 16 transcripts in none
	for _, d := range catalogtest.Databases[:2] {
		t.Run(d.Name, func(t *testing.T) {
			db := d.Open(t)
			random := rand.New(rand.NewPCG(1, 2))
			positions := map[int64][]fulltext.Positions{} // by recording
			for lang := range languages {
				err := db.Update(t.Context(), "test", func(x catalog.Session) error {
					for id := int64(1); id <= recordings; id++ {
						var cues []fulltext.Cue
						body := "WEBVTT\n"
						for i := range random.IntN(12) {
							text := ""
							for range 1 + random.IntN(2) {
								text += []string{"альфа ", "бета ", "гамма ", "alpha "}[random.IntN(4)]
							}
							cues = append(cues, fulltext.Cue{Start: time.Duration(i) * time.Second, Text: text})
							body += fmt.Sprintf("\n00:%02d.000 --> 00:%02d.500\n%s\n", i, i, text)
						}
						positions[id] = append(positions[id], fulltext.Index(cues).Positions)
						if _, err := store.PutCaption(t.Context(), x, id, store.Caption{Lang: fmt.Sprintf("l%d", lang), Body: body}, catalogtest.DemoNow); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			l := demoLibrary(db, true)
			l.blocksPerReader = 1
			for _, u := range []media.User{searchAdmin, {ID: 3, Role: media.RoleTeacher, Active: true}} {
				allowed, err := l.watchables(t.Context(), u)
				if err != nil || len(allowed) == 0 {
					t.Fatalf("%d recordings, %v", len(allowed), err)
				}
				for _, text := range []string{"альфа", "бета гамма", "alpha альфа бета", "alpha бета гамма альфа", "омега", "альфа омега"} {
					want := ""
					for length := range fulltext.MaxCues {
						for _, w := range allowed {
							want += bestOf(positions[w.id], fulltext.Stems(text), w.id, length)
						}
					}
					for _, l.maxReaders = range []int{1, 2, 3, 9} {
						hits, err := l.Search(t.Context(), u, text, Window{Limit: 1000})
						if err != nil {
							t.Fatal(err)
						}
						got := ""
						for _, h := range hits.Page {
							got += fmt.Sprintf("%d@%d ", h.Entry.ID, int(h.Start.Seconds()))
						}
						if got != want || hits.Total != int64(len(hits.Page)) {
							t.Fatalf("%s, %q, %d connections: %d %s\nwant %s", u.Role, text, l.maxReaders, hits.Total, got, want)
						}
					}
				}
			}
		})
	}
}

// bestOf are the places of so many cues of a recording, of the three best of all its
// transcripts.
func bestOf(transcripts []fulltext.Positions, stems []string, recording int64, length int) (out string) {
	var all []placeHit
	for i, p := range transcripts {
		for _, place := range p.Places(stems, hitsPerRecording) {
			all = append(all, placeHit{int64(i), place})
		}
	}
	slices.SortStableFunc(all, func(a, b placeHit) int {
		return cmp.Compare(a.place.Last-a.place.First, b.place.Last-b.place.First)
	})
	for _, h := range all[:min(hitsPerRecording, len(all))] {
		if h.place.Last-h.place.First == length {
			out += fmt.Sprintf("%d@%d ", recording, h.place.First)
		}
	}
	return out
}
