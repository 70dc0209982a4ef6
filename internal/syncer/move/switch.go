package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// errRemoved rolls a switch back whose recording was removed meanwhile.
var errRemoved = errors.New("it was removed while it was copied")

// switchTo makes a recording name its copies, in one transaction. errChanged: it is not what
// was copied any more. A *busyError: an ingest is at work on it.
func (r *run) switchTo(ctx context.Context, p plan, copies []copied) (Outcome, string, error) {
	err := r.m.deps.Store.Update(ctx, "move: switch a recording", func(x store.Session) error {
		if err := r.checkLease(ctx, x, p.row.ID); err != nil {
			return err
		}
		now, err := loadLocked(ctx, x, p.row.ID)
		if err != nil {
			return err
		}
		if err := compare(p, now, copies); err != nil {
			return err
		}
		return r.commit(ctx, x, now, copies)
	})
	switch {
	case errors.Is(err, errRemoved):
		return Skipped, errRemoved.Error(), r.abandon(ctx, p.row.ID)
	case err != nil:
		return Failed, "", err
	}
	r.m.log.Info("move: recording moved", slog.Int64("recording", p.row.ID), slog.String("to", r.o.To), slog.Int("files", len(copies)))
	return Moved, "", nil
}

// current is a recording within the transaction of its switch.
type current struct {
	row    store.Recording
	ingest store.Ingest // ID 0: there is none
	beside []store.RecordingFile
}

// loadLocked locks a recording and its ingest, the ingest first, as everything does.
func loadLocked(ctx context.Context, x store.Session, id int64) (c current, err error) {
	if c.ingest, err = store.IngestOfRecording(ctx, x, id); err == nil {
		c.ingest, err = store.LoadIngest(ctx, x, c.ingest.ID, true)
	}
	if err != nil && !catalog.IsNotFound(err) {
		return c, err
	}
	c.row, err = store.LoadRecording(ctx, x, id, true)
	if catalog.IsNotFound(err) {
		return c, errRemoved
	}
	if err != nil {
		return c, err
	}
	c.beside, err = store.UnpurgedFiles(ctx, x, id)
	return c, err
}

// compare is nil when a recording is still what was planned and copied. It is pure.
func compare(p plan, now current, copies []copied) error {
	switch {
	case now.row.Deleted:
		return errRemoved
	case now.ingest.Lease != "":
		return &busyError{why: fmt.Sprintf("ingest %d is at work on it", now.ingest.ID), needsSyncer: true}
	case now.ingest.ID != p.ingest.ID, now.ingest.ArchivedVersion != p.ingest.ArchivedVersion, now.ingest.MD5 != p.ingest.MD5, !now.ingest.VerifiedAt.Equal(p.ingest.VerifiedAt):
		return errChanged
	case now.row.Location() != p.row.Location(), now.row.Size != p.row.Size, !now.row.Playable():
		return errChanged
	}
	beside := map[int64]store.RecordingFile{}
	for _, f := range now.beside {
		beside[f.ID] = f
	}
	for _, f := range p.files {
		if f.id == 0 {
			continue
		}
		if b, ok := beside[f.id]; !ok || !b.RemovedAt.IsZero() || b.Location() != f.from || b.MD5 != f.md5 {
			return errChanged
		}
	}
	return nil
}

// commit writes what the switch makes true.
func (r *run) commit(ctx context.Context, x store.Session, now current, copies []copied) error {
	at := r.m.now()
	for _, c := range copies {
		if c.FileID == 0 {
			c.stored.Key = c.To.Key
			switch ok, err := r.m.relocate(ctx, x, now, c.Copy, c.From, c.stored, c.To.Provider); {
			case err != nil:
				return err
			case !ok:
				return errRemoved
			}
		} else if err := store.RelocateFile(ctx, x, c.FileID, c.To, c.ToVersion); err != nil {
			return err
		}
		c.SwitchedAt = at
		if err := saveCopy(ctx, x, c.Copy); err != nil {
			return err
		}
		err := store.AppendHistory(ctx, x, store.HistoryEntry{At: at, IngestID: now.ingest.ID, RecordingID: now.row.ID, What: "moved",
			Detail: fmt.Sprintf("%s %s is at %s %s, %s, md5 %s; the former is removed when the grace of removed recordings is over", c.From.Provider, c.From.Key, c.To.Provider, c.To.Key, media.Size(c.Size), c.MD5)})
		if err != nil {
			return err
		}
	}
	return nil
}

// relocate makes a recording's row name another location of its bytes, and the ingest that has
// archived them. false: the recording was removed.
func (m *Mover) relocate(ctx context.Context, x store.Session, now current, c store.Copy, from media.Location, to archive.Stored, provider string) (bool, error) {
	at := m.now()
	row, i := now.row, now.ingest
	row.SetLocation(media.Location{Provider: provider, Key: to.Key}, to.Folder, to.URL)
	if ok, err := store.Relocate(ctx, x, row, at); err != nil || !ok {
		return false, err
	}
	if i.ID == 0 || !archivedAt(i, from) {
		return true, nil // the platform has archived it
	}
	// Keys of a version that is published no more: the ingest would look for them in the
	// archive that it names from now on.
	for _, key := range []string{i.StagedKey, i.OriginalKey} {
		if key == "" {
			continue
		}
		left := media.Location{Provider: i.Provider, Key: key}
		if _, err := store.AddCopy(ctx, x, store.Copy{RecordingID: row.ID, From: left, To: left, AbandonedAt: at}, at); err != nil {
			return false, err
		}
	}
	i.Provider, i.ArchiveKey, i.ArchivedVersion, i.StagedKey, i.OriginalKey = provider, to.Key, to.Version, "", ""
	if c.Size == i.Size && c.SHA256 != "" {
		i.SHA256 = c.SHA256 // of what was archived before digests were kept, too
	}
	_, err := store.SaveIngest(ctx, x, i, "", at)
	return true, err
}
