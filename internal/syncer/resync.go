package syncer

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// takeRequests turns what gateways have asked for into jobs. A gateway knows no
// queue: it leaves a row.
func (s *Syncer) takeRequests(ctx context.Context) error {
	var waiting []store.ResyncRequest
	err := s.deps.Store.View(ctx, "syncer: requests", func(x store.Session) (err error) {
		waiting, err = store.ResyncRequests(ctx, x)
		return err
	})
	for _, r := range waiting {
		err = s.deps.Store.Update(ctx, "syncer: take a request", func(x store.Session) error {
			mine, err := store.DeleteResync(ctx, x, r.LessonID)
			if err != nil || !mine {
				return err
			}
			if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), RecordingID: r.RecordingID, What: "asked for again", Detail: "by its teacher"}); err != nil {
				return err
			}
			return s.enqueue(ctx, x, resyncArgs{LessonID: r.LessonID, RecordingID: r.RecordingID}, time.Time{})
		})
		if err != nil {
			return err
		}
	}
	return err
}

// around is how far from a lesson's plan its recording is looked for.
const around = 24 * time.Hour

// workResync looks through the teacher's recordings of the lesson's days, and takes
// up what is there.
func (s *Syncer) workResync(ctx context.Context, job *river.Job[resyncArgs]) error {
	var lesson store.Lesson
	err := s.deps.Store.View(ctx, "syncer: resync", func(x store.Session) (err error) {
		lesson, err = store.LoadLesson(ctx, x, job.Args.LessonID)
		return err
	})
	if err != nil {
		return ignoreNotFound(err)
	}
	scope := Scope{Teacher: lesson.TeacherID, From: lesson.Start.Add(-around), To: lesson.End.Add(around)}
	report, err := s.Reconcile(ctx, scope)
	if err == nil && len(report.Failures) > 0 {
		err = report.Failures[0].Err
	}
	if err != nil && job.Attempt < job.MaxAttempts && media.KindOf(err) != media.NotFound {
		return err
	}
	return s.deps.Store.Update(ctx, "syncer: resync", func(x store.Session) error {
		meetings, loadErr := store.MeetingsOf(ctx, x, lesson.ID)
		if loadErr != nil {
			return loadErr
		}
		if len(meetings) > 0 {
			return s.takeUp(ctx, x, lesson.ID, "its teacher asked for it again")
		}
		s.log.Info("a recording that was asked for again is not at Zoom", slog.Int64("lesson", lesson.ID), slog.Any("error", err))
		return s.notFoundAgain(ctx, x, job.Args.RecordingID)
	})
}

// notFoundAgain leaves a recording as failed as it was before somebody asked.
func (s *Syncer) notFoundAgain(ctx context.Context, x store.Session, recording int64) error {
	row, err := store.LoadRecording(ctx, x, recording, true)
	if catalog.IsNotFound(err) || err == nil && (row.Deleted || row.Status != media.StatusProcessing || row.Location().Key != "") {
		return nil
	}
	if err != nil {
		return err
	}
	if err := store.SetStatus(ctx, x, recording, media.StatusFailed, s.now()); err != nil {
		return err
	}
	return store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), RecordingID: recording, What: "not found at Zoom"})
}
