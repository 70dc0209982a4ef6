package ingest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// hookedArchive calls hook before and after each change of a file; an error ends the call.
type hookedArchive struct {
	archive.Archive
	mu   sync.Mutex
	hook func(moment, key string) error // guarded by mu; nil = none
}

func (a *hookedArchive) at(moment, key string) error {
	a.mu.Lock()
	hook := a.hook
	a.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(moment, key)
}

func (a *hookedArchive) setHook(hook func(moment, key string) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hook = hook
}

func (a *hookedArchive) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	if err := a.at("before put", item.Key); err != nil {
		return archive.Stored{}, err
	}
	stored, err := a.Archive.Put(ctx, item)
	if err != nil {
		return stored, err
	}
	return stored, a.at("after put", item.Key)
}

func (a *hookedArchive) Remove(ctx context.Context, key string) error {
	if err := a.at("before remove", key); err != nil {
		return err
	}
	if err := a.Archive.Remove(ctx, key); err != nil {
		return err
	}
	return a.at("after remove", key)
}

// wrapIn puts an archive into hooked.
func wrapIn(hooked *hookedArchive) func(archive.Archive) archive.Archive {
	return func(a archive.Archive) archive.Archive { hooked.Archive = a; return hooked }
}

// archivedFirst has the first part of lesson 1 in the archive only, and returns its row.
func archivedFirst(t *testing.T, s *syncertest.Server) store.Recording {
	t.Helper()
	s.Record("1", number, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	syncertest.Eventually(t, "trashed", func() (bool, string) { got := s.Zoom.Stats().Trashed; return len(got) == 1, fmt.Sprint(got) })
	s.Deliver(s.Zoom.Event("recording.trashed", "uuid-1=="))
	s.Idle()
	return s.Archived(1)
}

// laterPart delivers the second part of lesson 1.
func laterPart(s *syncertest.Server) {
	s.Record("1", number, "uuid-2==", syncertest.LessonStart.Add(65*60e9))
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-2=="))
}

// trashingAtOnce moves Zoom's copy to Zoom's trash as soon as it is archived.
var trashingAtOnce = syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = 0 })

// TestANewVersionIsKilled ends the run of a later part at each change in the archive, with
// the temporary files lost: the row, the bytes that it names and the quota agree at every
// moment, what is not published is not seen, and the recording ends in its first file.
func TestANewVersionIsKilled(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"local": nil, "drive": {syncertest.OnDrive}, "s3": {syncertest.OnS3}} {
		t.Run(name, func(t *testing.T) {
			hooked := &hookedArchive{}
			s := syncertest.New(t, append(options, trashingAtOnce, syncertest.WithArchive(wrapIn(hooked)))...).Start()
			first := archivedFirst(t, s)
			before := s.BytesOf(first)
			var moments []string
			hooked.setHook(func(moment, key string) error {
				row := s.Recordings(1)[0]
				if key == first.Location().Key {
					moment += ", first file"
				}
				data, quota := s.BytesOf(row), s.Quota(1)
				if int64(len(data)) != row.Size || quota.Used != row.Size || quota.Recordings != 1 || row.Status != media.StatusReady {
					t.Errorf("%s: the row says %d bytes at %s, there are %d; %+v", moment, row.Size, row.Location().Key, len(data), quota)
				}
				published := row.Seconds == 4
				if !published && (row.Location() != first.Location() || !bytes.Equal(data, before)) {
					t.Errorf("%s: what is not published is seen at %s", moment, row.Location().Key)
				}
				if i, sum := s.Ingest(1), sha256.Sum256(data); i.ArchiveKey != row.Location().Key || i.Size != row.Size || i.SHA256 != hex.EncodeToString(sum[:]) {
					t.Errorf("%s: the ingest says %+v", moment, i)
				}
				moment += fmt.Sprintf(", published %t", published)
				if slices.Contains(moments, moment) {
					return nil
				}
				moments = append(moments, moment)
				if err := os.RemoveAll(s.Config.WorkDir); err != nil {
					t.Error(err)
				}
				if err := os.Mkdir(s.Config.WorkDir, 0o700); err != nil {
					t.Error(err)
				}
				return media.Faultf(media.Unavailable, "test", "killed %s", moment)
			})
			laterPart(s)
			syncertest.Eventually(t, "nothing is left to do", func() (bool, string) {
				i := s.Ingest(1)
				return len(i.Parts()) == 2 && i.StagedKey == "" && i.OriginalKey == "", fmt.Sprintf("%+v", i)
			})
			r := s.Archived(1, "uuid-1==/file-uuid-1==", "uuid-2==/file-uuid-2==")
			want := []string{
				"before put, published false", "after put, published false",
				"before put, first file, published true", "after put, first file, published true",
				"before remove, published true", "after remove, published true",
			}
			if !slices.Equal(moments, want) {
				t.Errorf("killed at %q, want %q", moments, want)
			}
			if r.ID != first.ID || r.Location() != first.Location() || r.Seconds != 4 {
				t.Errorf("%+v became %+v", first, r)
			}
			if keys := s.Keys(); !slices.Equal(keys, []string{first.Location().Key}) {
				t.Errorf("archived: %v", keys)
			}
			if q := s.Quota(1); q.Used != r.Size || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("quota: %+v of %d", q, r.Size)
			}
		})
	}
}

// TestRemovedDuringANewVersion: people remove the recording while a later part is
// uploaded: the archive keeps what it had, for the grace in which the removal can be undone.
func TestRemovedDuringANewVersion(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"local": nil, "drive": {syncertest.OnDrive}} {
		t.Run(name, func(t *testing.T) {
			hooked := &hookedArchive{}
			s := syncertest.New(t, append(options, trashingAtOnce, syncertest.WithArchive(wrapIn(hooked)))...).Start()
			first := archivedFirst(t, s)
			before := s.BytesOf(first)
			hooked.setHook(func(moment, _ string) error {
				if moment == "after put" {
					s.Exec(`UPDATE public.schedule_lessonrecording SET is_deleted = $2, status = 'deleted', deleted_at = $3 WHERE id = $1`, first.ID, true, syncertest.Stamp(syncertest.LessonStart))
				}
				return nil
			})
			laterPart(s)
			syncertest.Eventually(t, "it is noticed", func() (bool, string) {
				i := s.Ingest(1)
				return i.State() == store.Removed && i.Lease == "", fmt.Sprintf("%+v", i)
			})
			row := s.Recordings(1)[0]
			if row.Location() != first.Location() || !bytes.Equal(s.BytesOf(row), before) || !slices.Equal(s.Keys(), []string{first.Location().Key}) {
				t.Errorf("%+v became %+v; archived: %v", first, row, s.Keys())
			}
		})
	}
}

// TestTheOriginalFileIsGivenUp: a recording stays under the key of its new version when
// its first file was deleted meanwhile, is another recording's too, or is damaged by the archive.
func TestTheOriginalFileIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(s *syncertest.Server, first store.Recording) // after the new version is uploaded
		files int                                               // in the archive at the end
	}{
		{"deleted", func(s *syncertest.Server, first store.Recording) { s.Drive.Remove(first.DriveFile) }, 1},
		{"shared", func(s *syncertest.Server, first store.Recording) {
			s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, gdrive_file_id) VALUES (2, 'ready', 'gdrive', $1)`, first.DriveFile)
		}, 2},
		{"damaged", func(s *syncertest.Server, _ store.Recording) {
			s.Drive.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Damage: 1}})
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			hooked := &hookedArchive{}
			s := syncertest.New(t, syncertest.OnDrive, trashingAtOnce, syncertest.WithArchive(wrapIn(hooked))).Start()
			first := archivedFirst(t, s)
			before := s.BytesOf(first)
			hooked.setHook(func(moment, key string) error {
				if moment == "after put" && key != first.DriveFile {
					c.spoil(s, first)
				}
				return nil
			})
			laterPart(s)
			r := s.Archived(1, "uuid-1==/file-uuid-1==", "uuid-2==/file-uuid-2==")
			if r.DriveFile == first.DriveFile || r.Seconds != 4 || int64(len(s.BytesOf(r))) != r.Size {
				t.Errorf("%+v became %+v", first, r)
			}
			if keys := s.Keys(); len(keys) != c.files {
				t.Errorf("archived: %v", keys)
			}
			if c.name == "shared" && !bytes.Equal(s.BytesOf(first), before) {
				t.Error("another recording's bytes were replaced")
			}
		})
	}
}

// TestRemovedBeforeTheOriginalIsNamed: people remove the recording while its original file
// gets the bytes of the new version: only the file that the removed row names is left.
func TestRemovedBeforeTheOriginalIsNamed(t *testing.T) {
	hooked := &hookedArchive{}
	s := syncertest.New(t, trashingAtOnce, syncertest.WithArchive(wrapIn(hooked))).Start()
	first := archivedFirst(t, s)
	hooked.setHook(func(moment, key string) error {
		if moment == "after put" && key == first.Location().Key {
			s.Exec(`UPDATE public.schedule_lessonrecording SET is_deleted = $2, status = 'deleted', deleted_at = $3 WHERE id = $1`, first.ID, true, syncertest.Stamp(time.Now()))
		}
		return nil
	})
	laterPart(s)
	syncertest.Eventually(t, "nothing is left to do", func() (bool, string) {
		i := s.Ingest(1)
		return len(i.Parts()) == 2 && i.Lease == "" && i.StagedKey == "" && i.OriginalKey == "", fmt.Sprintf("%+v", i)
	})
	row := s.Recordings(1)[0]
	if !row.Deleted || row.Seconds != 4 || !slices.Equal(s.Keys(), []string{row.Location().Key}) || int64(len(s.BytesOf(row))) != row.Size {
		t.Errorf("%+v became %+v; archived: %v", first, row, s.Keys())
	}
}
