package reconcile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
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
	report := s.Reconcile(reconcile.Summary{Failed: 2}) // at once: nobody has five hours here
	for _, f := range report.Failures {
		if left := media.RetryAfterOf(f.Err); left < 4*time.Hour || f.Reason != "daily_limit" {
			t.Errorf("%+v, again in %s", f, left)
		}
	}
}

// TestFailedRows: platform-pains B8, B16: rows that failed, by
// the platform or by us, are taken up whatever the reason was, with growing pauses.
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
	s.Idle()
	// Once without a pause; then only after one, or when an operator does not wait.
	for range 2 {
		if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{}); err != nil {
			t.Fatal(err)
		}
		s.Idle()
	}
	s.Reconcile(reconcile.Summary{Processed: 2})
	if i := s.Failed(1, "download_host_refused"); i.Retakes != 1 || i.RetakeAt.Sub(i.RetakenAt) != s.Config.ReconcileEvery {
		t.Errorf("taken up again %d times, last at %s, not before %s", i.Retakes, i.RetakenAt, i.RetakeAt)
	}
	var history bytes.Buffer
	if err := s.Syncer.Explain(t.Context(), "uuid-1==", &history); err != nil || !strings.Contains(history.String(), "time 1") || !strings.Contains(history.String(), "next try") {
		t.Errorf("%s, %v", &history, err)
	}
	s.Zoom.SetFaults(zoomemu.Faults{})
	report, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Now: true})
	if err != nil || report.Summary != (reconcile.Summary{Processed: 2, Synced: 2}) {
		t.Errorf("%+v, %v", report, err)
	}
	if r := s.Archived(1); r.ID != 1 {
		t.Errorf("the platform's row was not taken: %+v", r)
	}
	s.Archived(3)
}

// TestDryRun: --dry-run reports and changes nothing.
func TestDryRun(t *testing.T) {
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
		t.Errorf("a dry run left %+v", i)
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

// TestConflictIsTriedAgain: a transaction that PostgreSQL rolls back for the sake of another one
// costs no teacher's reconciliation.
func TestConflictIsTriedAgain(t *testing.T) {
	for name, state := range map[string]string{"a deadlock": "40P01", "a serialization failure": "40001"} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, syncertest.OnPostgres)
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Exec(`CREATE SEQUENCE lectern.passings`) // a roll-back does not turn it back
			s.Exec(`CREATE FUNCTION lectern.conflict_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('lectern.passings') = 1 THEN RAISE EXCEPTION 'another transaction was first' USING ERRCODE = '` + state + `'; END IF;
				RETURN NEW; END $$`)
			s.Exec(`CREATE TRIGGER conflict_once BEFORE INSERT ON lectern.lectern_zoom_meetings FOR EACH ROW EXECUTE FUNCTION lectern.conflict_once()`)
			s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
		})
	}
}
