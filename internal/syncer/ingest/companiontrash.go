package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// companionWait is how long Zoom's copy of a recording stays at least while a companion of it
// is not safe.
const companionWait = 10 * time.Minute

// awaitCompanions reports whether Zoom lists companions that are wanted and that the archive
// lacks: nothing of the meetings is trashed before they are safe. They are requested. Those of a
// recording that was removed are not: nothing waits for what nobody archives, and they stay at
// Zoom for the case that it is restored.
func (r *run) awaitCompanions(ctx context.Context) (wait bool, err error) {
	if r.s.cfg.Companions.IsNone() {
		return false, nil
	}
	if removed, err := r.recordingRemoved(ctx); err != nil || removed {
		return false, err
	}
	err = r.s.deps.Store.Update(ctx, "syncer: companions before the trash", func(x store.Session) error {
		meetings, err := store.MeetingsOfIngest(ctx, x, r.row)
		if err != nil {
			return err
		}
		plan, _, err := r.s.companionsOf(ctx, x, meetings, r.row)
		if wait = plan.processing || len(plan.wanted) > 0; err != nil || len(plan.due(r.s.now())) == 0 {
			return err
		}
		return r.s.deps.Queue.EnqueueCompanions(ctx, x, r.row.ID)
	})
	if wait && err == nil {
		r.log.Info("zoom trash: companions are not archived yet, Zoom's copies stay")
	}
	return wait, err
}

// loadTrashable loads the companions whose copies at Zoom may be trashed: verified for
// Config.ZoomTrashAfter, and still in the archive. left is how long the next one has to wait,
// 0 for none. One that the archive has lost is archived again.
func (r *run) loadTrashable(ctx context.Context) (safe []store.RecordingFile, left time.Duration, err error) {
	var all []store.RecordingFile
	err = r.s.deps.Store.View(ctx, "syncer: companions to be trashed", func(x store.Session) (err error) {
		all, err = store.Companions(ctx, x, r.row.RecordingID)
		return err
	})
	for _, c := range all {
		if err != nil {
			return nil, 0, err
		}
		if !c.Verified() || c.ZoomFile == "" {
			continue
		}
		if wait := c.VerifiedAt.Add(r.s.cfg.ZoomTrashAfter).Sub(r.s.now()); wait > 0 {
			if left == 0 || wait < left {
				left = wait
			}
			continue
		}
		var held bool
		if held, err = r.stillArchived(ctx, c); held {
			safe = append(safe, c)
		}
	}
	return safe, left, err
}

// stillArchived reports whether the archive holds a file as it was verified. A loss is
// recorded.
func (r *run) stillArchived(ctx context.Context, f store.RecordingFile) (bool, error) {
	from, err := r.s.deps.Archives.Get(f.Provider)
	if err != nil {
		return false, err
	}
	stored, err := from.Stat(ctx, f.ArchiveKey)
	switch {
	case media.KindOf(err) == media.NotFound, err == nil && !stored.Same(f.Size, f.MD5):
		r.log.Error("zoom trash: file lost from the archive, Zoom's copy stays", slog.Int64("ingest", r.row.ID), slog.String("key", f.ArchiveKey))
		return false, r.s.RecordFileLoss(ctx, f)
	default:
		return err == nil, err
	}
}
