package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

const runTrashNow = `UPDATE lectern.river_job SET scheduled_at = CURRENT_TIMESTAMP WHERE kind = 'zoom_trash' AND state = 'scheduled'`

// becomeDue makes what is archived as old as Zoom's copy has to be for its trash.
func becomeDue(s *syncertest.Server) {
	long := syncertest.Stamp(time.Now().Add(-2 * time.Hour))
	s.Exec(`UPDATE lectern.lectern_ingests SET verified_at = $1`, long)
	s.Exec(`UPDATE lectern.lectern_zoom_files SET archived_at = $1 WHERE archived_at IS NOT NULL`, long)
}

// trashEnds runs the trash that waits, to its end.
func trashEnds(t *testing.T, s *syncertest.Server) {
	t.Helper()
	syncertest.Eventually(t, "the trash ends", func() (bool, string) {
		s.Exec(runTrashNow)
		var jobs strings.Builder
		if err := s.Syncer.Jobs(t.Context(), "", &jobs); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(jobs.String(), "zoom_trash\tcompleted"), jobs.String()
	})
}

// TestTrashIsRequestedAgain: reconciliation requests the trash of Zoom's copy when its job has
// ended, in any way, and the copy is still there.
func TestTrashIsRequestedAgain(t *testing.T) {
	for way, end := range map[string]func(t *testing.T, s *syncertest.Server){
		"the job is lost": func(_ *testing.T, s *syncertest.Server) {
			s.Exec(`DELETE FROM lectern.river_job WHERE kind = 'zoom_trash'`)
			becomeDue(s)
		},
		"the job is discarded": func(_ *testing.T, s *syncertest.Server) {
			s.Exec(`UPDATE lectern.river_job SET state = 'discarded', finalized_at = CURRENT_TIMESTAMP WHERE kind = 'zoom_trash'`)
			becomeDue(s)
		},
		"the meeting is absent once": func(t *testing.T, s *syncertest.Server) {
			s.Zoom.SetFaults(zoomemu.Faults{AbsentCalls: 1})
			becomeDue(s)
			trashEnds(t, s)
		},
	} {
		t.Run(way, func(t *testing.T) {
			s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = time.Hour })).Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Archived(1)
			s.Idle()
			end(t, s)
			if got := s.Zoom.Stats().Trashed; len(got) != 0 {
				t.Fatalf("trashed before reconciliation: %q", got)
			}
			s.Reconcile(reconcile.Summary{Processed: 2})
			syncertest.Eventually(t, "trashed at Zoom", func() (bool, string) {
				got := s.Zoom.Stats().Trashed
				return len(got) == 1, fmt.Sprint(got)
			})
		})
	}
}

// TestTrashIsNotRequestedAgain: not before it is due, not where Zoom's copies are to stay, and not
// of what somebody has recovered from Zoom's trash or has removed.
func TestTrashIsNotRequestedAgain(t *testing.T) {
	lose := func(s *syncertest.Server) { s.Exec(`DELETE FROM lectern.river_job WHERE kind = 'zoom_trash'`) }
	for why, c := range map[string]struct {
		keep  bool // Zoom's copies
		end   func(t *testing.T, s *syncertest.Server)
		waits int
		gone  int // trashed before
	}{
		"not due": {end: func(_ *testing.T, s *syncertest.Server) { lose(s) }, waits: 1},
		"kept": {keep: true, end: func(_ *testing.T, s *syncertest.Server) {
			lose(s)
			becomeDue(s)
		}},
		"recovered": {end: func(t *testing.T, s *syncertest.Server) {
			becomeDue(s)
			trashEnds(t, s)
			s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = false })
		}, gone: 1},
		"removed": {end: func(_ *testing.T, s *syncertest.Server) {
			lose(s)
			becomeDue(s)
			s.Exec(`UPDATE public.schedule_lessonrecording SET is_deleted = TRUE`)
		}},
	} {
		t.Run(why, func(t *testing.T) {
			s := syncertest.New(t, syncertest.Configured(func(conf *syncer.Config) { conf.ZoomTrashAfter, conf.DeleteFromZoom = time.Hour, !c.keep })).Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Archived(1)
			s.Idle()
			c.end(t, s)
			s.Reconcile(reconcile.Summary{Processed: 2})
			s.Idle()
			if got := waitingTrash(s); got != c.waits {
				t.Errorf("%d runs of the trash wait, want %d", got, c.waits)
			}
			if got := s.Zoom.Stats().Trashed; len(got) != c.gone {
				t.Errorf("trashed: %q, want %d", got, c.gone)
			}
		})
	}
}
