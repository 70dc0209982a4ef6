package ingest_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestCaptions archives meetings with captions and compares what viewers get, or what
// the history says.
func TestCaptions(t *testing.T) {
	t.Parallel()
	segment := func(id string, from, to int) zoomemu.File {
		return zoomemu.File{ID: id, Type: "MP4", View: syncertest.SpeakerView, Start: after(from), End: after(to), Content: syncertest.Video(t)}
	}
	text := func(id, kind string, from, to int, body string) zoomemu.File {
		return zoomemu.File{ID: id, Type: kind, Start: after(from), End: after(to), Content: emulator.Bytes([]byte(body))}
	}
	utf16, err := os.ReadFile("../../webvtt/testdata/utf16.vtt")
	if err != nil {
		t.Fatal(err)
	}
	const half, one = "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nhalf\n", "WEBVTT\n\n00:00:01.000 --> 00:00:01.500\none <00:00:01.200>more\n"
	for _, c := range []struct {
		name    string
		files   []zoomemu.File
		want    string // captions
		history string // a line of the history, where something is not read
	}{
		{name: "Zoom counts the pauses of a recording",
			files: []zoomemu.File{segment("a", 0, 1800), segment("b", 1860, 1920), text("t1", "TRANSCRIPT", 0, 1800, half), text("t2", "TRANSCRIPT", 1860, 1920, one)},
			want:  "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nhalf\n\n00:00:03.000 --> 00:00:03.500\none <00:00:03.200>more\n"},
		{name: "live captions only", files: []zoomemu.File{segment("a", 0, 60), text("", "CC", 0, 60, half)}, want: "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nhalf\n"},
		{name: "UTF-16", files: []zoomemu.File{segment("a", 0, 60), text("t", "TRANSCRIPT", 0, 60, string(utf16))}, want: "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello\n"},
		{name: "a page instead of captions", files: []zoomemu.File{segment("a", 0, 60), text("t", "TRANSCRIPT", 0, 60, "{}")}, history: "t: the file is not WebVTT"},
		{name: "a cue without valid times", files: []zoomemu.File{segment("a", 0, 60), text("t", "TRANSCRIPT", 0, 60, half+"\n00:00:01,000 --> 00:00:02,000\nno\n")},
			want: "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nhalf\n", history: "1 cues without valid times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := syncertest.New(t).Start()
			m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			m.Files = c.files
			s.Zoom.AddMeeting(m)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Idle()
			r := s.Archived(1)
			syncertest.Eventually(t, "captions", func() (bool, string) {
				captions := s.Captions(r.ID)
				var history []store.HistoryEntry
				s.View(func(ctx context.Context, x store.Session) (err error) {
					history, err = store.History(ctx, x, s.Ingest(1).ID, r.ID, []string{"uuid-1=="})
					return err
				})
				got := ""
				if len(captions) > 0 {
					got = captions[0].Body
				}
				return got == c.want && strings.Contains(fmt.Sprint(history), c.history), fmt.Sprintf("%q\n%+v", got, history)
			})
		})
	}
}

// TestCaptionsOfARemovedRecording: nobody needs them, and Zoom's file, which may be in its trash,
// is not tried for weeks.
func TestCaptionsOfARemovedRecording(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.Companions = []string{"none"} })).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "words", Type: "TRANSCRIPT", Start: after(0), End: after(3600), Content: emulator.Bytes([]byte("WEBVTT\n\n00:01.000 --> 00:01.500\nwords\n"))})
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	r := s.Archived(1)
	s.Idle()
	s.Exec(`UPDATE public.schedule_lessonrecording SET is_deleted = $2, status = 'deleted', deleted_at = $3 WHERE id = $1`, r.ID, true, syncertest.Stamp(time.Now()))
	s.Zoom.Change("uuid-1==", "words", func(f *zoomemu.File) { f.Deleted = true })
	var job int64
	s.View(func(ctx context.Context, x store.Session) error {
		return x.One(ctx, `SELECT MAX(id) FROM lectern.river_job WHERE kind = 'captions'`, nil, &job)
	})
	if err := s.Syncer.Retry(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	syncertest.Eventually(t, "the job done", func() (bool, string) {
		var state string
		s.View(func(ctx context.Context, x store.Session) error {
			return x.One(ctx, `SELECT state FROM lectern.river_job WHERE id = $1`, []any{job}, &state)
		})
		if state == "retryable" {
			t.Fatal("the job is tried again")
		}
		return state == "completed", state
	})
}

// TestLateCaptions adds a transcript hours after the recording was archived, and loses
// its event: reconciliation finds it.
func TestLateCaptions(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	r := s.Archived(1)
	s.Idle()
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "words", Type: "TRANSCRIPT", Start: after(0), End: after(3600), Content: emulator.Bytes([]byte("WEBVTT\n\n00:01.000 --> 00:01.500\nlate\n"))})
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{}); err != nil {
		t.Fatal(err)
	}
	syncertest.Eventually(t, "captions", func() (bool, string) {
		captions := s.Captions(r.ID)
		return len(captions) == 1 && strings.Contains(captions[0].Body, "late"), fmt.Sprint(captions)
	})
	// What a person removes is not missing.
	s.Update(func(ctx context.Context, x store.Session) error {
		_, err := store.RemoveCaption(ctx, x, r.ID, "und", time.Now())
		return err
	})
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{}); err != nil {
		t.Fatal(err)
	}
	s.Idle()
	s.View(func(ctx context.Context, x store.Session) error {
		history, err := store.History(ctx, x, s.Ingest(1).ID, r.ID, []string{"uuid-1=="})
		for _, h := range history {
			if h.What == "captions not replaced" {
				t.Error("removed captions were requested again")
			}
		}
		return err
	})
}

func after(seconds int) time.Time {
	return syncertest.LessonStart.Add(time.Duration(seconds) * time.Second)
}
