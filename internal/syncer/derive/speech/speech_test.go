package speech_test

import (
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/derive/speech"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/transcribe"
)

// TestChoose: recognition waits for Zoom's captions for a bounded time, does not start without
// its program, and replaces nothing.
func TestChoose(t *testing.T) {
	const zooms, other = 6, 2
	now := catalogtest.DemoNow
	archived := now.Add(-time.Hour)
	db := catalogtest.Databases[0].Open(t)
	choose := func(program string, await time.Duration, recording int64) (c derive.Choice) {
		t.Helper()
		p, err := transcribe.ParseProgram(program, 0)
		if err != nil {
			t.Fatal(err)
		}
		err = db.View(t.Context(), "test", func(x store.Session) (err error) {
			c, err = speech.Captions{Program: p, Await: await, Now: func() time.Time { return now }}.Choose(t.Context(), x, store.Recording{ID: recording})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	err := db.Update(t.Context(), "test", func(x store.Session) error {
		row, err := store.LoadRecording(t.Context(), x, zooms, false)
		if err != nil {
			return err
		}
		i, _, err := store.RequestIngest(t.Context(), x, store.Lesson{ID: row.LessonID, TeacherID: row.TeacherID}, now)
		if err != nil {
			return err
		}
		i.RecordingID, i.VerifiedAt = zooms, archived
		_, err = store.SaveIngest(t.Context(), x, i, i.Lease, now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		program   string
		await     time.Duration
		recording int64
		never     bool
		at        time.Time
	}{
		{"of Zoom, archived an hour ago", "sh", 6 * time.Hour, zooms, false, archived.Add(6 * time.Hour)},
		{"of Zoom, awaited long enough", "sh", time.Hour, zooms, false, time.Time{}},
		{"not of Zoom", "sh", 6 * time.Hour, other, false, time.Time{}},
		{"without a program", "/nowhere/whisper", time.Hour, zooms, false, now.Add(10 * time.Minute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := choose(c.program, c.await, c.recording); got.Never != c.never || !got.At.Equal(c.at) {
				t.Errorf("%+v", got)
			}
		})
	}
	err = db.Update(t.Context(), "test", func(x store.Session) error {
		_, err := store.PutCaption(t.Context(), x, zooms, store.Caption{Lang: "und", Label: "Transcript", Body: "WEBVTT\n"}, now)
		return err
	})
	if got := choose("/nowhere/whisper", time.Hour, zooms); err != nil || !got.Never {
		t.Errorf("with Zoom's captions: %+v, %v", got, err)
	}
}
