package syncer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// stuckArchive is an archive whose uploads end when release is closed, whatever their
// context says.
type stuckArchive struct {
	archive.Archive
	uploading chan struct{} // closed when an upload has begun
	release   chan struct{}
}

func (a *stuckArchive) Put(ctx context.Context, _ archive.Item) (archive.Stored, error) {
	close(a.uploading)
	<-a.release
	return archive.Stored{}, context.Cause(ctx)
}

// TestStopWithinTheGrace: Stop waits for jobs that ignore their cancellation no longer
// than the shutdown grace, and leaves their leases to the next syncer.
func TestStopWithinTheGrace(t *testing.T) {
	stuck := &stuckArchive{uploading: make(chan struct{}), release: make(chan struct{})}
	s := syncertest.New(t,
		syncertest.Configured(func(c *syncer.Config) { c.ShutdownGrace = 100 * time.Millisecond }),
		syncertest.WithArchive(func(a archive.Archive) archive.Archive { stuck.Archive = a; return stuck })).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	<-stuck.uploading
	stopped := make(chan struct{})
	go func() { s.Syncer.Stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(10 * time.Second): // far more than the grace, far less than any other limit
		t.Error("Stop waits for a job that ignores its cancellation")
	}
	if i := s.Ingest(1); i.Lease == "" || i.State() != store.Working {
		t.Errorf("the lease of a run that is not over was released: %+v", i)
	}
	close(stuck.release)
	<-stopped
	syncertest.Eventually(t, "the run has ended, before its database is closed", func() (bool, string) {
		i, running := s.Ingest(1), s.Running()
		return i.Lease == "" && running == 0, fmt.Sprintf("%+v, %d running", i, running)
	})
}

// TestStopReleases: jobs that heed their cancellation end at once, whatever the grace,
// and another syncer can continue at once.
func TestStopReleases(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.ShutdownGrace = time.Hour })).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	if err := s.Syncer.Responsive(t.Context()); err != nil {
		t.Errorf("a syncer that works is unresponsive: %v", err)
	}
	s.Syncer.Stop()
	s.Syncer.Stop() // twice is once
	var syncers []store.Syncer
	s.View(func(ctx context.Context, x store.Session) (err error) {
		syncers, err = store.Syncers(ctx, x)
		return err
	})
	if len(syncers) != 0 {
		t.Errorf("still registered: %+v", syncers)
	}
}
