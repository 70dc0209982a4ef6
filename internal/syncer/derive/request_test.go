package derive

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// TestRequestAfterAJoin: the sound and the previews of a recording that is joined with another
// are not offered beside the joined one, whether or not others can be made.
func TestRequestAfterAJoin(t *testing.T) {
	db, ctx := catalogtest.Databases[0].Open(t), t.Context()
	log := slog.New(slog.DiscardHandler)
	q := queue.New(queue.Config{ID: "test", IngestWorkers: 1, ReconcileEvery: time.Hour, UsageEvery: time.Hour, CleanupAt: "03:00"}, db.Store, log, prometheus.NewRegistry(), time.Now)
	d := New(Config{}, nil, Deps{Store: db.Store, Queue: q, Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now})
	var left []string
	err := db.Update(ctx, "test", func(x store.Session) error {
		for _, f := range []store.RecordingFile{
			{Kind: "poster", Derivation: "poster", Name: "poster.jpg", VerifiedAt: time.Now()},
			{Kind: "audio", Derivation: "sound", Name: "sound.m4a", VerifiedAt: time.Now()},
			{Kind: "view", Derivation: "low", Name: "uploaded"},
			{Kind: "audio", Name: "Zoom's", VerifiedAt: time.Now()},
		} {
			f.RecordingID, f.Provider, f.ArchiveKey = 6, "local", f.Name
			id, err := store.AddRecordingFile(ctx, x, f, time.Now())
			if err != nil {
				return err
			}
			f.ID = id
			if err := store.SaveRecordingFile(ctx, x, f); err != nil {
				return err
			}
		}
		if err := d.Request(ctx, x, 6); err != nil {
			return err
		}
		for _, list := range []func(context.Context, store.Session, int64) ([]store.RecordingFile, error){store.DerivedFiles, store.Companions} {
			files, err := list(ctx, x, 6)
			if err != nil {
				return err
			}
			for _, f := range files {
				left = append(left, f.Name)
			}
		}
		return nil
	})
	if err != nil || !slices.Equal(left, []string{"poster.jpg", "uploaded", "Zoom's"}) {
		t.Errorf("left: %q, %v", left, err)
	}
}

// TestSearchedGoesOnBelow: retries that are due above the recordings that were seen do not
// take the search back.
func TestSearchedGoesOnBelow(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	d := New(Config{}, nil, Deps{Queue: queue.New(queue.Config{}, nil, log, prometheus.NewRegistry(), time.Now), Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now})
	ids := func(from int64) (out []int64) {
		for n := range int64(batch) {
			out = append(out, from-n)
		}
		return out
	}
	d.searched(ids(1000))
	d.searched(ids(5000))
	if before, due := d.searchFrom(); before != 1000-batch+1 || !due {
		t.Errorf("it goes on below %d, %v", before, due)
	}
	d.searched(ids(5000)[:batch-1])
	if before, due := d.searchFrom(); before != math.MaxInt64 || due {
		t.Errorf("after all were seen it goes on below %d, %v", before, due)
	}
}
