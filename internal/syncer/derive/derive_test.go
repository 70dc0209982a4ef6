package derive_test

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/move"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// deriving makes these kinds of files.
func deriving(kinds ...string) syncertest.Option {
	return syncertest.Configured(func(c *syncer.Config) { c.Derived, c.TrashGrace = kinds, 0 })
}

// countingArchive counts how often objects are read.
type countingArchive struct {
	archive.Archive
	opened *atomic.Int64
}

func (a countingArchive) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	a.opened.Add(1)
	return a.Archive.Open(ctx, key)
}

// unavailableArchive reports each read as Unavailable, once it is switched on.
type unavailableArchive struct {
	archive.Archive
	on *atomic.Bool
}

func (a unavailableArchive) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if a.on.Load() {
		return nil, media.Faultf(media.Unavailable, "test: open", "the archive is unavailable")
	}
	return a.Archive.Open(ctx, key)
}

// counting counts how often the target archive is read.
func counting(opened *atomic.Int64) syncertest.Option {
	return syncertest.WithArchive(func(a archive.Archive) archive.Archive { return countingArchive{a, opened} })
}

// record has Zoom record lesson 1 and waits until that is archived.
func record(s *syncertest.Server) store.Recording {
	s.Zoom.AddMeeting(s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart))
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	return s.Archived(1)
}

// derived are the verified files that are made of a recording, by name.
func derived(s *syncertest.Server, recording int64) map[string]store.RecordingFile {
	out := map[string]store.RecordingFile{}
	s.View(func(ctx context.Context, x store.Session) error {
		found, err := store.DerivedFiles(ctx, x, recording)
		for _, f := range found {
			if f.Verified() {
				out[f.Name] = f
			}
		}
		return err
	})
	return out
}

// awaitFiles waits until files of these names, and no others, are made of a recording.
func awaitFiles(t *testing.T, s *syncertest.Server, recording int64, names ...string) map[string]store.RecordingFile {
	t.Helper()
	var files map[string]store.RecordingFile
	syncertest.Eventually(t, "derived files", func() (bool, string) {
		files = derived(s, recording)
		var got []string
		for name := range files {
			got = append(got, name)
		}
		slices.Sort(got)
		return slices.Equal(got, names), fmt.Sprint(got)
	})
	return files
}

func bytesAt(t *testing.T, s *syncertest.Server, f store.RecordingFile) []byte {
	t.Helper()
	in, err := s.Deps.Archives[f.Provider].Open(t.Context(), f.ArchiveKey)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func explanation(t *testing.T, s *syncertest.Server, recording int64) string {
	t.Helper()
	var out strings.Builder
	if err := s.Syncer.Explain(t.Context(), fmt.Sprint(recording), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestLifeOfDerivedFiles: files are made of a new recording without reading the archive. They
// cost no quota, move with the recording, are made again when the archive has lost them, and
// go with it.
func TestLifeOfDerivedFiles(t *testing.T) {
	var opened atomic.Int64
	s := syncertest.New(t, syncertest.OnDriveAndLocal, counting(&opened), deriving("poster")).Start()
	row := record(s)
	poster := awaitFiles(t, s, row.ID, "poster.jpg")["poster.jpg"]
	if n := opened.Load(); n != 0 {
		t.Errorf("the archive was read %d times", n)
	}
	if config, err := jpeg.DecodeConfig(bytes.NewReader(bytesAt(t, s, poster))); err != nil || config.Width != 160 || config.Height != 120 {
		t.Errorf("the poster: %+v, %v", config, err)
	}
	if q := s.Quota(1); q.Used != row.Size {
		t.Errorf("quota: %+v, of a recording of %d bytes", q, row.Size)
	}
	if text := explanation(t, s, row.ID); !strings.Contains(text, "poster.jpg gdrive "+poster.ArchiveKey) || !strings.Contains(text, "poster made") {
		t.Errorf("explained: %s", text)
	}
	s.Idle()
	if out, err := s.Another().Move(t.Context(), move.Options{To: media.ProviderLocal}); err != nil || out.Moved != 1 || out.Failed != 0 {
		t.Fatalf("moved: %+v, %v", out, err)
	}
	moved := derived(s, row.ID)["poster.jpg"]
	if moved.Provider != media.ProviderLocal || !strings.HasSuffix(moved.ArchiveKey, ".jpg") {
		t.Fatalf("moved: %+v", moved)
	}
	s.Exec(`UPDATE lectern.lectern_copies SET removed_at = $1`, syncertest.Stamp(time.Now()))
	if err := os.Remove(filepath.Join(s.Root, filepath.FromSlash(moved.ArchiveKey))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Now: true}); err != nil {
		t.Fatal(err)
	}
	again := awaitFiles(t, s, row.ID, "poster.jpg")["poster.jpg"]
	if again.ID == moved.ID || again.Provider != media.ProviderLocal {
		t.Errorf("made again: %+v", again)
	}
	s.Exec(`UPDATE public.schedule_lessonrecording SET available_until = $1 WHERE id = $2`, syncertest.Stamp(time.Now().Add(-time.Minute)), row.ID)
	for _, kind := range []string{"cleanup", "purge"} {
		if _, failed, err := s.Syncer.RunPeriodic(t.Context(), kind); err != nil || failed != 0 {
			t.Errorf("%s: %d, %v", kind, failed, err)
		}
	}
	if _, err := s.Deps.Archives[again.Provider].Stat(t.Context(), again.ArchiveKey); media.KindOf(err) != media.NotFound {
		t.Errorf("the poster is left: %v", err)
	}
}

// TestOlderRecordings: a recording that was archived without derived files gets them, from
// the archive, which is read once; one that cannot be read is left as it was.
func TestOlderRecordings(t *testing.T) {
	var opened atomic.Int64
	s := syncertest.New(t, counting(&opened), deriving("none")).Start()
	row := record(s)
	s.Idle()
	if files := derived(s, row.ID); len(files) != 0 {
		t.Errorf("made although none are wanted: %+v", files)
	}
	path := filepath.Join(s.Root, filepath.FromSlash(row.Location().Key))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(whole)
	broken[len(broken)/2] ^= 1
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Config.Derived = []string{"poster"}
	s.Restart()
	syncertest.Eventually(t, "a failed attempt", func() (bool, string) {
		text := explanation(t, s, row.ID)
		return strings.Contains(text, "not made   poster: 1 attempts: derive: read the recording"), text
	})
	if rows := s.Recordings(1); rows[0].Status != media.StatusReady || rows[0].Size != row.Size || opened.Load() != 1 {
		t.Errorf("after that: %+v, read %d times", rows[0], opened.Load())
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Exec(`UPDATE lectern.lectern_derivations SET retry_at = $1`, syncertest.Stamp(time.Now()))
	s.Restart()
	awaitFiles(t, s, row.ID, "poster.jpg")
	if n := opened.Load(); n != 2 {
		t.Errorf("the archive was read %d times", n)
	}
}

// TestOneArchiveUnavailable: recordings in one archive get their files while another, which has
// a newer recording, is unavailable.
func TestOneArchiveUnavailable(t *testing.T) {
	var on atomic.Bool
	broken := syncertest.WithArchive(func(a archive.Archive) archive.Archive { return unavailableArchive{a, &on} })
	s := syncertest.New(t, syncertest.OnDriveAndLocal, broken, deriving("none")).Start()
	older := record(s)
	lastWeek := syncertest.LessonStart.AddDate(0, 0, -7)
	s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = 2`, syncertest.Stamp(lastWeek), syncertest.Stamp(lastWeek.Add(time.Hour)))
	s.Record("1", 86412345678, "uuid-2==", lastWeek)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-2=="))
	newer := s.Archived(2)
	s.Idle()
	if out, err := s.Another().Move(t.Context(), move.Options{To: media.ProviderLocal, Recording: older.ID}); err != nil || out.Moved != 1 {
		t.Fatalf("moved: %+v, %v", out, err)
	}
	on.Store(true)
	s.Config.Derived = []string{"poster"}
	s.Restart()
	if poster := awaitFiles(t, s, older.ID, "poster.jpg")["poster.jpg"]; poster.Provider != media.ProviderLocal {
		t.Errorf("the poster is in %s", poster.Provider)
	}
	if files := derived(s, newer.ID); len(files) != 0 || newer.ID <= older.ID {
		t.Errorf("recording %d, in the unavailable archive, has %+v", newer.ID, files)
	}
}
