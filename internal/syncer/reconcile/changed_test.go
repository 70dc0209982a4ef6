package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

func trashed(t *testing.T, s *syncertest.Server, want ...string) {
	t.Helper()
	syncertest.Eventually(t, "trashed at Zoom", func() (bool, string) {
		got := s.Zoom.Stats().Trashed
		return slices.Equal(got, want), fmt.Sprint(got)
	})
}

// TestChangedAtZoom: another version of an archived file becomes another version of the
// recording, whether a list or the last look before the trash finds it, and Zoom's copy
// stays until that is archived.
func TestChangedAtZoom(t *testing.T) {
	t.Parallel()
	for name, listed := range map[string]bool{"found by the list": true, "found before the trash": false} {
		t.Run(name, func(t *testing.T) {
			var trashNow atomic.Bool
			s := syncertest.New(t, func(s *syncertest.Server) {
				s.Deps.Now = func() time.Time {
					if trashNow.Load() {
						return time.Now().Add(2 * time.Hour) // beyond ZoomTrashAfter
					}
					return time.Now()
				}
			}).Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			first := s.Archived(1)
			s.Idle()
			s.Reconcile(reconcile.Summary{Processed: 2})
			s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Content = syncertest.Encode(t, 5, "libx264") })
			if listed {
				s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
			} else {
				trashNow.Store(true)
				s.Exec(`UPDATE lectern.river_job SET scheduled_at = CURRENT_TIMESTAMP WHERE kind = 'zoom_trash'`)
			}
			syncertest.Eventually(t, "the new version is archived", func() (bool, string) {
				r := s.Recordings(1)
				return len(r) == 1 && r[0].Seconds == 5 && r[0].Status == media.StatusReady && r[0].ID == first.ID, fmt.Sprintf("%+v", r)
			})
			s.Archived(1)
			s.Idle()
			trashed(t, s) // nothing: the version that was looked at last is not an hour old
			s.Reconcile(reconcile.Summary{Processed: 2})
		})
	}
}

// TestChangedBeforeTheTrash: where the last look before the trash finds another version of
// one part, the others stay at Zoom until that is archived, which needs them.
func TestChangedBeforeTheTrash(t *testing.T) {
	var trashNow atomic.Bool
	s := syncertest.New(t, func(s *syncertest.Server) {
		s.Deps.Now = func() time.Time {
			if trashNow.Load() {
				return time.Now().Add(2 * time.Hour) // beyond ZoomTrashAfter
			}
			return time.Now()
		}
	}).Start()
	for uuid, start := range map[string]time.Time{"uuid-1==": syncertest.LessonStart, "uuid-2==": syncertest.LessonStart.Add(20 * time.Minute)} {
		m := s.Record("1", 86412345678, uuid, start)
		s.Zoom.Change(uuid, m.Files[0].ID, func(f *zoomemu.File) { f.End = start.Add(10 * time.Minute) })
		s.Deliver(s.Zoom.Event("recording.completed", uuid))
	}
	s.Archived(1, "uuid-1==/file-uuid-1==", "uuid-2==/file-uuid-2==")
	s.Idle()
	s.Zoom.Change("uuid-2==", "file-uuid-2==", func(f *zoomemu.File) { f.Content = syncertest.Encode(t, 5, "libx264") })
	trashNow.Store(true)
	s.Exec(`UPDATE lectern.river_job SET scheduled_at = CURRENT_TIMESTAMP WHERE kind = 'zoom_trash'`)
	syncertest.Eventually(t, "the new version is archived", func() (bool, string) {
		r := s.Recordings(1)
		return len(r) == 1 && r[0].Seconds == 7 && r[0].Status == media.StatusReady, fmt.Sprintf("%+v, trashed %v", r, s.Zoom.Stats().Trashed)
	})
	trashed(t, s) // nothing: the new version is not an hour old
}

// TestRecoveredAfterALoss: the archive has lost a recording whose copy at Zoom was trashed.
// What people recover from Zoom's trash is archived again, with an event or without one.
func TestRecoveredAfterALoss(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]bool{"with an event": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = 0 })).Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			row := s.Archived(1)
			trashed(t, s, "uuid-1==/file-uuid-1==")
			s.Idle()
			if err := s.Deps.Target.Remove(t.Context(), row.Location().Key); err != nil {
				t.Fatal(err)
			}
			s.Reconcile(reconcile.Summary{Processed: 2})
			s.Failed(1, "archive_lost")
			// Asked for again while nothing has changed, it is still lost.
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Idle()
			s.Failed(1, "archive_lost")
			s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = false })
			if event {
				s.Deliver(s.Zoom.Event("recording.recovered", "uuid-1=="))
			} else {
				s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
			}
			if again := s.Archived(1); again.ID != row.ID || string(s.BytesOf(again)) == "" {
				t.Errorf("%+v", again)
			}
			if q := s.Quota(1); q.Recordings != 1 || q.Used != row.Size {
				t.Errorf("quota: %+v", q)
			}
		})
	}
}

// TestOverdueOfOneTeacher: what matches no lesson for a day is archived as the teacher's
// own by a reconciliation of that teacher alone, and not by one of another.
func TestOverdueOfOneTeacher(t *testing.T) {
	var later atomic.Int64
	s := syncertest.New(t, func(s *syncertest.Server) {
		s.Deps.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	s.Record("1", 555, "own==", syncertest.LessonStart)
	s.Reconcile(reconcile.Summary{Processed: 2})
	later.Store(int64(25 * time.Hour))
	for _, c := range []struct {
		teacher int64
		synced  int
	}{{2, 0}, {1, 1}, {1, 0}} {
		report, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Teacher: c.teacher})
		if err != nil || report.Synced != c.synced {
			t.Errorf("teacher %d: %+v, %v", c.teacher, report, err)
		}
	}
	s.View(func(ctx context.Context, x store.Session) error {
		i, err := store.IngestOfMeeting(ctx, x, "own==")
		if err != nil || i.TeacherID != 1 {
			t.Errorf("%+v, %v", i, err)
		}
		return nil
	})
}
