package derive

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// TestFaultsOfOthers: no fault of this machine or of an archive is an attempt of a recording.
func TestFaultsOfOthers(t *testing.T) {
	r := &run{row: store.Recording{Provider: "s3", ArchiveKey: "key"}}
	full := &fs.PathError{Op: "write", Path: "poster.jpg", Err: syscall.ENOSPC}
	const recording = "recording"
	for _, c := range []struct {
		name string
		err  error
		of   func(error) error
		want string
	}{
		{"a picture on a full disk", full, fromTool, thisMachine},
		{"a program on a full disk", media.Fault(media.Corrupt, "ffmpeg", errors.Join(errors.New("exit status 1"), syscall.ENOSPC)), fromTool, thisMachine},
		{"a failing disk", media.Fault(media.Other, "ffmpeg: verify", &fs.PathError{Op: "stat", Path: "x", Err: syscall.EIO}), fromTool, thisMachine},
		{"too many processes", fmt.Errorf("start: %w", syscall.EAGAIN), fromTool, thisMachine},
		{"a program that is gone", media.Faultf(media.Unavailable, "ffmpeg", "not installed"), fromTool, thisMachine},
		{"a file that cannot be decoded", media.Faultf(media.Corrupt, "ffmpeg", "no picture"), fromTool, recording},
		{"a program without an interpreter", media.Fault(media.Invalid, "transcribe", syscall.ENOEXEC), fromTool, recording},
		{"an upload's session on a full disk", full, r.fromArchive, thisMachine},
		{"an archive that is unavailable", media.Faultf(media.Unavailable, "s3", "503"), r.fromArchive, "s3"},
		{"an archive without room", media.Faultf(media.Quota, "s3", "full"), r.fromArchive, "s3"},
		{"an archive that has lost it", media.Faultf(media.NotFound, "s3", "404"), r.fromArchive, recording},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := recording
			var unavailable *unavailableError
			if err := c.of(c.err); errors.As(err, &unavailable) {
				got = unavailable.provider
			} else if !ofRecording(err) {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("a fault of %q, want %q", got, c.want)
			}
		})
	}
}

// TestUpdateWhileUnavailable: what took hours to make is not lost to a short outage of the
// database.
func TestUpdateWhileUnavailable(t *testing.T) {
	gone := &databaseError{media.Faultf(media.Unavailable, "test", "connection refused")}
	for _, c := range []struct {
		name    string
		results []error // those of further calls are the last
		calls   int
		failed  bool
	}{
		{"it answers", []error{nil}, 1, false},
		{"two failures", []error{gone, gone, nil}, 3, false},
		{"it stays unavailable", []error{gone}, len(updatePauses) + 1, true},
		{"the recording has changed", []error{errChanged}, 1, true},
		{"a statement that is wrong", []error{&databaseError{media.Faultf(media.Other, "test", "syntax")}}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := whileUnavailable(t.Context(), updatePauses, func() error {
					calls++
					return c.results[min(calls, len(c.results))-1]
				})
				if calls != c.calls || (err != nil) != c.failed {
					t.Errorf("%d calls, %v", calls, err)
				}
			})
		})
	}
}

// TestCommitCaptions: captions that were made of other bytes are not stored, and those of the
// present bytes are, with the derivation.
func TestCommitCaptions(t *testing.T) {
	db, ctx := catalogtest.Databases[0].Open(t), t.Context()
	log := slog.New(slog.DiscardHandler)
	d := New(Config{}, nil, Deps{Store: db.Store, Queue: queue.New(queue.Config{}, nil, log, prometheus.NewRegistry(), time.Now), Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now})
	r := &run{Deriver: d, log: log, source: "those before a join", row: store.Recording{ID: 6}}
	stored := func() (n int, derivations []store.Derivation) {
		err := db.View(ctx, "test", func(x store.Session) (err error) {
			n = captions(ctx, t, x, 6)
			derivations, err = store.Derivations(ctx, x, 6)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, derivations
	}
	heard := webvtt.Track{Cues: []webvtt.Cue{{End: time.Second, Text: "hello"}}}
	if err := r.commit(ctx, due{Maker: fakeMaker{}}, nil, heard); !errors.Is(err, errChanged) {
		t.Errorf("committed: %v", err)
	}
	if n, derivations := stored(); n != 0 || len(derivations) != 0 {
		t.Errorf("of other bytes: %d captions, %+v", n, derivations)
	}
	err := db.View(ctx, "test", func(x store.Session) error {
		row, err := store.LoadRecording(ctx, x, 6, false)
		if err == nil {
			r.source, err = sourceOf(ctx, x, row)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.commit(ctx, due{Maker: fakeMaker{}}, nil, heard); err != nil {
		t.Fatal(err)
	}
	n, derivations := stored()
	if n != 1 || !slices.ContainsFunc(derivations, func(d store.Derivation) bool { return d.Kind == "fake" && !d.MadeAt.IsZero() }) {
		t.Errorf("%d captions, %+v", n, derivations)
	}
}

// fakeMaker makes nothing.
type fakeMaker struct{ Maker }

func (fakeMaker) Kind() string    { return "fake" }
func (fakeMaker) Revision() int64 { return 1 }
