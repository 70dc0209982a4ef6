package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// joinWait is how long Zoom's copy of a teacher's own recording stays at least while
// its parts are to be joined into a lesson's.
const joinWait = 10 * time.Minute

// zoomTrashJob moves what is archived to Zoom's trash, one file at a time and never
// wider, after a last check that the archive holds it.
func (s *Ingester) zoomTrashJob(ctx context.Context, job *queue.Job[queue.ZoomTrashArgs]) error {
	r, meetings, err := s.loadArchived(ctx, job.Args.IngestID)
	if err != nil || r == nil || !s.cfg.DeleteFromZoom {
		return err
	}
	i := r.row
	if left := i.VerifiedAt.Add(s.cfg.ZoomTrashAfter).Sub(s.now()); left > 0 {
		return queue.Snooze(left) // a later version was archived meanwhile
	}
	if i.MeetingUUID != "" && slices.ContainsFunc(meetings, func(m store.Meeting) bool { return m.LessonID != 0 && !m.Separate }) {
		return queue.Snooze(joinWait) // the lesson's ingest may need Zoom's copy
	}
	from, err := s.deps.Archives.Get(i.Provider)
	if err != nil {
		return err
	}
	stored, err := from.Stat(ctx, i.ArchiveKey)
	if media.KindOf(err) == media.NotFound || err == nil && !stored.Same(i.Size, i.MD5) {
		r.log.Error("zoom trash: file lost from the archive, Zoom's copy stays", slog.Int64("ingest", i.ID))
		return s.RecordLoss(ctx, i)
	}
	if err != nil {
		return err
	}
	for _, m := range meetings {
		account := s.accountOf(ctx, m, r.teacher)
		for _, f := range m.Files {
			if f.ArchivedAt.IsZero() || f.LeftZoom() || f.HasMadeID() || !slices.Contains(i.Parts(), f.Name()) || !account.Complete() {
				continue
			}
			if err := s.deps.Zoom.TrashFile(ctx, account, m.UUID, f.ID); err != nil {
				return fmt.Errorf("trash at Zoom: %w", err)
			}
			err := s.deps.Store.Update(ctx, "syncer: trashed at Zoom", func(x store.Session) error {
				if err := store.MarkTrashed(ctx, x, m.UUID, f.ID, s.now()); err != nil {
					return err
				}
				return r.history(ctx, x, &i, "trashed at Zoom", f.Name())
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
