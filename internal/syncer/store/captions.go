package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/fulltext"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// Caption is a recording's captions in one language, as WebVTT.
type Caption struct{ Lang, Label, Body string }

// PutCaption keeps captions that Zoom sent, and makes them searchable. kept is false where
// a person has corrected or removed those of the language: theirs stay.
func PutCaption(ctx context.Context, x Session, recording int64, c Caption, now time.Time) (kept bool, err error) {
	n, err := x.Exec(ctx, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (recording_id, lang) DO UPDATE SET label = excluded.label, body = excluded.body, updated_at = excluded.updated_at
		WHERE lectern_captions.edited_at IS NULL`, recording, c.Lang, c.Label, c.Body, stamp(now))
	if err != nil || n == 0 {
		return false, err
	}
	return true, indexCaption(ctx, x, recording, c, stamp(now))
}

// EditCaption keeps captions that a person wrote, in place of any of the language. Their
// label stays, or is c's where there were none.
func EditCaption(ctx context.Context, x Session, recording int64, c Caption, now time.Time) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at, edited_at) VALUES ($1, $2, $3, $4, $5, $5)
		ON CONFLICT (recording_id, lang) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at, edited_at = excluded.edited_at`,
		recording, c.Lang, c.Label, c.Body, stamp(now))
	if err != nil {
		return err
	}
	return indexCaption(ctx, x, recording, c, stamp(now))
}

// RemoveCaption removes captions for a person; found is false when there were none. An
// empty row stays, so that Zoom's do not come back.
func RemoveCaption(ctx context.Context, x Session, recording int64, lang string, now time.Time) (found bool, err error) {
	n, err := x.Exec(ctx, `UPDATE lectern.lectern_captions SET body = '', updated_at = $3, edited_at = $3 WHERE recording_id = $1 AND lang = $2 AND body <> ''`,
		recording, lang, stamp(now))
	if err != nil || n == 0 {
		return false, err
	}
	_, err = x.Exec(ctx, `DELETE FROM lectern.lectern_transcripts WHERE recording_id = $1 AND lang = $2`, recording, lang)
	return true, err
}

// What a program for speech recognition has written is in this language, since it does not
// say which, and under this label. Zoom's captions are in the same language, and replace it.
const (
	automaticLang  = "und"
	automaticLabel = "Automatic captions"
)

// byOthers is true of captions that Zoom has sent, or that a person has edited or removed.
const byOthers = `(label <> '` + automaticLabel + `' OR edited_at IS NOT NULL)`

// CaptionsGiven reports whether a recording has captions that no program has written, or had
// some that a person removed.
func CaptionsGiven(ctx context.Context, x Session, recording int64) (given bool, err error) {
	err = x.One(ctx, `SELECT EXISTS (SELECT 1 FROM lectern.lectern_captions WHERE recording_id = $1 AND `+byOthers+`)`, []any{recording}, &given)
	return given, err
}

// PutAutomaticCaption keeps captions that a program has written. kept is false where others
// are given: those stay.
func PutAutomaticCaption(ctx context.Context, x Session, recording int64, body string, now time.Time) (kept bool, err error) {
	if given, err := CaptionsGiven(ctx, x, recording); err != nil || given {
		return false, err
	}
	return PutCaption(ctx, x, recording, Caption{Lang: automaticLang, Label: automaticLabel, Body: body}, now)
}

// unindexed are captions c without the transcript that is made of them. Their bodies are
// looked at last: SQLite would read all of them.
const unindexed = ` FROM lectern.lectern_captions c
	LEFT JOIN lectern.lectern_transcripts t ON t.recording_id = c.recording_id AND t.lang = c.lang AND t.captions_at = c.updated_at
	WHERE CASE WHEN t.id IS NULL THEN c.body <> '' ELSE FALSE END`

// UnindexedCaptions reports whether IndexCaptions has something to do.
func UnindexedCaptions(ctx context.Context, x Session) (found bool, err error) {
	err = x.One(ctx, `SELECT EXISTS (SELECT 1`+unindexed+`)`, nil, &found)
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

// transcriptsPerRecording is how many languages one recording's transcripts may have.
const transcriptsPerRecording = 1024

// indexCaption stores what is searched of captions that were written at a time. A body
// that cannot be read has no words.
func indexCaption(ctx context.Context, x Session, recording int64, c Caption, at catalog.DBTime) error {
	id, err := transcriptID(ctx, x, recording, c.Lang)
	if err != nil {
		return err
	}
	track, _ := webvtt.Parse([]byte(c.Body))
	cues := make([]fulltext.Cue, len(track.Cues))
	for i, cue := range track.Cues {
		cues[i] = fulltext.Cue{Start: cue.Start, Text: cue.Plain()}
	}
	d := fulltext.Index(cues)
	if _, err := x.Exec(ctx, `DELETE FROM lectern.lectern_transcripts WHERE id = $1`, id); err != nil {
		return err
	}
	args, words := []any{id, recording, c.Lang, at, []byte(d.Positions), d.Cues}, strings.Join(d.Stems, " ")
	if x.Dialect() == catalog.Postgres {
		_, err = x.Exec(ctx, `INSERT INTO lectern.lectern_transcripts (id, recording_id, lang, captions_at, positions, cues, words)
			VALUES ($1, $2, $3, $4, $5, $6, array_to_tsvector(string_to_array($7, ' ')))`, append(args, words)...)
		return err
	}
	if _, err := x.Exec(ctx, `INSERT INTO lectern.lectern_transcripts (id, recording_id, lang, captions_at, positions, cues) VALUES ($1, $2, $3, $4, $5, $6)`, args...); err != nil {
		return err
	}
	_, err = x.Exec(ctx, `INSERT INTO lectern.lectern_transcript_words (rowid, words) VALUES ($1, $2)`, id, words)
	return err
}

// transcriptID is the id of a transcript, or of a new one.
func transcriptID(ctx context.Context, x Session, recording int64, lang string) (int64, error) {
	var taken []int64
	known := int64(-1)
	err := x.Each(ctx, `SELECT id, lang FROM lectern.lectern_transcripts WHERE recording_id = $1`, []any{recording}, func(scan func(...any) error) error {
		var (
			id int64
			of string
		)
		err := scan(&id, &of)
		if taken = append(taken, id); of == lang {
			known = id
		}
		return err
	})
	if err != nil || known >= 0 {
		return known, err
	}
	for n := range int64(transcriptsPerRecording) {
		if id := recording*transcriptsPerRecording + n; !slices.Contains(taken, id) {
			return id, nil
		}
	}
	return 0, media.Faultf(media.Denied, "keep captions", "the recording has captions in %d languages", transcriptsPerRecording)
}

// TranscriptsRecording is the recording of a transcript's id.
func TranscriptsRecording(id int64) int64 { return id / transcriptsPerRecording }
