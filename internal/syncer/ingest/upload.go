package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/filename"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// upload puts the file into the archive and verifies it by the archive's own checksum.
// The key is in the database before the first byte goes up: whoever tries again
// uploads to the same place.
func (r *run) upload(ctx context.Context, m joined) (archive.Stored, error) {
	target, err := r.ensureKey(ctx)
	if err != nil {
		return archive.Stored{}, err
	}
	stored, err := target.Put(ctx, archive.Item{
		Key: r.row.ArchiveKey, Replace: r.row.Archived(), Path: m.path, Size: m.size, MD5: m.md5,
		Name: r.fileName(), Folder: r.teacher.DriveFolder,
		Properties: map[string]string{
			"lesson": strconv.FormatInt(r.row.LessonID, 10), "zoomUuid": short(r.plan.parts[0].MeetingUUID), "zoomFileId": short(r.plan.parts[0].ID),
		},
		Session:     r.loadSession(r.row.ArchiveKey, m.md5),
		SaveSession: r.saveSession(r.row.ArchiveKey, m.md5),
	})
	if err != nil {
		return archive.Stored{}, failedAt(atArchive, err)
	}
	if !stored.Same(m.size, m.md5) {
		return archive.Stored{}, r.discard(ctx, target, stored)
	}
	r.archived = true
	return stored, nil
}

// ensureKey gives the ingest a key in the archive, unless it has one: what was begun in
// one archive is finished there.
func (r *run) ensureKey(ctx context.Context) (archive.Archive, error) {
	target := r.s.deps.Target
	if r.row.ArchiveKey != "" {
		target, err := r.s.deps.Archives.Get(r.row.Provider)
		return target, failedAt(atArchive, err)
	}
	key, err := target.NewKey(ctx, r.keyHint())
	if err != nil {
		return nil, failedAt(atArchive, err)
	}
	return target, r.update(ctx, "syncer: an archive key", func(_ store.Session, i *store.Ingest) error {
		i.Provider, i.ArchiveKey = target.Provider(), key
		return nil
	})
}

// keyHint is what people see in an archive's key where it has readable ones: the
// lesson's id, or whose own it is.
func (r *run) keyHint() string {
	if r.row.LessonID == 0 {
		return "teacher-" + strconv.FormatInt(r.row.TeacherID, 10)
	}
	return strconv.FormatInt(r.row.LessonID, 10)
}

// short keeps a property within Drive's 124 bytes for name and value.
func short(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}

// discard deletes an archived file that is not what was sent, and gives up its key. A new
// version of what was archived before is left: an archive that reports no checksum yet would
// lose the only copy, and the next try sends it again.
func (r *run) discard(ctx context.Context, target archive.Archive, stored archive.Stored) error {
	if r.row.Archived() {
		r.log.Error("ingest: new version's checksum does not match", slog.String("key", r.row.ArchiveKey))
		// The session has ended with what is wrong: resumed, it would end so again.
		if err := os.Remove(r.sessionPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return failedAt(atDisk, err)
		}
		return failedAt(atArchive, &media.Error{Kind: media.Corrupt, Op: "syncer: verify", Reason: store.ReasonArchiveUnverified})
	}
	r.log.Error("ingest: archive's checksum does not match, file deleted", slog.String("key", r.row.ArchiveKey))
	if err := target.Remove(ctx, r.row.ArchiveKey); err != nil {
		return failedAt(atArchive, err)
	}
	err := r.update(ctx, "syncer: give up an archive key", func(x store.Session, i *store.Ingest) error {
		i.ArchiveKey, i.VerifiedAt, i.ArchivedParts = "", time.Time{}, ""
		return r.history(ctx, x, i, "failed verification", fmt.Sprintf("the archive holds %d bytes with another checksum", stored.Size))
	})
	if err != nil {
		return err
	}
	return failedAt(atArchive, &media.Error{Kind: media.Corrupt, Op: "syncer: verify", Reason: store.ReasonArchiveUnverified})
}

// fileName is what people see in the archive's folder: the lesson's beginning in UTC, and
// its title.
func (r *run) fileName() string {
	const ext = ".mp4"
	return filename.Of(r.lesson.Start.UTC().Format("2006-01-02 1504")+" "+r.lesson.Title, ext) + ext
}

// uploadSession is what an interrupted upload leaves for the next run, with the file:
// it gives access to the archive, and is never written into the database.
type uploadSession struct {
	Key     string `json:"key"`
	MD5     string `json:"md5"`
	Session string `json:"session"`
}

func (r *run) sessionPath() string {
	return filepath.Join(r.s.work.path(r.row.ID), "session.json")
}

func (r *run) loadSession(key, md5 string) string {
	var s uploadSession
	data, err := os.ReadFile(r.sessionPath())
	if err != nil || json.Unmarshal(data, &s) != nil || s.Key != key || s.MD5 != md5 {
		return ""
	}
	return s.Session
}

func (r *run) saveSession(key, md5 string) func(string) error {
	return func(uri string) error {
		data, err := json.Marshal(uploadSession{key, md5, uri})
		if err != nil {
			return err
		}
		partial := r.sessionPath() + ".partial"
		if err := os.WriteFile(partial, data, 0o600); err != nil {
			return fmt.Errorf("the upload's session: %w", err)
		}
		return os.Rename(partial, r.sessionPath())
	}
}
