package library

import (
	"slices"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
)

func TestCaptions(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		l := demoLibrary(db, true)
		if got, err := l.Captions(t.Context(), 2); err != nil || len(got) != 0 {
			t.Errorf("none: %v, %v", got, err)
		}
		for _, c := range [][]any{{2, "und", "Transcript"}, {2, "ru", "Русский"}, {3, "en", "English"}} {
			db.Exec(t, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES ($1, $2, $3, 'WEBVTT', '2026-11-20T10:00:00Z')`, c...)
		}
		want := []media.Caption{{Lang: "ru", Label: "Русский"}, {Lang: "und", Label: "Transcript"}}
		if got, err := l.Captions(t.Context(), 2); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestCaptionText(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		db.Exec(t, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES (2, 'und', 'Transcript', 'WEBVTT', $1)`, catalog.NewDBTime(catalogtest.DemoNow))
		if body, err := demoLibrary(db, true).CaptionText(t.Context(), 2, "und"); err != nil || body != "WEBVTT" {
			t.Errorf("%q, %v", body, err)
		}
		if _, err := demoLibrary(db, true).CaptionText(t.Context(), 2, "ru"); media.KindOf(err) != media.NotFound {
			t.Errorf("none: %v", err)
		}
	})
}
