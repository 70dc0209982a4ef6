package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// finishTimeout bounds the transaction that ends a run whose own context may have
// ended.
const finishTimeout = 15 * time.Second

// finish writes down how a run ended and returns what the queue is to do.
func (r *run) finish(ctx context.Context, job *queue.Job[queue.IngestArgs], err error) error {
	shutdown := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	var (
		later *notYet
		seen  *observed
	)
	switch {
	case errors.As(err, &seen):
		return r.endObserved(ctx, job, seen)
	case errors.Is(err, errLeaseLost):
		r.log.Warn("ingest: lease lost")
		return nil
	case err == nil:
		return r.complete(ctx, job)
	case errors.Is(err, errGone) && r.partsRemain(ctx):
		if pauseErr := r.pause(ctx); pauseErr != nil {
			return pauseErr
		}
		return queue.Snooze(time.Second)
	case errors.As(err, &later):
		if pauseErr := r.pause(ctx); pauseErr != nil {
			return pauseErr
		}
		return queue.Snooze(max(later.until.Sub(r.s.now()), time.Second))
	case shutdown:
		// Not a fault: the next run continues.
		if pauseErr := r.pause(ctx); pauseErr != nil {
			return pauseErr
		}
		return queue.Snooze(0)
	default:
		return r.fail(ctx, err)
	}
}

// partsRemain reports whether there is something to archive without what was removed at
// Zoom.
func (r *run) partsRemain(ctx context.Context) bool {
	var p plan
	err := r.s.deps.Store.View(ctx, "syncer: what remains", func(x store.Session) error {
		meetings, err := store.MeetingsOfIngest(ctx, x, r.row)
		p = makePlan(meetings, archivedNames(r.row, r.parts), r.s.cfg.Settle, r.s.now())
		return err
	})
	return err == nil && len(p.parts) > 0
}

// pause releases the lease of a run without a result; it does not count as an attempt.
// That another run has the lease by now is no error.
func (r *run) pause(ctx context.Context) error {
	err := r.update(ctx, "syncer: pause an ingest", func(_ store.Session, i *store.Ingest) error {
		i.Lease = ""
		i.Attempts = max(i.Attempts-1, 0)
		return i.Apply(store.Pause)
	})
	if errors.Is(err, errLeaseLost) {
		return nil
	}
	return err
}

// complete ends an ingest that has what there is, in one transaction with its job;
// when it was requested again meanwhile it runs once more.
func (r *run) complete(ctx context.Context, job *queue.Job[queue.IngestArgs]) error {
	again := false
	err := r.update(ctx, "syncer: complete an ingest", func(x store.Session, i *store.Ingest) error {
		newest, err := store.LoadIngest(ctx, x, i.ID, true)
		if err != nil {
			return err
		}
		again = newest.Requests != i.Requests
		event := store.Pause // removed, or nothing recorded yet
		if i.State() != store.Removed && (i.Archived() || i.ArchivedParts != "") {
			event = store.Archive
		}
		if err := i.Apply(event); err != nil {
			return err
		}
		i.Lease, i.Attempts, i.FailingSince, i.Reason, i.Detail = "", 0, time.Time{}, "", ""
		if i.Archived() || len(r.parts) > 0 {
			if err := errors.Join(r.reportMissing(ctx, x, *i), r.reportApart(ctx, x, i)); err != nil {
				return err
			}
		}
		if r.archived {
			if err := r.s.deps.Alerts.Resolve(ctx, x, alertKey(*i), "A recording is archived after all", r.describe()); err != nil {
				return err
			}
		}
		// A run that found nothing to archive may have reserved quota before.
		if err := store.Release(ctx, x, i.RecordingID, r.s.now()); err != nil {
			return err
		}
		if again || !r.plan.nextTry().IsZero() {
			return nil
		}
		return job.Complete(ctx, x)
	})
	switch {
	case errors.Is(err, errLeaseLost):
		return nil
	case err != nil:
		return err
	case again:
		return queue.Snooze(time.Second)
	}
	r.abortUpload(ctx)
	if err := errors.Join(r.lock.Clear(), r.s.fileAfterRun(ctx, r.row)); err != nil {
		return err
	}
	if at := r.plan.nextTry(); !at.IsZero() {
		return queue.Snooze(max(at.Sub(r.s.now()), time.Second))
	}
	return nil
}

// abortUpload aborts what an ingest that has ended has left in the archive unfinished.
func (r *run) abortUpload(ctx context.Context) {
	if err := r.lock.AbortUpload(ctx, r.s.deps.Archives); err != nil {
		r.log.Warn("ingest: upload not aborted", slog.Any("error", err))
	}
}

// fail writes down a fault: the ingest is attempted again while the fault passes, and
// has failed when it does not, or has not for GiveUpAfter.
func (r *run) fail(ctx context.Context, fault error) error {
	reason, permanent := classifyError(fault, r.row.Attempts)
	if r.row.Reason == store.ReasonArchiveLost && reason == store.ReasonGoneAtZoom {
		reason = store.ReasonArchiveLost // nothing has changed since
	}
	now := r.s.now()
	if r.row.FailingSince.IsZero() {
		r.row.FailingSince = now
	}
	if now.Sub(r.row.FailingSince) >= r.s.cfg.GiveUpAfter {
		permanent = true
	}
	if r.s.deps.Observer.On() && r.row.RecordingID != 0 {
		permanent = false // its row would change
	}
	r.log.Warn("ingest: failed", slog.String("reason", reason), slog.Bool("permanent", permanent), slog.Int64("attempt", r.row.Attempts), slog.Any("error", fault))
	again, final := false, false
	err := r.update(ctx, "syncer: a failed ingest", func(x store.Session, i *store.Ingest) error {
		newest, err := store.LoadIngest(ctx, x, i.ID, true)
		if err != nil {
			return err
		}
		// A request since this run began may come with the cure.
		again = newest.Requests != i.Requests
		final = permanent && !again
		i.Lease, i.Reason, i.Detail = "", reason, fault.Error()
		event, what := store.Pause, "failed in passing: "+reason
		if final {
			event, what = store.Fail, "failed: "+reason
		}
		if err := i.Apply(event); err != nil {
			return err
		}
		if err := r.history(ctx, x, i, what, fault.Error()); err != nil || !final {
			return err
		}
		return r.markFailed(ctx, x, *i, now)
	})
	switch {
	case errors.Is(err, errLeaseLost):
		return nil
	case err != nil:
		return err
	case again:
		return queue.Snooze(time.Second)
	case final:
		r.abortUpload(ctx)
		if err := r.s.fileAfterRun(ctx, r.row); err != nil {
			r.log.Warn("ingest: own recordings not filed", slog.Any("error", err))
		}
		return queue.Cancel(fmt.Errorf("%s: %w", reason, fault))
	}
	if wait := media.RetryAfterOf(fault); wait > time.Minute {
		return queue.Snooze(min(wait, 6*time.Hour))
	}
	return fmt.Errorf("%s: %w", reason, fault)
}

// markFailed follows a final failure: the quota's reservation is released, the
// recording's row has failed unless it plays, and operators are told.
func (r *run) markFailed(ctx context.Context, x store.Session, i store.Ingest, now time.Time) error {
	if i.RecordingID != 0 {
		if err := store.Release(ctx, x, i.RecordingID, now); err != nil {
			return err
		}
		row, err := store.LoadRecording(ctx, x, i.RecordingID, true)
		if err != nil && !catalog.IsNotFound(err) {
			return err
		}
		if err == nil && !row.Playable() {
			if err := store.SetStatus(ctx, x, row.ID, media.StatusFailed, now); err != nil {
				return err
			}
		}
	}
	return r.s.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
		Key: alertKey(i), State: i.Reason, Severity: "warning",
		Title: "A recording could not be archived: " + i.Reason,
		Text:  r.describe() + ". " + store.Advice(i.Reason) + fmt.Sprintf(". Its history: `syncer explain %s`", r.subject()),
	})
}

func alertKey(i store.Ingest) string { return fmt.Sprintf("ingest:%d", i.ID) }

// subject is what `syncer explain` takes for this ingest.
func (r *run) subject() string {
	if r.row.RecordingID != 0 {
		return fmt.Sprint(r.row.RecordingID)
	}
	if len(r.plan.parts) > 0 {
		return "'" + r.plan.parts[0].MeetingUUID + "'"
	}
	if r.row.MeetingUUID != "" {
		return "'" + r.row.MeetingUUID + "'"
	}
	return fmt.Sprint(r.row.LessonID)
}

// describe names the lesson for people.
func (r *run) describe() string {
	switch {
	case r.row.LessonID == 0:
		return fmt.Sprintf("Meeting %s, which belongs to no lesson (teacher %d)", r.row.MeetingUUID, r.row.TeacherID)
	case r.lesson.ID == 0:
		return fmt.Sprintf("Lesson %d", r.row.LessonID)
	}
	return fmt.Sprintf("Lesson %d of %s (teacher %d)", r.lesson.ID, r.lesson.Start.UTC().Format("2006-01-02 15:04 UTC"), r.lesson.TeacherID)
}
