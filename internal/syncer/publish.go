package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// put has the file in the archive, verified by the archive's own checksum. The key
// is in the ledger before the first byte goes up: whoever tries again ends in the
// same place.
func (w *ingest) put(ctx context.Context, m made) (archive.Stored, error) {
	target := w.s.deps.Target
	if w.row.ArchiveKey != "" && w.row.Provider != target.Provider() {
		// What was begun in one archive is finished there.
		var err error
		if target, err = w.s.archiveOf(w.row.Provider); err != nil {
			return archive.Stored{}, failedAt(atArchive, err)
		}
	}
	if w.row.ArchiveKey == "" {
		key, err := target.NewKey(ctx, strconv.FormatInt(w.row.LessonID, 10))
		if err != nil {
			return archive.Stored{}, failedAt(atArchive, err)
		}
		w.row.Provider, w.row.ArchiveKey = target.Provider(), key
		err = w.s.deps.Store.Update(ctx, "syncer: where it goes", func(x store.Session) error { return w.save(ctx, x, "", "") })
		if err != nil {
			return archive.Stored{}, err
		}
	}
	item := archive.Item{
		Key: w.row.ArchiveKey, Replace: w.row.Archived(), Path: m.path, Size: m.size, MD5: m.md5,
		Name: w.fileName(), Folder: w.teacher.DriveFolder,
		Properties: map[string]string{
			"lesson": strconv.FormatInt(w.row.LessonID, 10), "zoomUuid": short(w.plan.parts[0].MeetingUUID), "zoomFileId": short(w.plan.parts[0].ID),
		},
		Session:     w.loadSession(w.row.ArchiveKey, m.md5),
		SaveSession: w.saveSession(w.row.ArchiveKey, m.md5),
	}
	stored, err := target.Put(ctx, item)
	if err != nil {
		return archive.Stored{}, failedAt(atArchive, err)
	}
	if !stored.Same(m.size, m.md5) {
		return archive.Stored{}, w.abandon(ctx, target, stored)
	}
	w.archived = true
	return stored, nil
}

// short keeps a property within Drive's 124 bytes for name and value.
func short(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}

// abandon deletes a file that is not what was sent, and gives its key up.
func (w *ingest) abandon(ctx context.Context, target archive.Archive, stored archive.Stored) error {
	w.log.Error("the archive's checksum does not match, the file is deleted", slog.String("key", w.row.ArchiveKey))
	if err := target.Remove(ctx, w.row.ArchiveKey); err != nil {
		return failedAt(atArchive, err)
	}
	w.row.ArchiveKey, w.row.VerifiedAt, w.row.ArchivedParts = "", time.Time{}, ""
	err := w.s.deps.Store.Update(ctx, "syncer: give a key up", func(x store.Session) error {
		return w.save(ctx, x, "failed verification", fmt.Sprintf("the archive holds %d bytes with another checksum", stored.Size))
	})
	if err != nil {
		return err
	}
	return failedAt(atArchive, &media.Error{Kind: media.Corrupt, Op: "syncer: verify", Reason: reasonUnverifiable})
}

// fileName is what people see in the archive's folder.
func (w *ingest) fileName() string {
	title := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, w.lesson.Title)
	return strings.TrimSpace(fmt.Sprintf("%s %s", w.lesson.Start.UTC().Format("2006-01-02 1504"), title)) + ".mp4"
}

// publish makes the recording playable, settles its quota and closes the ledger, in
// one transaction. Only then may Zoom's copy go, and not at once.
func (w *ingest) publish(ctx context.Context, m made, stored archive.Stored) error {
	now := w.s.now()
	removed := false
	err := w.s.deps.Store.Update(ctx, "syncer: publish", func(x store.Session) error {
		removed = false
		// The ingest first, then the row, then the quota: always in this order.
		if _, err := store.LoadIngest(ctx, x, w.row.ID, true); err != nil {
			return err
		}
		row, err := store.LoadRecording(ctx, x, w.row.RecordingID, true)
		if err != nil && !catalog.IsNotFound(err) {
			return err
		}
		if catalog.IsNotFound(err) || row.Deleted {
			removed = true
			return nil
		}
		if err := w.stillAtZoom(ctx, x); err != nil {
			return err
		}
		first := !w.row.Archived()
		fill(&row, w, m, stored)
		if first && w.lesson.KeepDays > 0 {
			row.AvailableUntil = now.AddDate(0, 0, int(w.lesson.KeepDays))
		} else if first {
			row.AvailableUntil = time.Time{}
		}
		if _, err := store.Publish(ctx, x, row, now); err != nil {
			return err
		}
		warn, quota, err := store.Commit(ctx, x, row.ID, w.lesson.TeacherID, m.size, now)
		if err != nil {
			return err
		}
		if warn {
			if err := w.s.warnQuota(ctx, x, quota); err != nil {
				return err
			}
		}
		for _, f := range w.plan.parts {
			if err := store.MarkArchived(ctx, x, f.MeetingUUID, f.ID, now); err != nil {
				return err
			}
		}
		w.row.ArchivedParts, w.row.ArchivedVersion = strings.Join(w.plan.names(), "\n"), stored.Version
		w.row.Size, w.row.MD5, w.row.VerifiedAt, w.row.State = m.size, m.md5, now, store.Done
		if err := w.save(ctx, x, "archived", fmt.Sprintf("%s, %s, version %s", stored.Key, media.Size(m.size), stored.Version)); err != nil {
			return err
		}
		if w.s.cfg.DeleteFromZoom {
			if err := w.s.enqueue(ctx, x, zoomTrashArgs{w.row.ID}, now.Add(w.s.cfg.ZoomTrashAfter)); err != nil {
				return err
			}
		}
		return w.s.enqueue(ctx, x, captionArgs{w.row.ID}, time.Time{})
	})
	if err != nil {
		return err
	}
	if removed {
		return w.takeBack(ctx)
	}
	w.s.metrics.ingestBytes.Add(float64(m.size))
	w.s.metrics.ingestTime.Observe(w.s.now().Sub(w.began).Seconds())
	w.log.Info("a recording is archived", slog.Int64("recording", w.row.RecordingID), slog.Int64("bytes", m.size), slog.Int("parts", len(w.plan.parts)),
		slog.String("took", w.s.now().Sub(w.began).Round(time.Millisecond).String()))
	return nil
}

// stillAtZoom ends an ingest whose recording was taken away while it was under way.
func (w *ingest) stillAtZoom(ctx context.Context, x store.Session) error {
	meetings, err := store.MeetingsOf(ctx, x, w.row.LessonID)
	if err != nil {
		return err
	}
	for _, meeting := range meetings {
		for _, f := range meeting.Files {
			for _, part := range w.plan.parts {
				if part.ID == f.ID && part.MeetingUUID == f.MeetingUUID && f.ArchivedAt.IsZero() && !f.GoneAt.IsZero() {
					return errGone
				}
			}
		}
	}
	return nil
}

// fill writes what is known now into the recording's row.
func fill(row *store.Recording, w *ingest, m made, stored archive.Stored) {
	row.ZoomRecordingID, row.View, row.Provider = w.plan.zoomID(), w.plan.view, w.row.Provider
	row.ArchiveKey, row.ArchiveURL, row.PlayURL, row.DownloadURL = stored.Key, stored.URL, stored.URL, ""
	row.DriveFile, row.DriveFolder = "", ""
	if w.row.Provider == media.ProviderDrive {
		row.DriveFile, row.DriveFolder = stored.Key, stored.Folder
		row.DownloadURL = media.DriveDownloadURL(stored.Key)
	}
	row.Size = m.size
	row.Start, row.End = w.plan.start(), w.plan.end()
	duration := m.duration
	if duration <= 0 {
		for _, f := range w.plan.parts {
			duration += max(0, f.End.Sub(f.Start))
		}
	}
	row.Seconds = int64((duration + time.Second/2) / time.Second)
	if row.End.IsZero() {
		row.End = row.Start.Add(duration)
	}
}

// takeBack undoes an archive whose recording was removed meanwhile.
func (w *ingest) takeBack(ctx context.Context) error {
	target, err := w.s.archiveOf(w.row.Provider)
	if err != nil {
		return failedAt(atArchive, err)
	}
	if err := target.Remove(ctx, w.row.ArchiveKey); err != nil {
		return failedAt(atArchive, err)
	}
	w.row.State, w.archived = store.Removed, false
	return w.s.deps.Store.Update(ctx, "syncer: removed meanwhile", func(x store.Session) error {
		if err := store.Release(ctx, x, w.row.RecordingID, w.s.now()); err != nil {
			return err
		}
		return w.save(ctx, x, "removed while it was being archived", "")
	})
}
