package library

import (
	"context"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
)

// TestEditorNotifiesTheTable: beside a platform without triggers, an edit names the table
// whose entries other gateways must invalidate.
func TestEditorNotifiesTheTable(t *testing.T) {
	db := catalogtest.Platform(t, catalogtest.PlatformSQL)
	tables := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- db.Listen(ctx, func(table string) { tables <- table }, func() { tables <- "" }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if table := <-tables; table != "" {
		t.Fatalf("at first %q", table)
	}
	changed := 0
	editor := NewEditor(db.Store, func() time.Time { return catalogtest.DemoNow }, func() { changed++ })
	if err := editor.Rename(t.Context(), 3, 2, "Renamed"); err != nil {
		t.Fatal(err)
	}
	if table := <-tables; table != "schedule_lessonrecording" {
		t.Errorf("the rename notifies %q", table)
	}
	if changed != 1 {
		t.Errorf("changed was called %d times", changed)
	}
}

// TestEditorRefuses: each refusal has its reason, in every kind of database.
func TestEditorRefuses(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		editor := NewEditor(db.Store, func() time.Time { return catalogtest.DemoNow }, func() { t.Error("a refused edit changed something") })
		for name, c := range map[string]struct {
			do     func() error
			kind   media.Kind
			reason string
		}{
			"another teacher's":                      {func() error { return editor.Rename(t.Context(), 4, 2, "x") }, media.Denied, media.ReasonNotOwner},
			"nobody's":                               {func() error { return editor.Rename(t.Context(), 3, 20, "x") }, media.Denied, media.ReasonNotOwner},
			"no such recording":                      {func() error { return editor.Rename(t.Context(), 3, 999, "x") }, media.NotFound, ""},
			"a removed one":                          {func() error { return editor.Remove(t.Context(), 3, 25, "x") }, media.NotFound, ""},
			"restoring one not removed":              {func() error { return editor.Restore(t.Context(), 3, 2) }, media.NotFound, ""},
			"the resync of a video":                  {func() error { _, err := editor.Resync(t.Context(), 3, 16); return err }, media.Denied, media.ReasonNoMeeting},
			"the quota of nobody":                    {func() error { return editor.RaiseQuota(t.Context(), 999, 1, 1) }, media.NotFound, ""},
			"a substitute's, by the group's teacher": {func() error { return editor.Rename(t.Context(), 3, 34, "x") }, media.Denied, media.ReasonNotOwner},
		} {
			err := c.do()
			var reason string
			if e, ok := err.(*media.Error); ok {
				reason = e.Reason
			}
			if media.KindOf(err) != c.kind || reason != c.reason {
				t.Errorf("%s: %v, want %v %q", name, err, c.kind, c.reason)
			}
		}
	})
}
