package move_test

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/move"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// kill runs a mover until it has done a step for the n-th time, and kills it there: its
// goroutine ends, and its lease stays.
func (f *fixture) kill(id, step string, n int, to string) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	m, killed := f.moverOf(id, 1), int64(0)
	m.OnStep(func(name string) {
		if name != step {
			return
		}
		if n--; n == 0 {
			f.View(func(ctx context.Context, x store.Session) error {
				return x.One(ctx, `SELECT recording_id FROM lectern.lectern_moves WHERE owner = $1`, []any{id}, &killed)
			})
			cancel()
			runtime.Goexit()
		}
	})
	if _, err := m.Run(ctx, move.Options{To: to}); killed == 0 {
		f.t.Fatalf("the mover was not killed after %q: %v", step, err)
	}
	// Here it has released its lease at its end, unless the database was too busy for that.
	f.Exec(`INSERT INTO lectern.lectern_moves (recording_id, owner, beat_at) VALUES ($1, $2, $3) ON CONFLICT (recording_id) DO NOTHING`, killed, id, syncertest.Stamp(f.now))
}

// TestKilledMover: a mover is killed after each step, of a recording's own file and of the
// part beside it. Another one goes on at once: nothing is there twice, nothing is lost, and
// nothing is charged.
func TestKilledMover(t *testing.T) {
	for _, dialect := range []struct {
		name    string
		options []syncertest.Option
	}{{"sqlite", nil}, {"postgres", []syncertest.Option{syncertest.OnPostgres}}} {
		t.Run(dialect.name, func(t *testing.T) {
			f := newFixture(t, drive, 2, dialect.options...)
			at, to := drive, local
			for _, step := range move.Steps {
				for _, n := range []int{1, 2} {
					f.kill("killed", step, n, to)
					got, err := f.mover("next", "killed").Run(f.t.Context(), move.Options{To: to})
					if err != nil || got.Failed+got.Skipped > 0 {
						t.Errorf("after %q (%d): %+v, %v", step, n, got, err)
					}
					f.wantAt(to)
					f.now = f.now.Add(2 * time.Hour)
					f.purge()
					if keys := f.keys(at); len(keys) > 0 {
						t.Errorf("after %q (%d): %s still holds %v", step, n, at, keys)
					}
					at, to = to, at
				}
			}
		})
	}
}

// TestChangedWhileCopied: what happens between the verification of a copy and the switch.
func TestChangedWhileCopied(t *testing.T) {
	own := func(f *fixture) store.Recording { return f.Recordings(1)[0] }
	tests := []struct {
		name   string
		change func(f *fixture)
		want   move.Summary // without Bytes
		check  func(t *testing.T, f *fixture)
	}{
		{"the recording is removed", func(f *fixture) {
			f.Update(func(ctx context.Context, x store.Session) error {
				_, err := store.RemoveRecording(ctx, x, own(f).ID, "by its teacher", f.now)
				return err
			})
		}, move.Summary{Skipped: 1}, func(t *testing.T, f *fixture) {
			f.purge()
			if keys := f.keys(local); len(keys) != 0 || own(f).Provider != drive {
				t.Errorf("the copies are still there: %v, %+v", keys, own(f))
			}
		}},
		{"the recording is deleted for good", func(f *fixture) {
			f.Exec(`DELETE FROM public.schedule_lessonrecording WHERE id = $1`, own(f).ID)
		}, move.Summary{Skipped: 1}, func(t *testing.T, f *fixture) {
			f.purge()
			if keys := f.keys(local); len(keys) != 0 {
				t.Errorf("the copies are still there: %v", keys)
			}
		}},
		{"a new version is archived under another key", func(f *fixture) {
			stored, data := f.put(drive, 77, 70_000)
			f.publish(own(f), stored, data)
		}, move.Summary{Moved: 1}, func(t *testing.T, f *fixture) {
			f.purge() // the copy of the former version
			f.wantAt(local)
		}},
		{"a new version is archived under the same key", func(f *fixture) {
			stored, data := f.replace(drive, own(f).Location().Key, 78, 70_000)
			f.publish(own(f), stored, data)
		}, move.Summary{Moved: 1}, func(t *testing.T, f *fixture) {
			f.purge() // the copy of the former version
			f.wantAt(local)
		}},
		{"the archive has lost it", func(f *fixture) {
			f.Exec(`UPDATE public.schedule_lessonrecording SET status = 'failed' WHERE id = $1`, own(f).ID)
		}, move.Summary{Skipped: 1}, nil},
		{"the part beside it is replaced", func(f *fixture) {
			stored, data := f.put(drive, 79, 60_000)
			for id := range f.files {
				f.Exec(`UPDATE lectern.lectern_recording_files SET archive_key = $2, size = $3, md5 = $4 WHERE id = $1`, id, stored.Key, stored.Size, stored.MD5)
				f.files[id] = data
			}
		}, move.Summary{Moved: 1}, func(t *testing.T, f *fixture) {
			for id, data := range f.files {
				f.View(func(ctx context.Context, x store.Session) error {
					files, err := store.RecordingParts(ctx, x, own(f).ID)
					if len(files) != 1 || files[0].ID != id || files[0].Provider != local || files[0].Size != int64(len(data)) {
						t.Errorf("beside it: %+v", files)
					}
					return err
				})
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, drive, 1)
			m := f.moverOf("a", 1)
			verified := 0
			m.OnStep(func(step string) {
				if step == "verified" {
					if verified++; verified == 2 { // the recording's own file and its part
						tt.change(f)
					}
				}
			})
			got, err := m.Run(t.Context(), move.Options{To: local})
			got.Bytes = 0
			if err != nil || got != tt.want {
				t.Fatalf("moved: %+v, %v; want %+v", got, err, tt.want)
			}
			if tt.check != nil {
				tt.check(t, f)
			}
		})
	}
}

// TestTwoMovers: of two movers at the same time one waits for the other, and finds what it
// has done.
func TestTwoMovers(t *testing.T) {
	f := newFixture(t, drive, 3)
	first, second := f.moverOf("first", 1), f.moverOf("second", 1)
	begun, go1 := make(chan struct{}), make(chan struct{})
	first.OnStep(func(step string) {
		if step == "uploaded" && begun != nil {
			close(begun)
			begun = nil
			<-go1
		}
	})
	sums := make(chan move.Summary, 2)
	run := func(m *move.Mover, progress func(move.Result)) {
		sum, err := m.Run(f.t.Context(), move.Options{To: local, Progress: progress})
		if err != nil {
			t.Error(err)
		}
		sums <- sum
	}
	wait := begun
	go run(first, nil)
	<-wait
	done := 0
	go run(second, func(move.Result) {
		if done++; done == 2 { // all but the one that the first is at
			close(go1)
		}
	})
	a, b := <-sums, <-sums
	if a.Moved+b.Moved != 3 || a.Failed+b.Failed != 0 {
		t.Errorf("moved: %+v and %+v", a, b)
	}
	f.wantAt(local)
}

// TestIngestAtWork: a recording whose ingest is at work is moved when that has ended; when
// nobody would end it, the reason is told.
func TestIngestAtWork(t *testing.T) {
	f := newFixture(t, drive, 1)
	f.Exec(`UPDATE lectern.lectern_ingests SET owner = 'other#1'`)
	alone := f.moverOf("a", 1)
	alone.NobodyServes()
	if got, err := alone.Run(t.Context(), move.Options{To: local}); err != nil || got != (move.Summary{Failed: 1}) {
		t.Errorf("nobody serves: %+v, %v", got, err)
	}
	m, waits := f.moverOf("a", 1), 0
	m.OnStep(func(step string) {
		if step == "leased" {
			if waits++; waits == 2 {
				f.Exec(`UPDATE lectern.lectern_ingests SET owner = ''`)
			}
		}
	})
	f.move(m, "", local, move.Summary{Moved: 1, Bytes: f.total()})
	f.wantAt(local)
}

// TestDamagedSource: what is not what was archived is not moved.
func TestDamagedSource(t *testing.T) {
	f := newFixture(t, drive, 2)
	row := f.Recordings(1)[0]
	f.replace(drive, row.Location().Key, 99, 100_000)
	f.move(f.mover("a"), "", local, move.Summary{Moved: 1, Failed: 1, Bytes: int64(len(f.bytes[row.ID+1]))})
	if f.recording(row.ID).Provider != drive {
		t.Error("it was moved")
	}
}

// TestLostCopy: while the grace lasts, a recording whose copy is lost is returned to the
// former file; the purge leaves that alone before and after.
func TestLostCopy(t *testing.T) {
	f := newFixture(t, drive, 1)
	f.move(f.mover("a"), "", local, move.Summary{Moved: 1, Bytes: f.total()})
	for _, key := range f.keys(local) {
		if err := f.Deps.Archives[local].Remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	f.now = f.now.Add(2 * time.Hour)
	if _, failed, err := f.Syncer.RunPeriodic(t.Context(), "purge"); err != nil || failed != 2 {
		t.Errorf("the purge with nothing in the new archive: %d failed, %v", failed, err)
	}
	f.Start()
	syncertest.Eventually(t, "both files are returned", func() (bool, string) {
		row := f.Recordings(1)[0]
		return row.Provider == drive && f.Ingest(1).Provider == drive, row.Provider
	})
	f.Syncer.Stop()
	f.wantAt(drive)
	f.now = f.now.Add(2 * time.Hour)
	f.purge()
	f.wantAt(drive)
}

// TestLostRenewedCopy: a recording is not returned to an older version than was archived
// under the key of its copy.
func TestLostRenewedCopy(t *testing.T) {
	f := newFixture(t, drive, 1)
	m := f.mover("a")
	f.move(m, "", local, move.Summary{Moved: 1, Bytes: f.total()})
	row := f.Recordings(1)[0]
	stored, data := f.replace(local, row.Location().Key, 78, 70_000)
	f.publish(row, stored, data)
	if err := f.Deps.Archives[local].Remove(t.Context(), stored.Key); err != nil {
		t.Fatal(err)
	}
	if returned, err := m.Return(t.Context(), row.ID, 0, row.Location()); returned || err != nil || f.recording(row.ID).Location() != row.Location() {
		t.Errorf("returned: %v, %v; %+v", returned, err, f.recording(row.ID))
	}
}

// TestFormerFiles: what reconciliation, the purge and the rows of copies make of files that
// recordings were moved away from.
func TestFormerFiles(t *testing.T) {
	f := newFixture(t, drive, 2)
	f.move(f.mover("a"), "", local, move.Summary{Moved: 2, Bytes: f.total()})
	var known map[string]bool
	f.View(func(ctx context.Context, x store.Session) (err error) {
		known, err = store.ReferencedKeys(ctx, x, drive)
		return err
	})
	for _, key := range f.keys(drive) {
		if !known[key] {
			t.Errorf("%s counts as an orphan", key)
		}
	}
	// One recording is removed and purged meanwhile; the other's former file is named again.
	removed, other := f.Recordings(1)[0], int64(0)
	for id := range f.bytes {
		if id != removed.ID {
			other = id
		}
	}
	former := f.copies(other)[0].From
	f.Update(func(ctx context.Context, x store.Session) error {
		if _, err := store.RemoveRecording(ctx, x, removed.ID, "by its teacher", f.now); err != nil {
			return err
		}
		shared := store.Recording{TeacherID: teacher, Provider: drive, Visibility: media.VisibleCustomStudents, Start: f.now}
		id, err := store.AddRecording(ctx, x, shared, f.now)
		if err != nil {
			return err
		}
		shared.ID = id
		shared.SetLocation(former, "", "")
		_, err = store.Publish(ctx, x, shared, f.now)
		return err
	})
	f.now = f.now.Add(2 * time.Hour)
	f.purge()
	if keys := f.keys(drive); !slices.Equal(keys, []string{former.Key}) {
		t.Errorf("Drive holds %v, of which %s is named", keys, former.Key)
	}
	if keys := f.keys(local); !slices.Equal(keys, []string{f.recording(other).Location().Key}) {
		t.Errorf("the folder holds %v", keys)
	}
}

// TestWithoutChecksum: a copy in an archive that names no checksum is read back.
func TestWithoutChecksum(t *testing.T) {
	f := newFixture(t, drive, 1)
	f.Deps.Archives[local] = silent{f.Deps.Archives[local]}
	f.move(f.mover("a"), "", local, move.Summary{Moved: 1, Bytes: f.total()})
	f.wantAt(local)
	f.Deps.Archives[drive] = liar{f.Deps.Archives[drive]}
	f.move(f.mover("a"), "", drive, move.Summary{Failed: 1})
	f.wantAt(local)
}

// silent is an archive that names no checksums.
type silent struct{ archive.Archive }

func (s silent) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	stored, err := s.Archive.Put(ctx, item)
	stored.MD5 = ""
	return stored, err
}

// liar is an archive that names no checksums and gives other bytes back than it was sent.
type liar struct{ archive.Archive }

func (l liar) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	other := item
	other.MD5 = ""
	stored, err := l.Archive.Put(ctx, other)
	stored.MD5, stored.Size = "", item.Size-1
	return stored, err
}

// TestUnpublishedKeys: what an ingest that was killed has left in the former archive, of a
// version that is not published or of the file before it, is removed at once.
func TestUnpublishedKeys(t *testing.T) {
	f := newFixture(t, drive, 1)
	staged, _ := f.put(drive, 61, 1000)
	original, _ := f.put(drive, 62, 1000)
	f.Exec(`UPDATE lectern.lectern_ingests SET staged_key = $1, original_key = $2`, staged.Key, original.Key)
	f.move(f.mover("a"), "", local, move.Summary{Moved: 1, Bytes: f.total()})
	if i := f.Ingest(1); i.StagedKey != "" || i.OriginalKey != "" {
		t.Errorf("the ingest still names %q and %q", i.StagedKey, i.OriginalKey)
	}
	f.purge()
	if keys := f.keys(drive); len(keys) != 2 || slices.Contains(keys, staged.Key) || slices.Contains(keys, original.Key) {
		t.Errorf("Drive holds %v, which is not what is in its grace", keys)
	}
	f.wantAt(local)
}

// TestPausedMover: a mover whose machine stood still has its copies given up and removed by
// the purge. Its recording never names one of them.
func TestPausedMover(t *testing.T) {
	for _, step := range []string{"uploaded", "verified"} {
		t.Run(step, func(t *testing.T) {
			f := newFixture(t, drive, 1)
			m, paused := f.moverOf("a", 1), false
			m.OnStep(func(name string) {
				if name == step && !paused {
					paused = true
					f.now = f.now.Add(48 * time.Hour)
					f.purge()
					if keys := f.keys(local); len(keys) != 0 {
						t.Errorf("the purge has left %v", keys)
					}
				}
			})
			f.move(m, "", local, move.Summary{Moved: 1, Bytes: f.total()})
			f.wantAt(local)
		})
	}
}

// TestLapsedMover: a mover whose machine stood still finishes its upload after another one,
// on another machine, has moved a newer version. What the recording names stays as it is.
func TestLapsedMover(t *testing.T) {
	f := newFixture(t, drive, 1)
	m, paused := f.moverOf("a", 1), false
	m.OnStep(func(name string) {
		if name != "fetched" || paused {
			return
		}
		paused = true
		row := f.Recordings(1)[0]
		stored, data := f.replace(drive, row.Location().Key, 78, 70_000)
		f.publish(row, stored, data)
		f.now = f.now.Add(time.Minute)
		f.Config.WorkDir = t.TempDir()
		f.move(f.mover("b"), "", local, move.Summary{Moved: 1, Bytes: f.total()})
	})
	if got, err := m.Run(t.Context(), move.Options{To: local}); err != nil || got != (move.Summary{Skipped: 1}) {
		t.Errorf("moved: %+v, %v", got, err)
	}
	f.purge()
	f.wantAt(local)
}

// TestReplacedCopy: while somebody has replaced a copy by something else, the purge leaves
// the former file alone.
func TestReplacedCopy(t *testing.T) {
	f := newFixture(t, drive, 2)
	f.move(f.mover("a"), "", local, move.Summary{Moved: 2, Bytes: f.total()})
	for id := range f.bytes {
		f.replace(local, f.recording(id).Location().Key, 88, 100_000)
	}
	f.now = f.now.Add(2 * time.Hour)
	if _, failed, err := f.Syncer.RunPeriodic(t.Context(), "purge"); err != nil || failed != 2 {
		t.Errorf("purge: %d failed, %v", failed, err)
	}
	if keys := f.keys(drive); len(keys) != 2 {
		t.Errorf("Drive holds %v", keys)
	}
}

// TestReplacedWithoutChecksum: what a killed mover has fetched is not sent when nothing
// proves that the source still is the same.
func TestReplacedWithoutChecksum(t *testing.T) {
	f := newFixture(t, drive, 2)
	row := f.Recordings(1)[0]
	f.move(f.mover("a"), "", local, move.Summary{Moved: 2, Bytes: f.total()})
	f.Exec(`DELETE FROM lectern.lectern_ingests`)
	f.Deps.Archives[local] = mute{f.Deps.Archives[local]}
	f.kill("killed", "fetched", 1, drive)
	_, want := f.replace(local, f.recording(row.ID).Location().Key, 89, len(f.bytes[row.ID]))
	f.move(f.mover("b", "killed"), "", drive, move.Summary{Moved: 2, Bytes: f.total()})
	if got := f.BytesOf(f.recording(row.ID)); !bytes.Equal(got, want) {
		t.Errorf("%d bytes of what was replaced", len(got))
	}
}

// mute is an archive that knows no checksums.
type mute struct{ archive.Archive }

func (m mute) Stat(ctx context.Context, key string) (archive.Stored, error) {
	stored, err := m.Archive.Stat(ctx, key)
	stored.MD5 = ""
	return stored, err
}
