package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/riverqueue/river"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// workZoomTrash puts what is archived into Zoom's trash, one file at a time and
// never wider, after looking once more whether the archive holds it.
func (s *Syncer) workZoomTrash(ctx context.Context, job *river.Job[zoomTrashArgs]) error {
	var (
		i        store.Ingest
		meetings []store.Meeting
		lesson   store.Lesson
		teacher  store.Teacher
		over     bool
	)
	err := s.deps.Store.View(ctx, "syncer: what may be trashed", func(x store.Session) (err error) {
		if i, err = store.LoadIngest(ctx, x, job.Args.IngestID, false); err != nil || i.LessonID == 0 || !i.Archived() {
			over = catalog.IsNotFound(err) || err == nil
			return ignoreNotFound(err)
		}
		if lesson, err = store.LoadLesson(ctx, x, i.LessonID); err != nil {
			return err
		}
		if teacher, err = store.LoadTeacher(ctx, x, lesson.TeacherID); err != nil {
			return err
		}
		meetings, err = store.MeetingsOf(ctx, x, i.LessonID)
		return err
	})
	if err != nil || over || !s.cfg.DeleteFromZoom {
		return err
	}
	if left := i.VerifiedAt.Add(s.cfg.ZoomTrashAfter).Sub(s.now()); left > 0 {
		return river.JobSnooze(left) // a later version was archived meanwhile
	}
	from, err := s.archiveOf(i.Provider)
	if err != nil {
		return err
	}
	stored, err := from.Stat(ctx, i.ArchiveKey)
	if media.KindOf(err) == media.NotFound || err == nil && !stored.Same(i.Size, i.MD5) {
		s.log.Error("the archive does not hold a recording any more, Zoom's copy stays", slog.Int64("ingest", i.ID))
		return s.lost(ctx, i)
	}
	if err != nil {
		return err
	}
	work := &ingest{s: s, row: i, teacher: teacher, lesson: lesson, log: s.log}
	for _, m := range meetings {
		account := work.account(ctx, m)
		for _, f := range m.Files {
			if f.ArchivedAt.IsZero() || !f.TrashedAt.IsZero() || !f.GoneAt.IsZero() || !slices.Contains(i.Parts(), m.UUID+"/"+f.ID) || !account.Complete() {
				continue
			}
			if err := s.deps.Zoom.TrashFile(ctx, account, m.UUID, f.ID); err != nil {
				return fmt.Errorf("trash at Zoom: %w", err)
			}
			err := s.deps.Store.Update(ctx, "syncer: trashed at Zoom", func(x store.Session) error {
				if err := store.MarkTrashed(ctx, x, m.UUID, f.ID, s.now()); err != nil {
					return err
				}
				return store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: i.ID, RecordingID: i.RecordingID, What: "trashed at Zoom", Detail: m.UUID + "/" + f.ID})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func ignoreNotFound(err error) error {
	if catalog.IsNotFound(err) {
		return nil
	}
	return err
}
