package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/fulltext"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// unindexed are captions c without the transcript that is made of them.
const unindexed = ` FROM lectern.lectern_captions c
	LEFT JOIN lectern.lectern_transcripts t ON t.recording_id = c.recording_id AND t.lang = c.lang AND t.captions_at = c.updated_at
	WHERE t.id IS NULL`

// selectUnindexed is whether there are any. It reads no captions, but an index.
const selectUnindexed = `SELECT EXISTS (SELECT 1` + unindexed + `)`

// UnindexedCaptions reports whether IndexCaptions has something to do.
func UnindexedCaptions(ctx context.Context, x Session) (found bool, err error) {
	err = x.One(ctx, selectUnindexed, nil, &found)
	return found, err
}

// IndexCaptions makes captions searchable that are not, at most limit of them, and returns
// how many it was. They were written by a release without searches.
func IndexCaptions(ctx context.Context, x Session, limit int) (n int, err error) {
	type captions struct {
		recording int64
		at        catalog.DBTime
		Caption
	}
	var found []captions
	err = x.Each(ctx, `SELECT c.recording_id, c.lang, c.body, c.updated_at`+unindexed+` ORDER BY c.recording_id DESC LIMIT $1`, []any{int64(limit)}, func(scan func(...any) error) error {
		var c captions
		err := scan(&c.recording, &c.Lang, &c.Body, &c.at)
		found = append(found, c)
		return err
	})
	for _, c := range found {
		if err == nil {
			err = indexCaption(ctx, x, c.recording, c.Caption, c.at)
		}
	}
	return len(found), err
}

// indexCaption stores what is searched of captions that were written at a time. A body
// that cannot be read has no words.
func indexCaption(ctx context.Context, x Session, recording int64, c Caption, at catalog.DBTime) error {
	track, _ := webvtt.Parse([]byte(c.Body))
	cues := make([]fulltext.Cue, len(track.Cues))
	for i, cue := range track.Cues {
		cues[i] = fulltext.Cue{Start: cue.Start, Text: cue.Plain()}
	}
	d := fulltext.Index(cues)
	if _, err := x.Exec(ctx, `DELETE FROM lectern.lectern_transcripts WHERE recording_id = $1 AND lang = $2`, recording, c.Lang); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_transcripts (recording_id, lang, captions_at, positions, cues) VALUES ($1, $2, $3, $4, $5)`,
		recording, c.Lang, at, []byte(d.Positions), d.Cues)
	if err != nil {
		return err
	}
	return buildBlock(ctx, x)
}

// blockSize is how many transcripts are put together. A search reads each one that is in no
// block, and one row of each block for each word.
const blockSize = 64

// blockLock is the advisory lock of a transaction that builds a block.
const blockLock = 0x6c656374_626c6f63

// buildBlock puts transcripts that are in no block into one, once there are enough.
func buildBlock(ctx context.Context, x Session) error {
	transcripts, err := withoutBlock(ctx, x)
	if err != nil || len(transcripts) < blockSize {
		return err
	}
	b := fulltext.NewBlock(transcripts)
	var id int64
	if err := x.One(ctx, `INSERT INTO lectern.lectern_search_blocks (transcripts) VALUES ($1) RETURNING id`, []any{b.Transcripts}, &id); err != nil {
		return err
	}
	if err := insertPostings(ctx, x, id, b.Postings); err != nil {
		return err
	}
	args := []any{id}
	for _, t := range transcripts {
		args = append(args, t.ID)
	}
	if _, err := x.Exec(ctx, `UPDATE lectern.lectern_transcripts SET block = $1, positions = NULL WHERE id IN (`+placeholders(2, len(transcripts))+`)`, args...); err != nil {
		return err
	}
	// Blocks of recordings that have expired.
	_, err = x.Exec(ctx, `DELETE FROM lectern.lectern_search_blocks WHERE NOT EXISTS (SELECT 1 FROM lectern.lectern_transcripts t WHERE t.block = lectern_search_blocks.id)`)
	return err
}

// withoutBlock are the transcripts that are in no block, or fewer than blockSize where it is
// not for this transaction to put them into one.
func withoutBlock(ctx context.Context, x Session) (transcripts []fulltext.Transcript, err error) {
	var n int
	if err := x.One(ctx, `SELECT count(*) FROM lectern.lectern_transcripts WHERE block IS NULL`, nil, &n); err != nil || n < blockSize {
		return nil, err
	}
	text := `SELECT id, recording_id, positions FROM lectern.lectern_transcripts WHERE block IS NULL ORDER BY id`
	if x.Dialect() == catalog.Postgres {
		var alone bool
		if err := x.One(ctx, `SELECT pg_try_advisory_xact_lock($1)`, []any{int64(blockLock)}, &alone); err != nil || !alone {
			return nil, err
		}
		// A transaction that deletes one of them waits, and sees its block.
		text += ` FOR UPDATE SKIP LOCKED`
	}
	err = x.Each(ctx, text, nil, func(scan func(...any) error) error {
		var (
			t         fulltext.Transcript
			positions []byte
		)
		err := scan(&t.ID, &t.Recording, &positions)
		t.Positions = positions
		transcripts = append(transcripts, t)
		return err
	})
	return transcripts, err
}

// postingsAtOnce is how many postings a statement inserts: SQLite takes 32,766 arguments.
const postingsAtOnce = 500

func insertPostings(ctx context.Context, x Session, block int64, postings []fulltext.Postings) error {
	for len(postings) > 0 {
		some := postings[:min(postingsAtOnce, len(postings))]
		postings = postings[len(some):]
		var values strings.Builder
		args := []any{block}
		for i, p := range some {
			if i > 0 {
				values.WriteString(", ")
			}
			values.WriteString("($1, " + placeholders(len(args)+1, 3) + ")")
			args = append(args, p.Stem, notNil(p.First), notNil(p.Rest))
		}
		if _, err := x.Exec(ctx, `INSERT INTO lectern.lectern_search_postings (block, stem, first, rest) VALUES `+values.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// notNil is bytes as a column that is not NULL takes them.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// placeholders are n placeholders, from a number on.
func placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(from+i))
	}
	return b.String()
}
