package library

import (
	"context"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

const selectCaptions = `SELECT lang, label FROM lectern.lectern_captions WHERE recording_id = $1 ORDER BY lang`

// Captions lists the tracks kept beside a recording, by language; none is no error.
func (l *Reader) Captions(ctx context.Context, recordingID int64) ([]media.Caption, error) {
	var list []media.Caption
	err := l.store.Rows(ctx, "library: captions", catalog.LookupTimeout, selectCaptions, []any{recordingID}, func(scan func(...any) error) error {
		var c media.Caption
		err := scan(&c.Lang, &c.Label)
		list = append(list, c)
		return err
	})
	return list, err
}

// CaptionText is a recording's captions in one language, as WebVTT. Kind NotFound:
// there are none.
func (l *Reader) CaptionText(ctx context.Context, recording int64, lang string) (string, error) {
	var body string
	err := l.store.Row(ctx, "library: captions", `SELECT body FROM lectern.lectern_captions WHERE recording_id = $1 AND lang = $2`, []any{recording, lang}, &body)
	return body, err
}
