package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// store puts a companion into the recording's archive, verifies it by the archive's checksum,
// and makes it belong to the recording. Its key is in the database before the first byte goes
// up: a run that tries again uploads to the same place.
func (c *companionRun) store(ctx context.Context, f store.File, got fetched) error {
	sums, err := archive.FileSums(ctx, got.path)
	if err != nil {
		return failedAt(atDisk, err)
	}
	target, row, err := c.stageCompanion(ctx, f)
	if err != nil {
		return err
	}
	row.Size, row.MD5, row.SHA256, row.Duration = sums.Size, sums.MD5, sums.SHA256, got.duration
	stored, err := c.lock.Put(ctx, c.s.deps.Archives, target, c.companionItem(row, f, got.path))
	if err != nil {
		return failedAt(atArchive, err)
	}
	if !stored.Same(row.Size, row.MD5) {
		return c.discardCompanion(ctx, target, row, stored)
	}
	row.ArchivedVersion, row.VerifiedAt = stored.Version, c.s.now()
	err = c.commitCompanion(ctx, f, row, got.problem)
	if errors.Is(err, errNoRoom) || errors.Is(err, errWithdrawn) {
		return errors.Join(err, c.removeCompanion(ctx, target, row))
	}
	if err != nil {
		return err
	}
	c.s.metrics.bytes.Add(float64(row.Size))
	c.log.Info("companions: file archived", slog.Int64("recording", c.recording.ID), slog.String("kind", row.Kind), slog.String("file", f.ID), slog.Int64("bytes", row.Size))
	failpoint.Here("ingest.remove-companion")
	return failedAt(atDisk, os.Remove(got.path))
}

// stageCompanion gives a companion a key in the archive that has the recording, unless an
// earlier run has.
func (c *companionRun) stageCompanion(ctx context.Context, f store.File) (archive.Archive, store.RecordingFile, error) {
	for _, row := range c.archivedBefore {
		if row.ZoomFile == f.Name() && !row.Verified() {
			target, err := c.s.deps.Archives.Get(row.Provider)
			return target, row, failedAt(atArchive, err)
		}
	}
	target, err := c.s.deps.Archives.Get(c.recording.Location().Provider)
	if err != nil {
		return nil, store.RecordingFile{}, failedAt(atArchive, err)
	}
	key, err := target.NewKey(ctx, store.KeyHint(c.row.LessonID, c.row.TeacherID)+"."+f.FileExtension())
	if err != nil {
		return nil, store.RecordingFile{}, failedAt(atArchive, err)
	}
	row := companionRow(c.recording.ID, f, c.meetings, media.Location{Provider: target.Provider(), Key: key})
	err = c.s.deps.Store.Update(ctx, "syncer: a companion's archive key", func(x store.Session) error {
		if _, err := store.LoadIngest(ctx, x, c.row.ID, true); err != nil {
			return err
		}
		// A syncer that was taken for dead may have been here meanwhile.
		known, err := store.Companions(ctx, x, c.recording.ID)
		if err != nil {
			return err
		}
		for _, k := range known {
			if k.ZoomFile == row.ZoomFile && !k.Verified() {
				row = k
				return nil
			}
		}
		row.ID, err = store.AddRecordingFile(ctx, x, row, c.s.now())
		return err
	})
	return target, row, err
}

// companionRow is a file at Zoom as a companion, without what is known once it is archived.
func companionRow(recording int64, f store.File, meetings []store.Meeting, at media.Location) store.RecordingFile {
	kind, label := f.CompanionKind()
	row := store.RecordingFile{
		RecordingID: recording, Kind: string(kind), Label: label, ContentType: f.ContentType(), Position: startOf(f, meetings),
		Provider: at.Provider, ArchiveKey: at.Key, ZoomFile: f.Name(),
	}
	if kind == media.CompanionTranscript || kind == media.CompanionCaptions {
		row.Lang = "und" // Zoom does not say which
	}
	return row
}

// startOf is when a file begins, in seconds since 1970: its own start, else its meeting's.
func startOf(f store.File, meetings []store.Meeting) int64 {
	at := f.Start
	for _, m := range meetings {
		if at.IsZero() && m.UUID == f.MeetingUUID {
			at = m.Start
		}
	}
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

// companionItem is a companion for the archive. People see what it is behind the lesson's
// name.
func (c *companionRun) companionItem(row store.RecordingFile, f store.File, path string) archive.Item {
	item := c.item(row.ArchiveKey, store.LabelSuffix(row.Label, "."+f.FileExtension()), path, row.Size, row.MD5)
	item.Properties["zoomUuid"], item.Properties["zoomFileId"] = short(f.MeetingUUID), short(f.ID)
	return item
}

// commitCompanion makes a verified companion belong to the recording, instead of an earlier
// version of it, charges the quota, and lets Zoom's copy be trashed.
func (c *companionRun) commitCompanion(ctx context.Context, f store.File, row store.RecordingFile, problem string) error {
	return c.s.deps.Store.Update(ctx, "syncer: a companion is archived", func(x store.Session) error {
		err := c.s.changeFiles(ctx, x, c.row.ID, needsRoom, func(rec store.Recording) error {
			now, err := store.LoadRecordingFile(ctx, x, row.ID)
			if err != nil || !now.RemovedAt.IsZero() || rec.ID != row.RecordingID {
				return errors.Join(catalog.IgnoreNotFound(err), errWithdrawn)
			}
			if err := c.replaceEarlier(ctx, x, row); err != nil {
				return err
			}
			return store.SaveRecordingFile(ctx, x, row)
		})
		if err != nil {
			return err
		}
		if err := store.ForgetFault(ctx, x, f.MeetingUUID, f.ID); err != nil {
			return err
		}
		if problem != "" {
			if err := c.history(ctx, x, &c.row, "companion kept as it is", fmt.Sprintf("%s: %s", row.ZoomFile, problem)); err != nil {
				return err
			}
		}
		if err := c.history(ctx, x, &c.row, "companion archived", fmt.Sprintf("%s: %s, %s, of %s", row.Kind, row.ArchiveKey, media.Size(row.Size), row.ZoomFile)); err != nil || !c.s.cfg.DeleteFromZoom {
			return err
		}
		return c.s.deps.Queue.EnqueueTrash(ctx, x, c.row.ID, c.s.now().Add(c.s.cfg.ZoomTrashAfter))
	})
}

// replaceEarlier removes the versions of a companion that the archive had when the run began.
// errWithdrawn: another syncer, which was taken for dead, has archived one since, and ours would
// be there beside it. If Zoom has made it anew meanwhile, the next run replaces that one.
func (c *companionRun) replaceEarlier(ctx context.Context, x store.Session, row store.RecordingFile) error {
	known, err := store.Companions(ctx, x, row.RecordingID)
	if err != nil {
		return err
	}
	for _, k := range known {
		switch before := slices.ContainsFunc(c.archivedBefore, func(b store.RecordingFile) bool { return b.ID == k.ID }); {
		case k.ID == row.ID || k.ZoomFile != row.ZoomFile:
		case k.Verified() && !before:
			return errWithdrawn
		case before:
			if err := replaceCompanion(ctx, x, k.ID, row.ID, c.s.now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// replaceCompanion removes an earlier version of a companion. The new one is shown to whom the
// earlier was.
func replaceCompanion(ctx context.Context, x store.Session, earlier, row int64, now time.Time) error {
	old, err := store.LoadRecordingFile(ctx, x, earlier)
	if err != nil {
		return catalog.IgnoreNotFound(err)
	}
	old.RemovedAt = now
	if err := store.SaveRecordingFile(ctx, x, old); err != nil {
		return err
	}
	return store.ShareFile(ctx, x, row, old.Shared)
}

// discardCompanion deletes an archived companion that is not what was sent.
func (c *companionRun) discardCompanion(ctx context.Context, target archive.Archive, row store.RecordingFile, stored archive.Stored) error {
	c.log.Error("companions: archive's checksum does not match, file deleted", slog.String("key", row.ArchiveKey))
	if err := c.removeCompanion(ctx, target, row); err != nil {
		return err
	}
	return failedAt(atArchive, &media.Error{Kind: media.Corrupt, Op: "syncer: verify", Reason: store.ReasonArchiveUnverified,
		Err: fmt.Errorf("the archive holds %d bytes with another checksum", stored.Size)})
}

// removeCompanion deletes what was archived of a companion, and gives up its key.
func (c *companionRun) removeCompanion(ctx context.Context, target archive.Archive, row store.RecordingFile) error {
	if err := target.Remove(ctx, row.ArchiveKey); err != nil {
		return failedAt(atArchive, err)
	}
	return c.s.deps.Store.Update(ctx, "syncer: give up a companion", func(x store.Session) error {
		return store.MarkFilePurged(ctx, x, row.ID, c.s.now())
	})
}
