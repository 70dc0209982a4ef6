package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// fileOf loads one file of a meeting.
func fileOf(t *testing.T, db *catalogtest.DB, uuid, id string) (out store.File) {
	t.Helper()
	err := db.View(t.Context(), "test", func(x store.Session) error {
		m, err := store.LoadMeeting(t.Context(), x, uuid)
		for _, f := range m.Files {
			if f.ID == id {
				out = f
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFilesWithoutID: Zoom gives captions and timelines no id. They are kept under one
// made of type and start, once however often they are listed.
func TestFilesWithoutID(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		m := zoom.Meeting{UUID: "u==", Files: []zoom.File{
			{ID: "video", Type: "MP4", Start: now}, {Type: "CC", Start: now, DownloadURL: "https://zoom.us/rec/download/cc"}, {Type: "CC", Start: now.Add(time.Hour)}, {Type: "TIMELINE"},
		}}
		for range 2 {
			update(t, db, func(ctx context.Context, x store.Session) error {
				return store.PutMeeting(ctx, x, store.MeetingFromZoom(m, 0, ""), now)
			})
		}
		if n := db.Count(t, `SELECT COUNT(*) FROM lectern.lectern_zoom_files WHERE meeting_uuid = 'u=='`); n != 4 {
			t.Errorf("%d files", n)
		}
		cc := fileOf(t, db, "u==", "CC@"+now.UTC().Format(time.RFC3339))
		if cc.Type != "CC" || !cc.HasMadeID() || cc.DownloadURL != "https://zoom.us/rec/download/cc" {
			t.Errorf("the first captions: %+v", cc)
		}
		if video := fileOf(t, db, "u==", "video"); video.HasMadeID() {
			t.Errorf("the video: %+v", video)
		}
	})
}

// TestWhatIsForgottenOfAFile: another size, or a file that Zoom has just finished, is as
// good as a new one; the same file listed again with another link is not.
func TestWhatIsForgottenOfAFile(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		put := func(size int64, status, link string) {
			t.Helper()
			m := zoom.Meeting{UUID: "u==", Files: []zoom.File{{ID: "f", Type: "MP4", Start: now, Size: size, Status: status, DownloadURL: link}}}
			update(t, db, func(ctx context.Context, x store.Session) error {
				return store.PutMeeting(ctx, x, store.MeetingFromZoom(m, 0, ""), now)
			})
		}
		fault := store.Fault{Reason: "no_index", Detail: "no moov", Count: 3, At: now, RetryAt: now.Add(time.Hour)}
		mark := func() {
			t.Helper()
			update(t, db, func(ctx context.Context, x store.Session) error {
				if err := store.MarkMeasured(ctx, x, "u==", "f", 2*time.Second); err != nil {
					return err
				}
				if err := store.MarkUnlisted(ctx, x, "u==", "f", now); err != nil {
					return err
				}
				return store.MarkFault(ctx, x, "u==", "f", fault)
			})
		}
		put(100, "processing", "https://zoom.us/1")
		mark()
		if f := fileOf(t, db, "u==", "f"); f.Measured != 2*time.Second || f.Fault.Count != 3 || !f.Fault.RetryAt.Equal(fault.RetryAt) || !f.UnlistedAt.Equal(now) {
			t.Fatalf("marked: %+v", f)
		}
		for _, c := range []struct {
			name         string
			size         int64
			status, link string
			kept         bool
		}{
			{"the same again", 100, "processing", "https://zoom.us/1", true},
			{"another link", 100, "processing", "https://zoom.us/2", true},
			{"finished", 100, "completed", "https://zoom.us/2", false},
			{"another size", 200, "completed", "https://zoom.us/2", false},
			{"no size", 0, "completed", "https://zoom.us/3", true},
		} {
			mark()
			put(c.size, c.status, c.link)
			f := fileOf(t, db, "u==", "f")
			if kept := f.Measured != 0 && f.Fault.Count == 3 && !f.Fault.RetryAt.IsZero(); kept != c.kept {
				t.Errorf("%s: kept %v: %+v", c.name, kept, f)
			}
			if f.DownloadURL != c.link || !f.UnlistedAt.IsZero() {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
	})
}

func update(t *testing.T, db *catalogtest.DB, f func(ctx context.Context, x store.Session) error) {
	t.Helper()
	if err := db.Update(t.Context(), "test", func(x store.Session) error { return f(t.Context(), x) }); err != nil {
		t.Fatal(err)
	}
}

// TestListedWhileTrashed: what Zoom listed before we trashed a file does not bring it back;
// what it lists afterwards does.
func TestListedWhileTrashed(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		m := zoom.Meeting{UUID: "u==", Files: []zoom.File{{ID: "video", Type: "MP4", Start: now}}}
		trashed := now.Add(time.Hour + 123456*time.Microsecond)
		update(t, db, func(ctx context.Context, x store.Session) error {
			if err := store.PutMeeting(ctx, x, store.MeetingFromZoom(m, 0, ""), now); err != nil {
				return err
			}
			return store.MarkTrashed(ctx, x, "u==", "video", trashed)
		})
		for _, c := range []struct {
			asked time.Time
			stays bool
		}{{trashed.Add(-time.Second), true}, {trashed.Add(-time.Millisecond), true}, {trashed, true}, {trashed.Add(time.Millisecond), false}} {
			update(t, db, func(ctx context.Context, x store.Session) error {
				return store.MarkListed(ctx, x, "u==", []string{"video"}, c.asked)
			})
			if f := fileOf(t, db, "u==", "video"); f.TrashedAt.IsZero() == c.stays {
				t.Errorf("asked %s after the trash: trashed at %s", c.asked.Sub(trashed), f.TrashedAt)
			}
		}
	})
}
