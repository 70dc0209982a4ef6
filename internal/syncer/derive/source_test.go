package derive

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

// heldArchive has one object, and notes which uploads are aborted.
type heldArchive struct {
	archive.Archive
	object  string
	aborted *string
}

func (a heldArchive) Stat(context.Context, string) (archive.Stored, error) {
	return archive.Stored{Size: int64(len(a.object))}, nil
}

func (a heldArchive) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(a.object)), nil
}

func (a heldArchive) AbortUpload(_ context.Context, session string) error {
	*a.aborted = session
	return nil
}

func (heldArchive) AbortStale(context.Context, time.Time) (int, error) { return 0, nil }

// workingOn is a run of recording 1, which is in an archive. Sources of 100 bytes are kept.
func workingOn(t *testing.T, a heldArchive) *run {
	t.Helper()
	work := workdir.New(t.TempDir(), 1<<40, 0)
	log := slog.New(slog.DiscardHandler)
	d := New(Config{KeepSize: 100}, nil, Deps{
		Queue: queue.New(queue.Config{}, nil, log, prometheus.NewRegistry(), time.Now), Archives: archive.Set{"local": a},
		Work: work, Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now,
	})
	lock, err := work.Lock(workJob(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lock.Release)
	return &run{Deriver: d, log: log, lock: lock, source: "60 bytes, 2 s", row: store.Recording{ID: 1, Provider: "local", ArchiveKey: "key", Size: 60}}
}

// TestFormerSource: the file of a recording that was joined with another since takes no room
// from the present one.
func TestFormerSource(t *testing.T) {
	r := workingOn(t, heldArchive{object: strings.Repeat("n", 60)})
	dir := r.deps.Work.Path(workJob(1))
	if err := os.WriteFile(filepath.Join(dir, sourceName("50 bytes, 1 s")), make([]byte, 50), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := r.fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || len(got) != 60 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// TestClearAbortsUpload: an interrupted upload that no later run continues is aborted with
// the directory that names it.
func TestClearAbortsUpload(t *testing.T) {
	var aborted string
	r := workingOn(t, heldArchive{aborted: &aborted})
	dir := r.deps.Work.Path(workJob(1))
	if err := os.WriteFile(filepath.Join(dir, "session.json"), []byte(`{"provider": "local", "key": "key", "session": "left"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.clear(t.Context(), r.lock); err != nil || aborted != "left" {
		t.Errorf("aborted %q, %v", aborted, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory: %v", err)
	}
}
