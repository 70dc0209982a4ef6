package reconcile_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestMissingTrashIsAskedForAgain: whatever became of the job that was to trash Zoom's copies,
// what Zoom lists long after that is asked for again; before, and for what a person has recovered
// at Zoom, nothing is.
func TestMissingTrashIsAskedForAgain(t *testing.T) {
	var ahead atomic.Int64 // of the syncer's clock
	s := syncertest.New(t, func(s *syncertest.Server) {
		s.Deps.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	s.Idle()
	jobs := func() (n int) {
		s.View(func(ctx context.Context, x store.Session) error {
			return x.One(ctx, `SELECT COUNT(*) FROM lectern.river_job WHERE kind = 'zoom_trash'`, nil, &n)
		})
		return n
	}
	lose := func() { s.Exec(`DELETE FROM lectern.river_job WHERE kind = 'zoom_trash'`) }

	lose()
	ahead.Store(int64(90 * time.Minute)) // due for half an hour
	s.Reconcile(reconcile.Summary{Processed: 2})
	if n := jobs(); n != 0 {
		t.Errorf("%d jobs before the first one has had its time", n)
	}
	ahead.Store(int64(3 * time.Hour))
	s.Reconcile(reconcile.Summary{Processed: 2})
	trashed(t, s, "uuid-1==/file-uuid-1==")
	s.Idle()

	s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = false }) // recovered
	lose()
	ahead.Store(int64(6 * time.Hour))
	s.Reconcile(reconcile.Summary{Processed: 2})
	if n := jobs(); n != 0 {
		t.Errorf("%d jobs for what was recovered", n)
	}
}
