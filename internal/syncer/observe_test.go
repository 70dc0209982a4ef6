package syncer_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/backfill"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestObserve: a syncer that observes takes webhooks, reconciles, cleans up, purges,
// recomputes and backfills without one changed row of the platform's, one file in the archive,
// one download or one deletion at Zoom. It says each thing that it would do once, and
// archives everything that it has seen when it acts.
func TestObserve(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) {
		c.Mode, c.TrashGrace, c.SupervisorEvery, c.UnmatchedAfter = syncer.ModeObserve, 0, 20*time.Millisecond, time.Nanosecond
	}))
	past := syncertest.Stamp(time.Now().Add(-240 * time.Hour))
	for _, file := range []string{"expired.mp4", "removed.mp4"} {
		if err := os.WriteFile(filepath.Join(s.Root, file), []byte("bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []string{`(2, 'ready', 'local', 'expired.mp4', 'file-a', 100, $1, $2, $4)`, `(2, 'deleted', 'local', 'removed.mp4', 'file-b', 100, $1, $3, $1)`, `(3, 'failed', 'gdrive', '', 'file-c', 0, $4, $2, $4)`} {
		s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, zoom_recording_id, file_size, available_until, is_deleted, deleted_at) VALUES `+row, past, false, true, syncertest.Stamp(time.Time{}))
	}
	s.Quota(1)
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = 4711, recordings_count = 9`)
	s.Exec(`INSERT INTO public.accounts_customuser (email, role, zoom_account_id, zoom_client_id, zoom_client_secret) VALUES ('carla@school.test', 'teacher', 'acc-9', 'x', 'wrong')`)
	s.Exec(`INSERT INTO lectern.lectern_resyncs (lesson_id, recording_id, teacher_id, requested_at) VALUES (2, 1, 1, $1)`, past)
	before := s.Platform()

	// Seen by a webhook, by reconciliation, by a backfill, and without a lesson.
	s.Record("1", 86412345678, "by-webhook==", syncertest.LessonStart)
	s.Record("2", 90012345678, "by-list==", syncertest.LessonStart)
	s.Record("1", 11112222333, "without-lesson==", syncertest.LessonStart)
	s.Start()
	s.Deliver(s.Zoom.Event("recording.completed", "by-webhook=="))
	s.Deliver(s.Zoom.Event("meeting.ended", "by-webhook=="))
	if err := s.Syncer.Backfiller().Start(t.Context(), backfill.Options{From: time.Now().AddDate(0, 0, -40), To: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if report, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Now: true}); err != nil || report.Failed != 1 {
			t.Errorf("reconciled: %+v, %v", report, err)
		}
		for _, kind := range []string{"cleanup", "purge", "usage"} {
			if _, failed, err := s.Syncer.RunPeriodic(t.Context(), kind); err != nil || failed > 0 {
				t.Errorf("%s: %d failed, %v", kind, failed, err)
			}
		}
		s.Idle()
	}
	if _, err := s.Syncer.Assign(t.Context(), "without-lesson==", 2); err == nil || !strings.Contains(err.Error(), "observe") {
		t.Errorf("assigned: %v", err)
	}
	syncertest.Eventually(t, "an alert that is marked", func() (bool, string) {
		titles := s.Alerts.Titles()
		marked := 0
		for _, title := range titles {
			if strings.HasPrefix(title, "firing: observe: ") {
				marked++
			}
		}
		return marked > 0 && marked == len(titles), fmt.Sprint(titles)
	})
	s.Idle()

	if after := s.Platform(); after != before {
		t.Errorf("rows of the platform have changed:\n%s\nbefore:\n%s", after, before)
	}
	if got := s.Zoom.Stats(); got.Downloads+got.Deletes+len(got.Trashed)+len(got.WholeMeetings) != 0 {
		t.Errorf("requests at Zoom: %+v", got)
	}
	if files, err := filepath.Glob(filepath.Join(s.Root, "*")); err != nil || len(files) != 2 || len(s.Keys()) != 0 {
		t.Errorf("the archive holds %v, %v", files, err)
	}
	lines := map[string]int{}
	for line := range strings.Lines(s.Log()) {
		if _, said, ok := strings.Cut(line, "observe: would "); ok {
			lines[said]++
		}
	}
	all := fmt.Sprint(lines)
	for said, n := range lines {
		if n != 1 {
			t.Errorf("said %d times: %s", n, said)
		}
	}
	for _, want := range []string{"archive 1 part(s), ", "as a new recording", "as recording 3", "remove an expired recording", "delete the bytes of a removed recording", "correct a teacher's used storage", "store when a lesson ended", "look for a lesson's recording again"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among what it would do: %s", want, all)
		}
	}
	if strings.Contains(s.Log(), "protected") || strings.Contains(s.Log(), "read-only") {
		t.Error("something was left to the guards")
	}
	var story bytes.Buffer
	if err := s.Syncer.Explain(t.Context(), "by-webhook==", &story); err != nil || !strings.Contains(story.String(), "mode observe") || !strings.Contains(story.String(), "would archive 1 part(s)") {
		t.Errorf("explained: %s, %v", &story, err)
	}
	if !inMode(t, s, syncer.ModeObserve) {
		t.Error("the metrics do not say that it observes")
	}

	s.Exec(`UPDATE lectern.lectern_ingests SET created_at = $1`, past) // it has observed for days
	s.Config.Mode = syncer.ModeActive
	s.Restart()
	s.Archived(1)
	syncertest.Eventually(t, "all that was observed is archived", func() (bool, string) {
		var left int
		s.View(func(ctx context.Context, x store.Session) error {
			return x.One(ctx, `SELECT COUNT(*) FROM lectern.lectern_ingests WHERE state <> 'done'`, nil, &left)
		})
		return left == 0 && len(s.Keys()) == 3, fmt.Sprint(left, " left, archived ", s.Keys())
	})
	s.Idle()
	if !inMode(t, s, syncer.ModeActive) || inMode(t, s, syncer.ModeObserve) {
		t.Error("the metrics do not say that it acts")
	}
	if n, seconds := s.Delays(); n == 0 || seconds > 3600 {
		t.Errorf("%d recordings waited for their archive for %.0f s: what was observed counts from then on", n, seconds)
	}
	if rows := s.Recordings(2); rows[0].Deleted || rows[0].Status != "ready" {
		t.Errorf("removed before the next clean-up: %+v", rows[0])
	}
}

// inMode reports whether the metric of a mode is 1.
func inMode(t *testing.T, s *syncertest.Server, mode string) bool {
	t.Helper()
	families, err := s.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "lectern_sync_mode" && m.GetLabel()[0].GetValue() == mode {
				return m.GetGauge().GetValue() == 1
			}
		}
	}
	return false
}
