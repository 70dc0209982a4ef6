package reconcile

import (
	"context"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// EnqueueResyncs turns the requests of gateways into jobs. A gateway has no queue: it
// leaves a row.
func (r *Reconciler) EnqueueResyncs(ctx context.Context) error {
	var waiting []store.ResyncRequest
	err := r.deps.Store.View(ctx, "syncer: requests", func(x store.Session) (err error) {
		waiting, err = store.ResyncRequests(ctx, x)
		return err
	})
	for _, request := range waiting {
		if r.deps.Observer.On() { // it waits until the syncer acts
			r.deps.Observer.Would(ctx, "look for a lesson's recording again", slog.Int64("lesson", request.LessonID), slog.Int64("recording", request.RecordingID))
			continue
		}
		err = r.deps.Store.Update(ctx, "syncer: enqueue a resync", func(x store.Session) error {
			mine, err := store.DeleteResync(ctx, x, request.LessonID)
			if err != nil || !mine {
				return err
			}
			if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: r.now(), RecordingID: request.RecordingID, What: "asked for again", Detail: "by its teacher"}); err != nil {
				return err
			}
			return r.deps.Queue.Enqueue(ctx, x, queue.ResyncArgs{LessonID: request.LessonID, RecordingID: request.RecordingID}, time.Time{})
		})
		if err != nil {
			return err
		}
	}
	return err
}

// resyncWindow is how far from a lesson's planned time its recording is looked for.
const resyncWindow = 24 * time.Hour

// resyncJob reconciles the teacher's recordings of the lesson's days, and requests what
// is there.
func (r *Reconciler) resyncJob(ctx context.Context, job *queue.Job[queue.ResyncArgs]) error {
	if r.deps.Observer.On() {
		return queue.Snooze(observe.Wait)
	}
	var lesson store.Lesson
	err := r.deps.Store.View(ctx, "syncer: resync", func(x store.Session) (err error) {
		lesson, err = store.LoadLesson(ctx, x, job.Args.LessonID)
		return err
	})
	if err != nil {
		return catalog.IgnoreNotFound(err)
	}
	scope := Scope{Teacher: lesson.TeacherID, From: lesson.Start.Add(-resyncWindow), To: lesson.End.Add(resyncWindow)}
	report, err := r.Reconcile(ctx, scope)
	if err == nil && len(report.Failures) > 0 {
		err = report.Failures[0].Err
	}
	if err != nil && !job.LastAttempt() && media.KindOf(err) != media.NotFound {
		return err
	}
	return r.deps.Store.Update(ctx, "syncer: resync", func(x store.Session) error {
		meetings, loadErr := store.MeetingsOf(ctx, x, lesson.ID)
		if loadErr != nil {
			return loadErr
		}
		if len(meetings) > 0 {
			return r.deps.Ingests.Request(ctx, x, lesson.ID, "its teacher asked for it again")
		}
		r.log.Info("resync: not found at Zoom", slog.Int64("lesson", lesson.ID), slog.Any("error", err))
		return r.restoreFailed(ctx, x, job.Args.RecordingID)
	})
}

// restoreFailed gives a recording back the status it had before the request.
func (r *Reconciler) restoreFailed(ctx context.Context, x store.Session, recording int64) error {
	row, err := store.LoadRecording(ctx, x, recording, true)
	if catalog.IsNotFound(err) || err == nil && (row.Deleted || row.Status != media.StatusProcessing || row.Location().Key != "") {
		return nil
	}
	if err != nil {
		return err
	}
	if err := store.SetStatus(ctx, x, recording, media.StatusFailed, r.now()); err != nil {
		return err
	}
	return store.AppendHistory(ctx, x, store.HistoryEntry{At: r.now(), RecordingID: recording, What: "not found at Zoom"})
}
