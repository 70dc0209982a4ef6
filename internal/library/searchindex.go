package library

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/lectiospace/lectern/internal/fulltext"
)

// searchIndex is what a search reads of the index before the postings. It is of one moment.
// Since a block is never changed, the postings that are read afterwards are of that moment
// too; a block that is removed meanwhile had no transcript left.
type searchIndex struct {
	blocks []block
	// loose are the transcripts that are in no block.
	loose []looseTranscript
	// gone are the ids, in order, of transcripts that a block still has and that are no more.
	gone []int64
}

// block is a block with its transcripts, by their numbers. The ID of one that does not count
// is 0.
type block struct {
	id          int64
	transcripts []fulltext.Transcript
}

type looseTranscript struct {
	id, recording int64
	positions     fulltext.Positions
}

// The rows of indexQuery.
const (
	rowGone = iota
	rowLoose
	rowBlock
)

// indexQuery reads what a search needs before the postings, without the positions of the
// transcripts whose ids are known.
func (l *Reader) indexQuery(known []int64) *query {
	q := &query{d: l.store.Dialect()}
	q.text = `SELECT ` + strconv.Itoa(rowGone) + `, x.id, 0, CAST(NULL AS bytea) FROM lectern.lectern_search_gone x
UNION ALL SELECT ` + strconv.Itoa(rowLoose) + `, t.id, t.recording_id, CASE WHEN t.id IN (SELECT k.value FROM ` + q.numbers("k", known) + `) THEN NULL ELSE t.positions END FROM lectern.lectern_transcripts t WHERE t.block IS NULL
UNION ALL SELECT ` + strconv.Itoa(rowBlock) + `, b.id, 0, b.transcripts FROM lectern.lectern_search_blocks b`
	return q
}

// readIndex reads all blocks and what is in none.
func (l *Reader) readIndex(ctx context.Context) (index searchIndex, err error) {
	known := l.loose.get()
	q := l.indexQuery(ids(known))
	err = l.store.BinaryRows(ctx, "library: search index", listTimeout, q.text, q.args, func(scan func(...any) error) error {
		var (
			kind, id, recording int64
			data                []byte
		)
		err := scan(&kind, &id, &recording, &data)
		switch kind {
		case rowGone:
			index.gone = append(index.gone, id)
		case rowLoose:
			if i := slices.IndexFunc(known, func(t looseTranscript) bool { return t.id == id }); i >= 0 {
				data = known[i].positions
			}
			index.loose = append(index.loose, looseTranscript{id, recording, data})
		default:
			index.blocks = append(index.blocks, block{id: id, transcripts: fulltext.TranscriptIDs(data)})
		}
		return err
	})
	if err != nil {
		return searchIndex{}, err
	}
	slices.Sort(index.gone)
	l.loose.set(index.loose)
	return index, nil
}

func ids(transcripts []looseTranscript) []int64 {
	out := make([]int64, len(transcripts))
	for i, t := range transcripts {
		out[i] = t.id
	}
	return out
}

// present are the blocks with the transcripts that are still there.
func (x searchIndex) present() []block { return x.filter(func(int64) bool { return true }) }

// of are the blocks that have transcripts of some recordings, with these.
func (x searchIndex) of(recordings map[int64]int) []block {
	return x.filter(func(id int64) bool { _, ok := recordings[id]; return ok })
}

func (x searchIndex) filter(wanted func(recording int64) bool) []block {
	out := make([]block, 0, len(x.blocks))
	for _, b := range x.blocks {
		some := false
		for n := range b.transcripts {
			t := &b.transcripts[n]
			if _, gone := slices.BinarySearch(x.gone, t.ID); gone || !wanted(t.Recording) {
				t.ID = 0
			}
			some = some || t.ID != 0
		}
		if some {
			out = append(out, b)
		}
	}
	return out
}

// maxLooseBytes bounds the positions that are kept of transcripts that are in no block. There
// are fewer than a block has, of some 60 KB for an hour.
const maxLooseBytes = 8 << 20

// looseTranscripts keeps the transcripts that were in no block when the index was read last:
// a row is never changed, so that its positions need not be read again. Safe for concurrent
// use.
type looseTranscripts struct {
	mu   sync.Mutex
	kept []looseTranscript // guarded by mu; the slice is not changed
}

func (k *looseTranscripts) get() []looseTranscript {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept
}

// set keeps transcripts, as many as maxLooseBytes allow.
func (k *looseTranscripts) set(transcripts []looseTranscript) {
	n, size := 0, 0
	for n < len(transcripts) && size+len(transcripts[n].positions) <= maxLooseBytes {
		size += len(transcripts[n].positions)
		n++
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = transcripts[:n:n]
}
