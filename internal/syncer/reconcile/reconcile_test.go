package reconcile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestLostWebhooks: platform-pains B6, B7, B8, domain F11: reconciliation brings in
// what no webhook told of, once, and tells so at its start by itself.
func TestLostWebhooks(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Record("2", 90012345678, "uuid-2==", syncertest.LessonStart.Add(10*time.Minute))
			private := s.Record("2", 555, "private==", syncertest.LessonStart)
			private.Topic = "no lesson"
			s.Zoom.AddMeeting(zoomemu.Meeting{Account: "acc-1", ID: 86412345678, UUID: "short==", Host: "host-1", Start: syncertest.LessonStart, NoFiles: true, StringIDs: true})
			s.Reconcile(reconcile.Summary{Processed: 2, Synced: 2})
			s.Reconcile(reconcile.Summary{Processed: 2, Synced: 0}) // queued, and not queued again
			s.Start()
			s.Archived(1)
			r := s.Archived(3)
			if r.AvailableUntil.Sub(time.Now()).Round(time.Hour) != 30*24*time.Hour {
				t.Errorf("available until %s", r.AvailableUntil)
			}
			s.Reconcile(reconcile.Summary{Processed: 2})
			syncertest.Eventually(t, "the start's own reconciliation", func() (bool, string) {
				var run store.Run
				s.View(func(ctx context.Context, x store.Session) (err error) {
					run, err = store.LastRun(ctx, x, "reconcile")
					return err
				})
				var got reconcile.Summary
				return run.Outcome == "ok" && json.Unmarshal([]byte(run.Summary), &got) == nil && got.Processed == 2, fmt.Sprintf("%+v", run)
			})
			if keys := s.Keys(); len(keys) != 2 {
				t.Errorf("archived: %v", keys)
			}
		})
	}
}

// TestALongOutage: platform-pains B6: after weeks away the list begins where the last
// one ended, in windows that Zoom does not clamp, page by page.
func TestALongOutage(t *testing.T) {
	s := syncertest.New(t)
	ago := syncertest.LessonStart.AddDate(0, 0, -75)
	s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = 2`, syncertest.Stamp(ago), syncertest.Stamp(ago.Add(time.Hour)))
	s.Update(func(ctx context.Context, x store.Session) error {
		return store.SetCursor(ctx, x, 1, ago.Add(24*time.Hour))
	})
	s.Record("1", 86412345678, "uuid-old==", ago)
	for i := range 650 { // more than two pages
		s.Zoom.AddMeeting(zoomemu.Meeting{Account: "acc-1", ID: 777, UUID: fmt.Sprintf("other-%d==", i), Host: "host-1", Start: ago.Add(time.Duration(i) * time.Minute), NoFiles: true})
	}
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
	if got := s.Zoom.Stats().Lists; got < 5 || got > 8 {
		t.Errorf("%d lists for three windows and three pages", got)
	}
}

// TestAFailingTeacher: platform-pains C12, domain F18: one teacher's credentials do
// not stop the others; the missing scope is named; the alert comes once per change.
func TestAFailingTeacher(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = 'bad' WHERE id = 2`)
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	report := s.Reconcile(reconcile.Summary{Processed: 1, Failed: 1, Synced: 1})
	if len(report.Failures) != 1 || report.Failures[0].Teacher.ID != 2 || strings.Contains(report.Failures[0].Err.Error(), "bad") {
		t.Errorf("%+v", report.Failures)
	}
	s.Reconcile(reconcile.Summary{Processed: 1, Failed: 1})
	s.Archived(1)
	s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = '' WHERE id = 2`) // incomplete: not looked at
	s.Reconcile(reconcile.Summary{Processed: 1})
	s.Idle()
	firing, resolved := 0, 0
	for _, title := range s.Alerts.Titles() {
		if strings.HasPrefix(title, "firing: The recordings of 1 teacher") {
			firing++
		}
		if strings.HasPrefix(title, "resolved: All teachers") {
			resolved++
		}
	}
	if firing != 1 || resolved != 1 {
		t.Errorf("alerts: %v", s.Alerts.Titles())
	}
	s.Zoom.SetFaults(zoomemu.Faults{MissingScope: "cloud_recording:read:list_user_recordings:admin"})
	report = s.Reconcile(reconcile.Summary{Failed: 1})
	if len(report.Failures) != 1 || !strings.Contains(report.Failures[0].Err.Error(), "cloud_recording:read:list_user_recordings:admin") {
		t.Errorf("%+v", report.Failures)
	}
}

// TestDailyLimit: domain A.8: a limit that ends at a moment, ISO 8601, fails the
// teacher at once instead of waiting for it.
func TestDailyLimit(t *testing.T) {
	s := syncertest.New(t)
	s.Zoom.SetFaults(zoomemu.Faults{DailyLimit: time.Now().Add(5 * time.Hour)})
	began := time.Now()
	report := s.Reconcile(reconcile.Summary{Failed: 2})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	for _, f := range report.Failures {
		if left := media.RetryAfterOf(f.Err); left < 4*time.Hour || f.Reason != "daily_limit" {
			t.Errorf("%+v, again in %s", f, left)
		}
	}
}

// TestFailedRows: platform-pains B8, B16: rows that failed for a passing reason, by
// the platform or by us, are taken up; those that failed for good are left.
func TestFailedRows(t *testing.T) {
	s := syncertest.New(t)
	s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, zoom_recording_id, status, storage_provider) VALUES (1, 'file-uuid-1==', 'failed', 'gdrive')`)
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Record("2", 90012345678, "uuid-2==", syncertest.LessonStart)
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 2})
	s.Zoom.SetFaults(zoomemu.Faults{ForeignHost: "localhost:1"})
	s.Start()
	s.Failed(3, "download_host_refused")
	s.Failed(1, "download_host_refused")
	s.Zoom.SetFaults(zoomemu.Faults{})
	s.Reconcile(reconcile.Summary{Processed: 2})
	s.Update(func(ctx context.Context, x store.Session) error {
		_, err := x.Exec(ctx, `UPDATE lectern.lectern_ingests SET reason = 'zoom_unavailable' WHERE lesson_id = 1`)
		return err
	})
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
	if r := s.Archived(1); r.ID != 1 {
		t.Errorf("the platform's row was not taken: %+v", r)
	}
	var jobs bytes.Buffer
	if err := s.Syncer.Jobs(t.Context(), "failed", &jobs); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(jobs.String()) {
		var id int64
		if _, err := fmt.Sscan(line, &id); err != nil {
			t.Fatalf("%q does not begin with an id", line)
		}
		if err := s.Syncer.Retry(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	s.Archived(3)
}

// TestRehearsal: --dry-run tells and changes nothing.
func TestRehearsal(t *testing.T) {
	s := syncertest.New(t)
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Record("1", 999, "other==", syncertest.LessonStart)
	var actions []string
	report, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{DryRun: true, Progress: func(p reconcile.Progress) {
		for _, a := range p.Actions {
			actions = append(actions, fmt.Sprintf("%s %d %s", a.What, a.Lesson, a.Meeting))
		}
	}})
	slices.Sort(actions)
	if err != nil || report.Summary != (reconcile.Summary{Processed: 2, Synced: 1}) || !slices.Equal(actions, []string{"archive 1 uuid-1==", "wait 0 other=="}) {
		t.Errorf("%+v, %v, %v", report, actions, err)
	}
	if i := s.Ingest(1); i.ID != 0 {
		t.Errorf("a rehearsal left %+v", i)
	}
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
}

// TestGoneFromTheArchive: an archived object that somebody deleted comes back while
// Zoom has it, and is said to be lost when it has not; orphans are reported.
func TestGoneFromTheArchive(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"local": nil, "drive": {syncertest.OnDrive}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...).Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Record("2", 90012345678, "uuid-2==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-2=="))
			one, two := s.Archived(1), s.Archived(3)
			for _, r := range []store.Recording{one, two} {
				if err := s.Deps.Target.Remove(t.Context(), r.Location().Key); err != nil {
					t.Fatal(err)
				}
			}
			s.Zoom.Change("uuid-2==", "file-uuid-2==", func(f *zoomemu.File) { f.Deleted = true })
			s.Deliver(s.Zoom.Event("recording.trashed", "uuid-2=="))
			s.Idle()
			s.Reconcile(reconcile.Summary{Processed: 2})
			s.Failed(3, "archive_lost")
			syncertest.Eventually(t, "archived again", func() (bool, string) {
				r := s.Recordings(1)[0]
				return r.Status == media.StatusReady && r.Location().Key != one.Location().Key, fmt.Sprintf("%+v", r)
			})
			if q := s.Quota(1); q.Recordings != 1 || q.Used != s.Recordings(1)[0].Size {
				t.Errorf("quota: %+v", q)
			}
			// platform-pains B12: the platform deletes a lesson for good.
			again := s.Archived(1)
			s.Exec(`DELETE FROM public.schedule_lessonrecording WHERE id = $1`, again.ID)
			s.Exec(`DELETE FROM public.schedule_lesson WHERE id = 1`)
			s.Reconcile(reconcile.Summary{Processed: 2})
			syncertest.Eventually(t, "an alert", func() (bool, string) {
				got := s.Alerts.Titles()
				return slices.ContainsFunc(got, func(t string) bool { return strings.Contains(t, "1 file(s) in the archive") }), fmt.Sprint(got)
			})
			if _, err := s.Deps.Target.Stat(t.Context(), again.Location().Key); err != nil {
				t.Errorf("the orphan was touched: %v", err)
			}
		})
	}
}

// TestRetention: platform-pains A7, B9, B11, F3: expired recordings are removed once,
// their quota released once, their bytes purged after the grace; those the platform
// removed too, without touching the quota. One that fails stops no other.
func TestRetention(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, append(options, syncertest.Configured(func(c *syncer.Config) { c.TrashGrace = 0 }))...)
			for _, file := range []string{"a.mp4", "b.mp4", "c.mp4"} {
				if err := os.WriteFile(filepath.Join(s.Root, file), []byte("bytes"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			past := syncertest.Stamp(time.Now().Add(-time.Minute))
			insert := func(key string, lesson any, teacher any, provider string, deleted bool) {
				s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, teacher_id, status, storage_provider, archive_key, file_size, available_until, is_deleted, deleted_at) VALUES ($1, $2, 'ready', $3, $4, 100, $5, $6, $7)`,
					lesson, teacher, provider, key, past, deleted, map[bool]any{true: past, false: syncertest.Stamp(time.Time{})}[deleted])
			}
			insert("x.mp4", int64(1), syncertest.NullInt64(), "azure", false) // its archive is not syncertest.Configured
			insert("a.mp4", int64(1), syncertest.NullInt64(), "local", false)
			insert("b.mp4", syncertest.NullInt64(), int64(1), "local", false) // standalone: platform-pains F3
			insert("c.mp4", int64(3), syncertest.NullInt64(), "local", true)  // removed by the platform
			for _, teacher := range []int64{1, 2} {
				s.Quota(teacher)
			}
			s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = 1000, recordings_count = 10`)
			s.Start() // caught up by itself: today's clean-up was missed
			syncertest.Eventually(t, "cleaned up", func() (bool, string) {
				left, _ := filepath.Glob(filepath.Join(s.Root, "*.mp4"))
				return len(left) == 0, fmt.Sprint(left)
			})
			s.Idle()
			for range 2 { // again: nothing more happens
				if _, _, err := s.Syncer.RunPeriodic(t.Context(), "cleanup"); err != nil {
					t.Error(err)
				}
				if _, _, err := s.Syncer.RunPeriodic(t.Context(), "purge"); err != nil {
					t.Error(err)
				}
			}
			if one, two := s.Quota(1), s.Quota(2); one.Used != 700 || one.Recordings != 7 || two.Used != 1000 || two.Recordings != 10 {
				t.Errorf("quotas: %+v, %+v", one, two)
			}
			var removed int64
			s.View(func(ctx context.Context, x store.Session) error {
				return x.One(ctx, `SELECT COUNT(*) FROM public.schedule_lessonrecording WHERE is_deleted = $1`, []any{true}, &removed)
			})
			if removed != 4 {
				t.Errorf("%d rows are removed", removed)
			}
		})
	}
}

// TestUsage: platform-pains F1, F4: what is booked becomes what is stored, charged to
// the lesson's teacher.
func TestUsage(t *testing.T) {
	s := syncertest.New(t)
	s.Exec(`UPDATE public.schedule_lesson SET teacher_id = 2 WHERE id = 1`) // a substitute
	for i, status := range []string{"ready", "archived", "failed", "processing"} {
		s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, file_size) VALUES (1, $1, 'local', $2, 1000)`, status, fmt.Sprint(i))
	}
	s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, file_size, is_deleted) VALUES (1, 'deleted', 'local', 1000, $1)`, true)
	s.Quota(1)
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = 77, recordings_count = 7`)
	if _, failed, err := s.Syncer.RunPeriodic(t.Context(), "usage"); err != nil || failed != 0 {
		t.Fatal(failed, err)
	}
	if one, two := s.Quota(1), s.Quota(2); one.Used != 0 || one.Recordings != 0 || two.Used != 2000 || two.Recordings != 2 {
		t.Errorf("%+v, %+v", one, two)
	}
}

// TestManyReserveAtOnce: platform-pains F2: promises are exact, however many ask.
func TestManyReserveAtOnce(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			s.Quota(1)
			s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = 1000`)
			for i := range 20 {
				s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, zoom_recording_id) VALUES (1, 'processing', 'local', $1)`, fmt.Sprint(i))
			}
			granted := make(chan int64, 20)
			for id := range int64(20) {
				go func() {
					ok := false
					err := s.Store.Update(t.Context(), "test", func(x store.Session) (err error) {
						ok, _, err = store.Reserve(t.Context(), x, id+1, 1, 100, time.Now())
						return err
					})
					if err != nil {
						t.Error(err)
					}
					if !ok {
						id = -1
					}
					granted <- id + 1
				}()
			}
			var lucky []int64
			for range 20 {
				if id := <-granted; id != 0 {
					lucky = append(lucky, id)
				}
			}
			if q := s.Quota(1); len(lucky) != 10 || q.Reserved != 1000 {
				t.Fatalf("%d of 20 were granted 100 of 1000; %+v", len(lucky), q)
			}
			for range 3 { // settling twice counts once
				s.Update(func(ctx context.Context, x store.Session) error {
					_, _, err := store.Commit(ctx, x, lucky[0], 1, 150, time.Now())
					return err
				})
			}
			for range 3 {
				s.Update(func(ctx context.Context, x store.Session) error {
					return store.Refund(ctx, x, lucky[1], 1, 100, time.Now())
				})
			}
			if q := s.Quota(1); q.Used != 150 || q.Recordings != 1 || q.Reserved != 800 {
				t.Errorf("%+v", q)
			}
			for _, id := range lucky {
				s.Update(func(ctx context.Context, x store.Session) error { return store.Release(ctx, x, id, time.Now()) })
			}
			if q := s.Quota(1); q.Used != 150 || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("%+v", q)
			}
		})
	}
}

// TestTakeOver: a syncer that dies in the middle leaves its jobs to another.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
			// As one leaves it that was killed while downloading.
			s.Update(func(ctx context.Context, x store.Session) error {
				if err := store.Heartbeat(ctx, x, "the-dead", time.Now().Add(-time.Minute)); err != nil {
					return err
				}
				_, err := x.Exec(ctx, `UPDATE lectern.lectern_ingests SET owner = 'the-dead', state = 'working'`)
				return err
			})
			if name == "sqlite" {
				s.Exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_by = jsonb('["the-dead"]'), attempted_at = '2026-01-01 00:00:00.000' WHERE kind = 'ingest'`)
			} else {
				s.Exec(`UPDATE lectern.river_job SET state = 'running', attempt = 1, attempted_by = ARRAY['the-dead'], attempted_at = now() - interval '1 hour' WHERE kind = 'ingest'`)
			}
			s.Start()
			s.Archived(1)
		})
	}
}
