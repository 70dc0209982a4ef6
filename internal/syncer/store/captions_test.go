package store_test

import (
	"context"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// TestLabelOfCorrectedCaptions: captions that a person has corrected are not called automatic,
// and otherwise keep their label.
func TestLabelOfCorrectedCaptions(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		err := db.Update(t.Context(), "test", func(x store.Session) error {
			ctx := t.Context()
			if kept, err := store.PutAutomaticCaption(ctx, x, 6, "WEBVTT\n", now); err != nil || !kept {
				t.Errorf("kept %v, %v", kept, err)
			}
			if _, err := store.PutCaption(ctx, x, 6, store.Caption{Lang: "ru", Label: "Расшифровка", Body: "WEBVTT\n"}, now); err != nil {
				return err
			}
			for _, lang := range []string{"und", "ru"} {
				if err := store.EditCaption(ctx, x, 6, store.Caption{Lang: lang, Label: "Transcript", Body: "WEBVTT\n"}, now); err != nil {
					return err
				}
			}
			for lang, want := range map[string]string{"und": "Transcript", "ru": "Расшифровка"} {
				if got := labelOf(ctx, t, x, lang); got != want {
					t.Errorf("%s: %q, want %q", lang, got, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func labelOf(ctx context.Context, t *testing.T, x store.Session, lang string) (label string) {
	t.Helper()
	if err := x.One(ctx, `SELECT label FROM lectern.lectern_captions WHERE recording_id = 6 AND lang = $1`, []any{lang}, &label); err != nil {
		t.Fatal(err)
	}
	return label
}
