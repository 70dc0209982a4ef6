package store

import (
	"context"
	"errors"
	"time"
)

// Caption is a recording's captions in one language, as WebVTT.
type Caption struct{ Lang, Label, Body string }

// PutCaption keeps captions that Zoom sent, and makes them searchable. kept is false where
// a person has corrected or removed those of the language: the database keeps theirs.
func PutCaption(ctx context.Context, x Session, recording int64, c Caption, now time.Time) (kept bool, err error) {
	n, err := x.Exec(ctx, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (recording_id, lang) DO UPDATE SET label = excluded.label, body = excluded.body, updated_at = excluded.updated_at
		WHERE lectern_captions.edited_at IS NULL`, recording, c.Lang, c.Label, c.Body, stamp(now))
	if err != nil || n == 0 {
		return false, err
	}
	return true, indexCaption(ctx, x, recording, c, stamp(now))
}

// MaxLanguages is in how many languages a recording may have captions, those that a person
// removed included.
const MaxLanguages = 64

// ErrManyLanguages says that a recording has captions in MaxLanguages others.
var ErrManyLanguages = errors.New("the recording has captions in too many languages")

// EditCaption keeps captions that a person wrote, in place of any of the language. The label
// of those stays; it is c's where there were none, or a program wrote them. The error may be
// ErrManyLanguages.
func EditCaption(ctx context.Context, x Session, recording int64, c Caption, now time.Time) error {
	var others int
	err := x.One(ctx, `SELECT count(*) FROM (SELECT lang FROM lectern.lectern_captions WHERE recording_id = $1
		UNION SELECT lang FROM lectern.lectern_captions_removed WHERE recording_id = $1) x WHERE lang <> $2`, []any{recording, c.Lang}, &others)
	switch {
	case err != nil:
		return err
	case others >= MaxLanguages:
		return ErrManyLanguages
	}
	if _, err := x.Exec(ctx, `DELETE FROM lectern.lectern_captions_removed WHERE recording_id = $1 AND lang = $2`, recording, c.Lang); err != nil {
		return err
	}
	_, err = x.Exec(ctx, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at, edited_at) VALUES ($1, $2, $3, $4, $5, $5)
		ON CONFLICT (recording_id, lang) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at, edited_at = excluded.edited_at,
			label = CASE WHEN lectern_captions.label = $6 THEN excluded.label ELSE lectern_captions.label END`,
		recording, c.Lang, c.Label, c.Body, stamp(now), automaticLabel)
	if err != nil {
		return err
	}
	return indexCaption(ctx, x, recording, c, stamp(now))
}

// RemoveCaption removes captions for a person, so that Zoom's do not come back; found is
// false when there were none.
func RemoveCaption(ctx context.Context, x Session, recording int64, lang string, now time.Time) (found bool, err error) {
	n, err := x.Exec(ctx, `DELETE FROM lectern.lectern_captions WHERE recording_id = $1 AND lang = $2`, recording, lang)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = x.Exec(ctx, `INSERT INTO lectern.lectern_captions_removed (recording_id, lang, removed_at) VALUES ($1, $2, $3)
		ON CONFLICT (recording_id, lang) DO UPDATE SET removed_at = excluded.removed_at`, recording, lang, stamp(now))
	return true, err
}

// What a program for speech recognition has written is in this language, since it does not
// say which, and under this label. Zoom's captions are in the same language, and replace it.
const (
	automaticLang  = "und"
	automaticLabel = "Automatic captions"
)

// byOthers is true of captions that Zoom has sent, or that a person has edited.
const byOthers = `(label <> '` + automaticLabel + `' OR edited_at IS NOT NULL)`

// CaptionsGiven reports whether a recording has captions that no program has written, or had
// some that a person removed.
func CaptionsGiven(ctx context.Context, x Session, recording int64) (given bool, err error) {
	err = x.One(ctx, `SELECT EXISTS (SELECT 1 FROM lectern.lectern_captions WHERE recording_id = $1 AND `+byOthers+`)
		OR EXISTS (SELECT 1 FROM lectern.lectern_captions_removed WHERE recording_id = $1)`, []any{recording}, &given)
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

// removeAutomaticCaption removes captions that a program has written. Others may be stored
// later.
func removeAutomaticCaption(ctx context.Context, x Session, recording int64) error {
	_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_captions WHERE recording_id = $1 AND NOT `+byOthers, recording)
	return err
}
