package library

import (
	"context"
	"database/sql"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// MaxLanguages is in how many languages a recording may have captions, those that somebody
// removed included.
const MaxLanguages = store.MaxLanguages

// ErrManyLanguages says that a recording has captions in MaxLanguages others.
var ErrManyLanguages = store.ErrManyLanguages

// captionLabels are the labels of captions that somebody adds.
var captionLabels = map[string]string{"ru": "Русский", "en": "English", "und": "Transcript"}

// MayEdit returns the error with which EditCaptions and SetChapters would be refused:
// NotFound, or Denied with a reason.
func (e *Editor) MayEdit(ctx context.Context, u media.User, recording int64) error {
	const op = "library: may edit"
	return e.store.View(ctx, op, func(x catalog.Session) error { return e.mayEdit(ctx, x, op, u, recording, false) })
}

// EditCaptions keeps the captions of a recording in one language, valid WebVTT, in place
// of those it has. What Zoom sends later does not replace them.
func (e *Editor) EditCaptions(ctx context.Context, u media.User, recording int64, lang, body string) error {
	const op = "library: edit captions"
	return e.store.Update(ctx, op, func(x catalog.Session) error {
		if err := e.mayEdit(ctx, x, op, u, recording, true); err != nil {
			return err
		}
		label, ok := captionLabels[lang]
		if !ok {
			label = lang
		}
		now := e.now()
		if err := store.EditCaption(ctx, x, recording, store.Caption{Lang: lang, Label: label, Body: body}, now); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: now, RecordingID: recording, What: "captions corrected", Detail: lang})
	})
}

// RemoveCaptions removes the captions of a recording in one language. What Zoom sends
// later does not bring them back. NotFound: there are none.
func (e *Editor) RemoveCaptions(ctx context.Context, u media.User, recording int64, lang string) error {
	const op = "library: remove captions"
	return e.store.Update(ctx, op, func(x catalog.Session) error {
		if err := e.mayEdit(ctx, x, op, u, recording, true); err != nil {
			return err
		}
		now := e.now()
		found, err := store.RemoveCaption(ctx, x, recording, lang, now)
		switch {
		case err != nil:
			return err
		case !found:
			return sql.ErrNoRows
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: now, RecordingID: recording, What: "captions removed", Detail: lang})
	})
}
