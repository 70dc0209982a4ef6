package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Return follows the discovery that an archive no longer holds what a file of a recording
// (0 for the recording's own) was moved to: while the grace lasts, the recording is returned
// to the file that was moved. false: it cannot be.
func (m *Mover) Return(ctx context.Context, recording, fileID int64, lost media.Location) (bool, error) {
	if m.deps.Observer.On() {
		return false, nil
	}
	var c store.Copy
	err := m.deps.Store.View(ctx, "move: the copy that was lost", func(x store.Session) (err error) {
		c, err = store.CopyAt(ctx, x, recording, fileID, lost)
		return err
	})
	if catalog.IsNotFound(err) || err == nil && !c.RemovedAt.IsZero() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a, err := m.deps.Archives.Get(c.From.Provider)
	if err != nil {
		m.log.Warn("move: copy lost, and the archive of the former file is not configured", slog.Int64("recording", recording), slog.String("archive", c.From.Provider), slog.String("key", c.From.Key))
		return false, nil
	}
	former, err := a.Stat(ctx, c.From.Key)
	if media.KindOf(err) == media.NotFound || err == nil && (former.Size != c.Size || former.MD5 != "" && former.MD5 != c.MD5) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	returned := false
	err = m.deps.Store.Update(ctx, "move: return a recording", func(x store.Session) (err error) {
		returned, err = m.commitReturn(ctx, x, c, former)
		return err
	})
	if returned && err == nil {
		m.log.Error("move: copy lost, recording returned to the former file", slog.Int64("recording", recording), slog.String("lost", lost.Provider+" "+lost.Key))
	}
	return returned, err
}

// commitReturn makes what names a lost copy name the former file.
func (m *Mover) commitReturn(ctx context.Context, x store.Session, c store.Copy, former archive.Stored) (bool, error) {
	now, err := loadLocked(ctx, x, c.RecordingID)
	switch {
	case errors.Is(err, errRemoved), err == nil && (now.row.Deleted || now.ingest.Lease != "" || c.FileID == 0 && renewed(now.ingest, c)):
		return false, nil
	case err != nil:
		return false, err
	}
	var ok bool
	if c.FileID == 0 {
		ok = now.row.Location() == c.To
		if ok {
			former.Key = c.From.Key // as the row has it, which may be another spelling
			ok, err = m.relocate(ctx, x, now, c, c.To, former, c.From.Provider)
		}
	} else {
		ok = slices.ContainsFunc(now.beside, func(f store.RecordingFile) bool {
			return f.ID == c.FileID && f.Location() == c.To && f.MD5 == c.MD5
		})
		if ok {
			err = store.RelocateFile(ctx, x, c.FileID, c.From, c.FromVersion)
		}
	}
	if err != nil || !ok {
		return false, err
	}
	at := m.now()
	c.AbandonedAt = at
	if err := saveCopy(ctx, x, c); err != nil { // errChanged: the former file was removed meanwhile
		return false, err
	}
	return true, store.AppendHistory(ctx, x, store.HistoryEntry{At: at, IngestID: now.ingest.ID, RecordingID: c.RecordingID, What: "returned to the former file",
		Detail: fmt.Sprintf("%s %s is gone from the archive; %s %s is named again", c.To.Provider, c.To.Key, c.From.Provider, c.From.Key)})
}

// renewed reports whether an ingest has archived another version under the key of a copy
// since: the former file is an older one, and what replaced it has to be archived again. It
// is pure.
func renewed(i store.Ingest, c store.Copy) bool {
	return archivedAt(i, c.To) && (i.Size != c.Size || i.MD5 != c.MD5)
}
