package derive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// store puts the files of one kind into the recording's archive, verifies them by the
// archive's checksum, and makes them belong to the recording instead of earlier ones.
// errChanged: the recording is another one by now.
func (r *run) store(ctx context.Context, one due, made Made) error {
	target, err := r.deps.Archives.Get(r.row.Location().Provider)
	if err != nil {
		return r.fromArchive(err)
	}
	var rows []store.RecordingFile
	for n, f := range made.Files {
		row, err := r.upload(ctx, target, one, n, f)
		if row.ID != 0 {
			rows = append(rows, row)
		}
		if err != nil {
			return errors.Join(err, r.discard(ctx, target, rows))
		}
	}
	err = r.commit(ctx, one, rows, made.Captions)
	if errors.Is(err, errChanged) {
		return errors.Join(err, r.discard(ctx, target, rows))
	}
	return err
}

// upload puts one file into the archive. Its key is in the database before the first byte
// goes up. The row has no ID where nothing was stored.
func (r *run) upload(ctx context.Context, target archive.Archive, one due, n int, f File) (store.RecordingFile, error) {
	row := store.RecordingFile{
		RecordingID: r.row.ID, Kind: string(f.Kind), Position: int64(n), Label: f.Label, Lang: f.Lang, ContentType: f.ContentType, Duration: f.Duration,
		Provider: target.Provider(), Derivation: one.Kind(), Name: f.Name,
	}
	sums, err := archive.FileSums(ctx, f.Path)
	if err != nil {
		return row, onDisk(err)
	}
	row.Size, row.MD5, row.SHA256 = sums.Size, sums.MD5, sums.SHA256
	if row.ArchiveKey, err = target.NewKey(ctx, store.KeyHint(r.row.LessonID, r.owner)+"-"+f.Name); err != nil {
		return row, r.fromArchive(err)
	}
	err = r.update(ctx, "derive: a file's archive key", func(x store.Session) (err error) {
		row.ID, err = store.AddRecordingFile(ctx, x, row, r.now())
		return err
	})
	if err != nil {
		return store.RecordingFile{}, err
	}
	stored, err := r.lock.Put(ctx, r.deps.Archives, target, r.item(row, f))
	if err != nil {
		return row, r.fromArchive(err)
	}
	if !stored.Same(row.Size, row.MD5) {
		return row, &media.Error{Kind: media.Corrupt, Op: "derive: verify", Reason: store.ReasonArchiveUnverified, Err: fmt.Errorf("the archive holds %d bytes with another checksum", stored.Size)}
	}
	row.ArchivedVersion, row.VerifiedAt = stored.Version, r.now()
	return row, nil
}

// item is a file for the archive. People see what it is behind the recording's name.
func (r *run) item(row store.RecordingFile, f File) archive.Item {
	return archive.Item{
		Key: row.ArchiveKey, Path: f.Path, Size: row.Size, MD5: row.MD5, Name: store.ArchiveName(r.row.Start, r.title, row.NameSuffix()), Folder: r.teacher.DriveFolder,
		Properties: map[string]string{"lesson": strconv.FormatInt(r.row.LessonID, 10)},
	}
}

// commit makes verified files belong to the recording, instead of all others of their kind,
// and stores captions with it. The purge deletes the bytes of replaced files, and of what
// killed runs have left.
func (r *run) commit(ctx context.Context, one due, rows []store.RecordingFile, captions webvtt.Track) error {
	now := r.now()
	return r.update(ctx, "derive: files are made", func(x store.Session) error {
		row, err := store.LoadRecording(ctx, x, r.row.ID, true)
		if err != nil {
			return errors.Join(catalog.IgnoreNotFound(err), errChanged)
		}
		source, err := sourceOf(ctx, x, row)
		if err != nil {
			return err
		}
		if row.Deleted || source != r.source {
			return errChanged
		}
		present, err := store.DerivedFiles(ctx, x, row.ID)
		if err != nil {
			return err
		}
		staged := 0
		for _, f := range present {
			switch {
			case f.Derivation != one.Kind():
				continue
			case contains(rows, f.ID):
				staged++
				continue
			}
			f.RemovedAt = now
			if err := store.SaveRecordingFile(ctx, x, f); err != nil {
				return err
			}
		}
		if staged != len(rows) {
			return errChanged // another run has made them
		}
		bytes := int64(0)
		for _, f := range rows {
			if err := store.SaveRecordingFile(ctx, x, f); err != nil {
				return err
			}
			bytes += f.Size
		}
		err = store.PutDerivation(ctx, x, store.Derivation{RecordingID: row.ID, Kind: one.Kind(), Revision: one.Revision(), Source: source, TriedAt: now, MadeAt: now})
		if err != nil {
			return err
		}
		what, detail := one.Kind()+" made", fmt.Sprintf("%d file(s), %s", len(rows), media.Size(bytes))
		if len(captions.Cues) > 0 {
			kept, err := store.PutAutomaticCaption(ctx, x, row.ID, captions.String(), now)
			if err != nil {
				return err
			}
			what, detail = "captions kept", fmt.Sprintf("%d cues, written by the program for speech recognition", len(captions.Cues))
			if !kept {
				what, detail = "captions not kept", "others have come meanwhile"
			}
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: now, RecordingID: row.ID, What: what, Detail: detail})
	})
}

func contains(rows []store.RecordingFile, id int64) bool {
	for _, r := range rows {
		if r.ID == id {
			return true
		}
	}
	return false
}

// discard deletes uploaded files that are of no use. What cannot be deleted now is deleted by the
// purge, once files of the kind are made.
func (r *run) discard(ctx context.Context, target archive.Archive, rows []store.RecordingFile) error {
	for _, f := range rows {
		if err := target.Remove(ctx, f.ArchiveKey); err != nil {
			r.log.Warn("derive: file not deleted", slog.String("key", f.ArchiveKey), slog.Any("error", err))
			continue
		}
		err := r.update(ctx, "derive: give up a file", func(x store.Session) error { return store.MarkFilePurged(ctx, x, f.ID, r.now()) })
		if err != nil {
			return err
		}
	}
	return nil
}
