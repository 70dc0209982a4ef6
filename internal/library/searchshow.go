package library

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/fulltext"
	"github.com/lectiospace/lectern/internal/media"
)

// cuesQuery reads the texts of transcripts, by their ids.
func (l *Reader) cuesQuery(ids []int64) *query {
	q := &query{d: l.store.Dialect()}
	q.text = `SELECT id, cues FROM lectern.lectern_transcripts WHERE id IN (` + placeholders(q, ids) + `)`
	return q
}

// showHits reads what is shown of hits. One whose recording or text has been removed
// meanwhile is left out.
func (l *Reader) showHits(ctx context.Context, op string, u media.User, hits []hit, stems []string) ([]Hit, error) {
	var recordings, transcripts []int64
	for _, h := range hits {
		if !slices.Contains(recordings, h.recording.id) {
			recordings = append(recordings, h.recording.id)
		}
		if h.transcript != 0 && !slices.Contains(transcripts, h.transcript) {
			transcripts = append(transcripts, h.transcript)
		}
	}
	var (
		entries map[int64]Entry
		cues    map[int64]string
	)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { entries, err = l.entriesByID(ctx, op, recordings, u.ID); return err })
	group.Go(func() (err error) { cues, err = l.readTexts(ctx, transcripts); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make([]Hit, 0, len(hits))
	for _, h := range hits {
		e, ok := entries[h.recording.id]
		if !ok {
			continue
		}
		shown, text := Hit{Entry: e}, h.title
		if h.transcript != 0 {
			if shown.Start, text, ok = fulltext.Excerpt(cues[h.transcript], h.place.First, h.place.Last); !ok {
				continue
			}
		}
		shown.Snippet, shown.Marks = fulltext.Snippet(text, stems)
		out = append(out, shown)
	}
	return out, nil
}

// textsPerReader is how many texts are worth a connection of their own: each has some 100 KB,
// which PostgreSQL has to decompress.
const textsPerReader = 5

// readTexts returns the texts of transcripts, by their ids.
func (l *Reader) readTexts(ctx context.Context, transcripts []int64) (map[int64]string, error) {
	var (
		mu   sync.Mutex
		cues = make(map[int64]string, len(transcripts)) // guarded by mu
	)
	err := readParts(ctx, l.maxReaders, textsPerReader, transcripts, func(ctx context.Context, _ int, ids []int64) error {
		return l.rows(ctx, "library: texts of transcripts", l.cuesQuery(ids), func(scan func(...any) error) error {
			var (
				id   int64
				text string
			)
			err := scan(&id, &text)
			mu.Lock()
			defer mu.Unlock()
			cues[id] = text
			return err
		})
	})
	return cues, err
}

// entriesByID are entries by the recordings' ids.
func (l *Reader) entriesByID(ctx context.Context, op string, ids []int64, user int64) (map[int64]Entry, error) {
	out := make(map[int64]Entry, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	// One argument: each text of its own would be prepared, and kept, on SQLite.
	q := &query{d: l.store.Dialect()}
	from := "(SELECT n.value AS id FROM " + q.numbers("n", ids) + ") one"
	list, err := l.entries(ctx, op, from, "one.id", q.args[0], user)
	for _, e := range list {
		out[e.Entry.ID] = e.Entry
	}
	return out, err
}
