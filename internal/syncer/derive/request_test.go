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

// TestRequestAfterAJoin: the sound, the previews and the automatic captions of a recording that is joined with another
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
		if kept, err := store.PutAutomaticCaption(ctx, x, 6, "WEBVTT\n\n00:01.000 --> 00:02.000\nearlier\n", time.Now()); err != nil || !kept {
			t.Errorf("captions kept %v, %v", kept, err)
		}
		if err := d.Request(ctx, x, 6); err != nil {
			return err
		}
		if n := captions(ctx, t, x, 6); n != 0 {
			t.Errorf("%d captions have the former times", n)
		}
		if _, err := store.PutCaption(ctx, x, 6, store.Caption{Lang: "und", Label: "Transcript", Body: "WEBVTT\n"}, time.Now()); err != nil {
			return err
		}
		if err := d.Request(ctx, x, 6); err != nil || captions(ctx, t, x, 6) != 1 {
			t.Errorf("Zoom's captions were removed, %v", err)
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

// captions is how many captions a recording has.
func captions(ctx context.Context, t *testing.T, x store.Session, recording int64) (n int) {
	t.Helper()
	if err := x.One(ctx, `SELECT count(*) FROM lectern.lectern_captions WHERE recording_id = $1`, []any{recording}, &n); err != nil {
		t.Fatal(err)
	}
	return n
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
