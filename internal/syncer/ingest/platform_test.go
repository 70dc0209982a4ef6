package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestArchivedByThePlatform: a row that the platform archived stands for the part that it
// names. What else Zoom has is joined with it, from the platform's file where Zoom has its
// part no longer; that file stays as it is, and its bytes are charged once.
func TestArchivedByThePlatform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		second  bool // a second part at Zoom
		trashed bool // the first one is not at Zoom any more
		parts   string
	}{
		{"nothing else", false, false, "uuid-1==/file-uuid-1=="},
		{"a second part", true, false, "uuid-1==/file-uuid-1== uuid-2==/file-uuid-2=="},
		{"a second part, the first only with the platform", true, true, "uuid-1==/file-uuid-1== uuid-2==/file-uuid-2=="},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := syncertest.New(t)
			clip, err := syncertest.Clip()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(s.Root, "platform.mp4")
			if err := os.WriteFile(path, clip, 0o600); err != nil {
				t.Fatal(err)
			}
			s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, file_size, zoom_recording_id) VALUES (1, 'ready', 'local', 'platform.mp4', $1, 'file-uuid-1==')`, int64(len(clip)))
			s.Quota(1)
			s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = $1, recordings_count = 1 WHERE teacher_id = 1`, int64(len(clip)))
			s.Start()
			s.Record("1", number, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Archived(1, "uuid-1==/file-uuid-1==")
			if c.trashed {
				s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = true })
				s.Deliver(s.Zoom.Event("recording.trashed", "uuid-1=="))
			}
			if c.second {
				laterPart(s)
			}
			r := s.Archived(1, strings.Fields(c.parts)...)
			s.Idle()
			if !c.second && (r.ArchiveKey != "platform.mp4" || len(s.Keys()) != 0) || c.second && (r.Seconds != 4 || r.ArchiveKey == "platform.mp4" || len(s.Keys()) != 1) {
				t.Errorf("%+v, archived: %v", r, s.Keys())
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, clip) {
				t.Errorf("the platform's file: %d bytes, %v", len(got), err)
			}
			if q := s.Quota(1); q.Used != r.Size || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("quota: %+v of %d", q, r.Size)
			}
			if got := s.Zoom.Stats().Trashed; len(got) != 0 {
				t.Errorf("trashed at Zoom: %v", got)
			}
			if n, _ := s.Delays(); n != 0 {
				t.Errorf("%d delays of what the platform archived in time", n)
			}
			s.View(func(ctx context.Context, x store.Session) error {
				since, err := store.OldestUnarchived(ctx, x)
				late, lateErr := store.CountLate(ctx, x, time.Now().Add(3*time.Hour))
				if !since.IsZero() || late != 0 {
					t.Errorf("waits for its archive since %s, %d late", since, late)
				}
				return errors.Join(err, lateErr)
			})
		})
	}
}

// TestThePlatformWasQuicker: the platform archives the recording while we upload it: its
// row stays, and our file goes. What it costs is charged once, by the platform, also when a
// later part is joined with it.
func TestThePlatformWasQuicker(t *testing.T) {
	hooked := &hookedArchive{}
	s := syncertest.New(t, syncertest.WithArchive(wrapIn(hooked))).Start()
	hooked.setHook(func(moment, _ string) error {
		if moment == "after put" {
			s.Exec(`UPDATE public.schedule_lessonrecording SET status = 'ready', archive_key = 'platform.mp4', file_size = 5 WHERE lesson_id = 1`)
			s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = 5, recordings_count = 1 WHERE teacher_id = 1`)
		}
		return nil
	})
	s.Record("1", number, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	r := s.Archived(1)
	if r.Location() != (media.Location{Provider: media.ProviderLocal, Key: "platform.mp4"}) || len(s.Keys()) != 0 {
		t.Errorf("%+v, archived: %v", r, s.Keys())
	}
	if i := s.Ingest(1); i.Archived() || i.State() != store.Done {
		t.Errorf("%+v", i)
	}
	if q := s.Quota(1); q.Used != 5 || q.Recordings != 1 || q.Reserved != 0 {
		t.Errorf("quota: %+v", q)
	}
	hooked.setHook(nil)
	laterPart(s)
	r = s.Archived(1, "uuid-1==/file-uuid-1==", "uuid-2==/file-uuid-2==")
	if q := s.Quota(1); q.Used != r.Size || q.Recordings != 1 || q.Reserved != 0 {
		t.Errorf("quota: %+v of %d", q, r.Size)
	}
}
