package derive_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestRenditions: a recording gets its sound and a low rendition, which cost no quota.
func TestRenditions(t *testing.T) {
	s := syncertest.New(t, deriving("sound"), syncertest.Configured(func(c *syncer.Config) { c.Rendition = syncer.RenditionLow })).Start()
	row := record(s)
	files := awaitFiles(t, s, row.ID, "low.mp4", "sound.m4a")
	for name, want := range map[string]struct{ kind, label, contentType string }{
		"sound.m4a": {"audio", "sound", "audio/mp4"},
		"low.mp4":   {"view", "low", "video/mp4"},
	} {
		f := files[name]
		if f.Kind != want.kind || f.Label != want.label || f.ContentType != want.contentType || (f.Duration-2*time.Second).Abs() > time.Second/2 {
			t.Errorf("%s: %+v", name, f)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, bytesAt(t, s, f), 0o600); err != nil {
			t.Fatal(err)
		}
		if info, err := (ffmpeg.Tool{}).Probe(t.Context(), path); err != nil || info.Video.Present() != (want.kind == "view") || !info.Audio.Present() {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	if q := s.Quota(1); q.Used != row.Size {
		t.Errorf("quota: %+v, of a recording of %d bytes", q, row.Size)
	}
}

// TestSoundOfZoom: no sound is made where Zoom gives that of the whole recording.
func TestSoundOfZoom(t *testing.T) {
	s := syncertest.New(t, deriving("poster", "sound"), syncertest.Configured(func(c *syncer.Config) { c.Companions = []string{"audio"} })).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "sound", Type: "M4A", View: "audio_only", Start: m.Start, End: m.Start.Add(time.Hour), Content: syncertest.Video(t)})
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	row := s.Archived(1)
	awaitFiles(t, s, row.ID, "poster.jpg")
	s.Idle()
	decideAgain(s)
	var companions []store.RecordingFile
	syncertest.Eventually(t, "the decision", func() (bool, string) {
		text := explanation(t, s, row.ID)
		return strings.Contains(text, "not made   sound: Zoom gives the sound"), text
	})
	s.View(func(ctx context.Context, x store.Session) (err error) {
		companions, err = store.Companions(ctx, x, row.ID)
		if len(companions) != 1 || companions[0].Kind != "audio" {
			t.Fatalf("companions: %+v", companions)
		}
		made, derr := store.Derivations(ctx, x, row.ID)
		i := slices.IndexFunc(made, func(d store.Derivation) bool { return d.Kind == "sound" })
		if i < 0 || made[i].MadeAt.IsZero() || made[i].Detail != "Zoom gives the sound" {
			t.Errorf("derivations: %+v, %v", made, derr)
		}
		return err
	})
	if files := derived(s, row.ID); len(files) != 1 {
		t.Errorf("made: %+v", files)
	}
	s.Zoom.Remove("uuid-1==")
	if err := os.Remove(filepath.Join(s.Root, filepath.FromSlash(companions[0].ArchiveKey))); err != nil {
		t.Fatal(err)
	}
	s.Exec(`UPDATE lectern.lectern_zoom_files SET unlisted_at = $1`, syncertest.Stamp(time.Now()))
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Now: true}); err != nil {
		t.Fatal(err)
	}
	awaitFiles(t, s, row.ID, "poster.jpg", "sound.m4a")
}

// decideAgain makes all that was put off due.
func decideAgain(s *syncertest.Server) {
	s.Exec(`UPDATE lectern.lectern_derivations SET retry_at = $1 WHERE retry_at IS NOT NULL`, syncertest.Stamp(time.Now()))
	s.Restart()
}

// TestSoundThatZoomFailsToGive: a sound is made where Zoom lists one that cannot be downloaded.
func TestSoundThatZoomFailsToGive(t *testing.T) {
	s := syncertest.New(t, deriving("sound"), syncertest.Configured(func(c *syncer.Config) { c.Companions = []string{"audio"} })).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "sound", Type: "M4A", View: "audio_only", Start: m.Start, End: m.Start.Add(time.Hour), Content: emulator.Bytes([]byte("<!doctype html><title>Sorry</title>"))})
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	row := s.Archived(1)
	syncertest.Eventually(t, "a given-up download", func() (bool, string) {
		text := explanation(t, s, row.ID)
		return strings.Contains(text, "companion not archived"), text
	})
	s.Idle()
	decideAgain(s)
	awaitFiles(t, s, row.ID, "sound.m4a")
}

// transcribing has a shell script write captions, at once; its first argument is the sound.
func transcribing(script string) syncertest.Option {
	return syncertest.Configured(func(c *syncer.Config) { c.Transcribe = "sh -c '" + script + "' transcribe" })
}

// TestAutomaticCaptions: a program writes the captions of a recording without any. They are
// replaced by Zoom's, which come later, and what a person has removed stays so.
func TestAutomaticCaptions(t *testing.T) {
	heard := filepath.Join(t.TempDir(), "heard")
	s := syncertest.New(t, deriving("none"), transcribing(`cat "$1" >>`+heard+`; printf "WEBVTT\n\n00:00.100 --> 00:01.000\nHello\n"`)).Start()
	row := record(s)
	awaitCaptions(t, s, row.ID, "Automatic captions", "Hello")
	if stat, err := os.Stat(heard); err != nil || stat.Size() == 0 {
		t.Errorf("the program got no sound: %v", err)
	}
	if text := explanation(t, s, row.ID); !strings.Contains(text, "written by the program for speech recognition") {
		t.Errorf("explained: %s", text)
	}
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "words", Type: "TRANSCRIPT", Start: syncertest.LessonStart, End: syncertest.LessonStart.Add(time.Hour), Content: emulator.Bytes([]byte("WEBVTT\n\n00:01.000 --> 00:01.500\nlate\n"))})
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{}); err != nil {
		t.Fatal(err)
	}
	awaitCaptions(t, s, row.ID, "Transcript", "late")
	s.Idle()
	s.Update(func(ctx context.Context, x store.Session) error {
		if kept, err := store.PutAutomaticCaption(ctx, x, row.ID, "WEBVTT\n", time.Now()); kept || err != nil {
			t.Errorf("over Zoom's captions: kept %v, %v", kept, err)
		}
		if _, err := store.RemoveCaption(ctx, x, row.ID, "und", time.Now()); err != nil {
			return err
		}
		kept, err := store.PutAutomaticCaption(ctx, x, row.ID, "WEBVTT\n", time.Now())
		if kept {
			t.Error("captions that a person has removed came back")
		}
		return err
	})
}

// TestTranscriptionFails: a program that fails costs the recording nothing, and is reported.
func TestTranscriptionFails(t *testing.T) {
	s := syncertest.New(t, deriving("sound"), transcribing("echo no model >&2; exit 7")).Start()
	row := record(s)
	awaitFiles(t, s, row.ID, "sound.m4a")
	syncertest.Eventually(t, "a failed attempt", func() (bool, string) {
		text := explanation(t, s, row.ID)
		return strings.Contains(text, "not made   captions: 1 attempts: transcribe: invalid (transcribe_failed): exit status 7: no model, reason transcribe_failed; next "), text
	})
	if rows := s.Recordings(1); rows[0].Status != row.Status || len(s.Captions(row.ID)) != 0 {
		t.Errorf("after that: %+v, %+v", rows[0], s.Captions(row.ID))
	}
	if n := counted(t, s, "lectern_derivations_total", map[string]string{"kind": "captions", "outcome": "failed"}); n != 1 {
		t.Errorf("%v failures counted", n)
	}
}

// awaitCaptions waits until a recording has only captions with a label and a text.
func awaitCaptions(t *testing.T, s *syncertest.Server, recording int64, label, text string) {
	t.Helper()
	syncertest.Eventually(t, "captions", func() (bool, string) {
		c := s.Captions(recording)
		return len(c) == 1 && c[0].Lang == "und" && c[0].Label == label && strings.Contains(c[0].Body, text), fmt.Sprintf("%+v", c)
	})
}

// counted is the value of a counter.
func counted(t *testing.T, s *syncertest.Server, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := s.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			matches := f.GetName() == name
			for _, l := range m.GetLabel() {
				matches = matches && labels[l.GetName()] == l.GetValue()
			}
			if matches {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}
