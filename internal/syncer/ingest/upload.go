package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// upload puts the file into the archive and verifies it by the archive's own checksum.
// The key is in the database before the first byte goes up: a run that tries again
// uploads to the same place. No recording names the key before publish does.
func (r *run) upload(ctx context.Context, m joined) (archive.Stored, error) {
	target, key, err := r.ensureKey(ctx)
	if err != nil {
		return archive.Stored{}, err
	}
	var stored archive.Stored
	err = step(ctx, "upload", func(ctx context.Context) (err error) {
		stored, err = r.lock.Put(ctx, r.s.deps.Archives, target, r.item(key, ".mp4", m.path, m.size, m.md5))
		return failedAt(atArchive, err)
	})
	if err != nil {
		return archive.Stored{}, err
	}
	err = step(ctx, "verify", func(ctx context.Context) error {
		if stored.Same(m.size, m.md5) {
			return nil
		}
		return r.discard(ctx, target, key, stored)
	})
	if err != nil {
		return archive.Stored{}, err
	}
	r.archived = true
	return stored, nil
}

// item is a file of the recording for the archive; suffix ends its name.
func (r *run) item(key, suffix, path string, size int64, md5 string) archive.Item {
	properties := map[string]string{"lesson": strconv.FormatInt(r.row.LessonID, 10)}
	if len(r.plan.parts) > 0 {
		properties["zoomUuid"], properties["zoomFileId"] = short(r.plan.parts[0].MeetingUUID), short(r.plan.parts[0].ID)
	}
	return archive.Item{
		Key: key, Path: path, Size: size, MD5: md5, Name: store.ArchiveName(r.lesson.Start, r.lesson.Title, suffix), Folder: r.teacher.DriveFolder, Properties: properties,
	}
}

// ensureKey gives the ingest a key for what it uploads, unless it has one: what was begun
// in one archive is finished there. A new version of what is archived has a StagedKey, all
// else the ArchiveKey.
func (r *run) ensureKey(ctx context.Context) (target archive.Archive, key string, err error) {
	target, key = r.s.deps.Target, r.row.ArchiveKey
	if key != "" {
		if target, err = r.s.deps.Archives.Get(r.row.Provider); err != nil {
			return nil, "", failedAt(atArchive, err)
		}
	}
	if r.row.Archived() {
		key = r.row.StagedKey
	}
	if key != "" {
		return target, key, nil
	}
	if key, err = target.NewKey(ctx, store.KeyHint(r.row.LessonID, r.row.TeacherID)); err != nil {
		return nil, "", failedAt(atArchive, err)
	}
	return target, key, r.update(ctx, "syncer: an archive key", func(_ store.Session, i *store.Ingest) error {
		if i.Archived() {
			i.StagedKey = key
		} else {
			i.Provider, i.ArchiveKey = target.Provider(), key
		}
		return nil
	})
}

// short keeps a property within Drive's 124 bytes for name and value.
func short(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}

// discard deletes an archived file that is not what was sent, and gives up its key.
func (r *run) discard(ctx context.Context, target archive.Archive, key string, stored archive.Stored) error {
	r.log.Error("ingest: archive's checksum does not match, file deleted", slog.String("key", key))
	if err := target.Remove(ctx, key); err != nil {
		return failedAt(atArchive, err)
	}
	err := r.update(ctx, "syncer: give up an archive key", func(x store.Session, i *store.Ingest) error {
		if i.StagedKey == key {
			i.StagedKey = ""
		} else {
			i.ArchiveKey = ""
		}
		return r.history(ctx, x, i, "failed verification", fmt.Sprintf("the archive holds %d bytes with another checksum", stored.Size))
	})
	if err != nil {
		return err
	}
	return failedAt(atArchive, &media.Error{Kind: media.Corrupt, Op: "syncer: verify", Reason: store.ReasonArchiveUnverified})
}
