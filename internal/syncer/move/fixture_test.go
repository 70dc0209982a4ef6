package move_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/move"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

// fixture is a syncer that is not started, between two archives, with recordings.
type fixture struct {
	*syncertest.Server
	t     *testing.T
	now   time.Time
	bytes map[int64][]byte // by recording
	files map[int64][]byte // by file beside a recording
	quota store.Quota      // of teacher 1, at the beginning
}

const teacher = 1

// newFixture makes n recordings in an archive. The first is a lesson's, with an ingest and
// a part beside it.
func newFixture(t *testing.T, provider string, n int, options ...syncertest.Option) *fixture {
	f := &fixture{t: t, now: time.Now().UTC().Truncate(time.Second), bytes: map[int64][]byte{}, files: map[int64][]byte{}}
	options = append(options, syncertest.OnDriveAndLocal, func(s *syncertest.Server) { s.Deps.Now = func() time.Time { return f.now } })
	f.Server = syncertest.New(t, options...)
	for k := range n {
		f.addRecording(provider, k)
	}
	f.quota = f.Quota(teacher)
	if f.quota.Used == 0 || f.quota.Recordings != int64(n) {
		t.Fatalf("the quota at first: %+v", f.quota)
	}
	return f
}

// put stores size bytes of a seed in an archive.
func (f *fixture) put(provider string, seed, size int) (archive.Stored, []byte) {
	f.t.Helper()
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1}).Read(data)
	path := filepath.Join(f.t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	sum := md5.Sum(data)
	a := f.Deps.Archives[provider]
	key, err := a.NewKey(f.t.Context(), "old")
	if err != nil {
		f.t.Fatal(err)
	}
	stored, err := a.Put(f.t.Context(), archive.Item{Key: key, Path: path, Size: int64(size), MD5: hex.EncodeToString(sum[:]), Name: "a.mp4", SaveSession: func(string) error { return nil }})
	if err != nil {
		f.t.Fatal(err)
	}
	return stored, data
}

// replace gives an object of an archive other bytes.
func (f *fixture) replace(provider, key string, seed, size int) (archive.Stored, []byte) {
	f.t.Helper()
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), 2}).Read(data)
	path := filepath.Join(f.t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	sum := md5.Sum(data)
	stored, err := f.Deps.Archives[provider].Put(f.t.Context(), archive.Item{Key: key, Replace: true, Path: path, Size: int64(size), MD5: hex.EncodeToString(sum[:]), Name: "a.mp4", SaveSession: func(string) error { return nil }})
	if err != nil {
		f.t.Fatal(err)
	}
	return stored, data
}

// publish makes what is stored the new version of the lesson's recording, as an ingest does.
func (f *fixture) publish(row store.Recording, stored archive.Stored, data []byte) {
	f.t.Helper()
	f.Update(func(ctx context.Context, x store.Session) error {
		i, err := store.IngestOfRecording(ctx, x, row.ID)
		if err != nil {
			return err
		}
		row.SetLocation(media.Location{Provider: row.Provider, Key: stored.Key}, "", "")
		row.Size = stored.Size
		if _, err := store.Publish(ctx, x, row, f.now); err != nil {
			return err
		}
		i.ArchiveKey, i.ArchivedVersion, i.Size, i.MD5, i.VerifiedAt = stored.Key, stored.Version, stored.Size, stored.MD5, f.now.Add(time.Second)
		if _, err := store.SaveIngest(ctx, x, i, "", f.now); err != nil {
			return err
		}
		beside, err := store.FileBytes(ctx, x, row.ID)
		if err != nil {
			return err
		}
		_, _, err = store.Commit(ctx, x, row.ID, teacher, row.Size+beside, f.now)
		return err
	})
	f.bytes[row.ID] = data
	f.quota = f.Quota(teacher)
}

// copies are those of a recording's files.
func (f *fixture) copies(recording int64) (out []store.Copy) {
	f.View(func(ctx context.Context, x store.Session) (err error) {
		out, err = store.CopiesOf(ctx, x, recording)
		return err
	})
	return out
}

func (f *fixture) addRecording(provider string, k int) {
	stored, data := f.put(provider, k, 100_000+k)
	part, partData := f.put(provider, 1000+k, 50_000)
	if k > 0 {
		if err := f.Deps.Archives[provider].Remove(f.t.Context(), part.Key); err != nil {
			f.t.Fatal(err)
		}
	}
	f.Update(func(ctx context.Context, x store.Session) error {
		row := store.Recording{Provider: provider, Visibility: media.VisibleCustomStudents, Start: f.now, Title: fmt.Sprint("Lesson ", k)}
		if k == 0 {
			row.LessonID = 1
		} else {
			row.TeacherID = teacher
		}
		var err error
		if row.ID, err = store.AddRecording(ctx, x, row, f.now); err != nil {
			return err
		}
		row.SetLocation(media.Location{Provider: provider, Key: stored.Key}, "", "")
		row.Size = stored.Size
		if _, err := store.Publish(ctx, x, row, f.now); err != nil {
			return err
		}
		f.bytes[row.ID] = data
		size := stored.Size
		if k == 0 {
			if err := f.addIngest(ctx, x, row, stored); err != nil {
				return err
			}
			id, err := f.addPart(ctx, x, row, part)
			if err != nil {
				return err
			}
			f.files[id] = partData
			size += part.Size
		}
		_, _, err = store.Commit(ctx, x, row.ID, teacher, size, f.now)
		return err
	})
}

func (f *fixture) addIngest(ctx context.Context, x store.Session, row store.Recording, stored archive.Stored) error {
	i, _, err := store.RequestIngest(ctx, x, store.Lesson{ID: row.LessonID, TeacherID: teacher}, f.now)
	if err != nil {
		return err
	}
	for _, e := range []store.IngestEvent{store.Begin, store.Archive} {
		if err := i.Apply(e); err != nil {
			return err
		}
	}
	i.RecordingID, i.Provider, i.ArchiveKey, i.ArchivedVersion, i.Size, i.MD5, i.VerifiedAt = row.ID, row.Provider, stored.Key, stored.Version, stored.Size, stored.MD5, f.now
	_, err = store.SaveIngest(ctx, x, i, "", f.now)
	return err
}

func (f *fixture) addPart(ctx context.Context, x store.Session, row store.Recording, part archive.Stored) (int64, error) {
	file := store.RecordingFile{RecordingID: row.ID, Kind: store.KindPart, Provider: row.Provider, ArchiveKey: part.Key, ZoomFile: "uuid/part"}
	var err error
	if file.ID, err = store.AddRecordingFile(ctx, x, file, f.now); err != nil {
		return 0, err
	}
	file.Size, file.MD5, file.VerifiedAt = part.Size, part.MD5, f.now
	return file.ID, store.SaveRecordingFile(ctx, x, file)
}

// mover makes a mover of its own process. dead are processes that have been killed.
func (f *fixture) mover(id string, dead ...string) *move.Mover { return f.moverOf(id, 2, dead...) }

// moverOf is mover with a number of workers.
func (f *fixture) moverOf(id string, workers int, dead ...string) *move.Mover {
	work := workdir.New(f.Config.WorkDir, 1<<30, 0)
	if err := work.Prepare(); err != nil {
		f.t.Fatal(err)
	}
	return move.New(move.Config{Workers: workers, RetryDelays: []time.Duration{time.Millisecond, time.Millisecond}}, move.Deps{
		ID: id, Store: f.Store, Archives: f.Deps.Archives, Work: work,
		Dead:        func(id string) bool { return slices.Contains(dead, id) },
		OthersAlive: func(context.Context) (bool, error) { return true, nil },
		Log:         slog.New(slog.DiscardHandler), Now: func() time.Time { return f.now },
	})
}

// move moves everything and compares what that came to.
func (f *fixture) move(m *move.Mover, from, to string, want move.Summary) {
	f.t.Helper()
	var results []move.Result
	got, err := m.Run(f.t.Context(), move.Options{From: from, To: to, Progress: func(r move.Result) { results = append(results, r) }})
	if err != nil || got != want {
		f.t.Fatalf("moved: %+v, %v; want %+v; %+v", got, err, want, results)
	}
}

// total is the size of everything.
func (f *fixture) total() (n int64) {
	for _, b := range f.bytes {
		n += int64(len(b))
	}
	for _, b := range f.files {
		n += int64(len(b))
	}
	return n
}

// keys are the objects of an archive.
func (f *fixture) keys(provider string) (out []string) {
	f.t.Helper()
	if err := f.Deps.Archives[provider].List(f.t.Context(), func(s archive.Stored) error { out = append(out, s.Key); return nil }); err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fixture) recording(id int64) (row store.Recording) {
	f.View(func(ctx context.Context, x store.Session) (err error) {
		row, err = store.LoadRecording(ctx, x, id, false)
		return err
	})
	return row
}

// wantAt checks that everything is in an archive, whole, once, and that nothing was charged.
func (f *fixture) wantAt(provider string) {
	f.t.Helper()
	for id, want := range f.bytes {
		row := f.recording(id)
		if row.Provider != provider || row.Status != media.StatusReady || !bytes.Equal(f.BytesOf(row), want) {
			f.t.Errorf("recording %d: %+v", id, row)
		}
		if drive := provider == media.ProviderDrive; drive != (row.DriveFile != "") || row.ArchiveKey == "" || drive != (row.DownloadURL != "") {
			f.t.Errorf("recording %d names %q, %q, %q", id, row.ArchiveKey, row.DriveFile, row.DownloadURL)
		}
		f.View(func(ctx context.Context, x store.Session) error {
			files, err := store.UnpurgedFiles(ctx, x, id)
			for _, one := range files {
				at := store.Recording{Provider: one.Provider, ArchiveKey: one.ArchiveKey}
				if one.Provider != provider || !bytes.Equal(f.BytesOf(at), f.files[one.ID]) {
					f.t.Errorf("beside recording %d: %+v", id, one)
				}
			}
			return err
		})
	}
	if n := len(f.keys(provider)); n != len(f.bytes)+len(f.files) {
		f.t.Errorf("%s holds %d files of %d", provider, n, len(f.bytes)+len(f.files))
	}
	if i := f.Ingest(1); i.Provider != provider || i.ArchiveKey != f.recording(i.RecordingID).ArchiveKey || i.State() != store.Done {
		f.t.Errorf("the ingest: %+v", i)
	}
	var recomputed store.Quota
	f.Update(func(ctx context.Context, x store.Session) (err error) {
		_, recomputed, _, err = store.RecomputeUsage(ctx, x, teacher, f.now)
		return err
	})
	if q := f.Quota(teacher); q != f.quota || recomputed != f.quota {
		f.t.Errorf("the quota was %+v, is %+v, recomputed %+v", f.quota, q, recomputed)
	}
}

// purge runs the purge.
func (f *fixture) purge() {
	f.t.Helper()
	if _, failed, err := f.Syncer.RunPeriodic(f.t.Context(), "purge"); err != nil || failed != 0 {
		f.t.Errorf("purge: %d failed, %v", failed, err)
	}
}
