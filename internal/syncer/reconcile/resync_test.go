package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
	"github.com/lectiospace/lectern/internal/zoom"
)

func editor(s *syncertest.Server) *library.Editor {
	return library.NewEditor(s.Store, time.Now, func() {})
}

// wantReason holds an editor's refusal against its reason.
func wantReason(t *testing.T, err error, kind media.Kind, reason string) {
	t.Helper()
	var fault *media.Error
	if !errors.As(err, &fault) || fault.Kind != kind || zoom.ReasonOf(err) != reason {
		t.Errorf("%v, want %v (%s)", err, kind, reason)
	}
}

// TestAskedForAgain: a teacher asks through the gateway, which leaves a row; a syncer
// finds what it had never heard of, and archives it.
func TestAskedForAgain(t *testing.T) {
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			// Too long ago for a reconciliation by itself.
			s := syncertest.New(t, append(options, syncertest.Configured(func(c *syncer.Config) { c.Lookback = time.Hour }))...)
			s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, zoom_recording_id, status, storage_provider) VALUES (1, 'file-uuid-1==', 'failed', 'gdrive')`)
			s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, zoom_recording_id, status, storage_provider) VALUES (3, 'file-gone', 'failed', 'gdrive')`)
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			k := editor(s)
			if out, err := k.Resync(t.Context(), 1, 1); err != nil || out.RecordingID != 1 || out.Parts != 0 {
				t.Fatalf("%+v, %v", out, err)
			}
			if _, err := k.Resync(t.Context(), 2, 2); err != nil {
				t.Fatal(err)
			}
			_, err := k.Resync(t.Context(), 2, 1)
			wantReason(t, err, media.Denied, media.ReasonNotOwner)
			if r := s.Recordings(1)[0]; r.Status != media.StatusProcessing {
				t.Errorf("asked for: %+v", r)
			}
			s.Start()
			if r := s.Archived(1); r.ID != 1 {
				t.Errorf("another row: %+v", r)
			}
			syncertest.Eventually(t, "told that nothing is there", func() (bool, string) {
				r := s.Recordings(3)[0]
				return r.Status == media.StatusFailed, fmt.Sprintf("%+v", r)
			})
			if out, err := k.Resync(t.Context(), 1, 1); err != nil || out.Parts != 1 || out.Duration != time.Hour || out.Bytes == 0 {
				t.Errorf("what is known now: %+v, %v", out, err)
			}
			s.Idle()
			if r := s.Recordings(1)[0]; r.Status != media.StatusReady {
				t.Errorf("asked for once more: %+v", r)
			}
			s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = '' WHERE id = 1`)
			_, err = k.Resync(t.Context(), 1, 1)
			wantReason(t, err, media.Denied, media.ReasonNoAccount)
			s.Exec(`UPDATE public.schedule_lesson SET zoom_meeting_id = NULL WHERE id = 1`)
			_, err = k.Resync(t.Context(), 1, 1)
			wantReason(t, err, media.Denied, media.ReasonNoMeeting)
		})
	}
}

// TestRemovedAndRestored: the quota is given back once and taken again once, however
// many ask at the same time; the bytes outlive the removal.
func TestRemovedAndRestored(t *testing.T) {
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
			s.Start()
			row := s.Archived(1)
			s.Idle()
			k, size := editor(s), row.Size
			together := func(f func() error) (ok int) {
				var group sync.WaitGroup
				results := make(chan error, 8)
				for range cap(results) {
					group.Go(func() { results <- f() })
				}
				group.Wait()
				close(results)
				for err := range results {
					switch {
					case err == nil:
						ok++
					case media.KindOf(err) != media.NotFound:
						t.Error(err)
					}
				}
				return ok
			}
			for range 2 {
				if q := s.Quota(1); q.Used != size || q.Recordings != 1 {
					t.Fatalf("before: %+v", q)
				}
				if ok := together(func() error { return k.Remove(t.Context(), 1, row.ID, "a mistake") }); ok != 1 {
					t.Errorf("%d removals went through", ok)
				}
				if q := s.Quota(1); q.Used != 0 || q.Recordings != 0 {
					t.Errorf("removed: %+v", q)
				}
				var by int64
				var why string
				s.View(func(ctx context.Context, x store.Session) error {
					return x.One(ctx, `SELECT deleted_by_id, deletion_reason FROM public.schedule_lessonrecording WHERE id = $1`, []any{row.ID}, &by, &why)
				})
				if by != 1 || why != "a mistake" || len(s.Keys()) != 1 {
					t.Errorf("removed by %d, %q, %d objects left", by, why, len(s.Keys()))
				}
				if ok := together(func() error { return k.Restore(t.Context(), 1, row.ID) }); ok != 1 {
					t.Errorf("%d restorations went through", ok)
				}
				if r := s.Recordings(1)[0]; r.Deleted || r.Status != media.StatusReady || string(s.BytesOf(r)) == "" {
					t.Errorf("restored: %+v", r)
				}
			}
			// No room any more: it stays removed until there is.
			if err := k.Remove(t.Context(), 1, row.ID, ""); err != nil {
				t.Fatal(err)
			}
			s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = 1 WHERE teacher_id = 1`)
			wantReason(t, k.Restore(t.Context(), 1, row.ID), media.Denied, media.ReasonQuota)
			wantReason(t, k.Restore(t.Context(), 2, row.ID), media.Denied, media.ReasonNotOwner)
			s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = 1000000000 WHERE teacher_id = 1`)
			// Its grace is over: the first purge deletes it for good.
			s.Exec(`UPDATE public.schedule_lessonrecording SET deleted_at = $1 WHERE id = $2`, syncertest.Stamp(time.Now().Add(-2*time.Hour)), row.ID)
			if _, _, err := s.Syncer.RunPeriodic(t.Context(), "purge"); err != nil {
				t.Fatal(err)
			}
			syncertest.Eventually(t, "purged", func() (bool, string) { return len(s.Keys()) == 0, fmt.Sprint(s.Keys()) })
			wantReason(t, k.Restore(t.Context(), 1, row.ID), media.Denied, media.ReasonPurged)
			if q := s.Quota(1); q.Used != 0 || q.Recordings != 0 {
				t.Errorf("in the end: %+v", q)
			}
		})
	}
}
