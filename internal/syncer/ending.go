package syncer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// finish writes down how a run ended and tells the queue.
func (w *ingest) finish(ctx context.Context, job *river.Job[ingestArgs], err error) error {
	shutdown := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	var later *notYet
	switch {
	case errors.Is(err, errTaken):
		w.log.Warn("another syncer has taken over")
		return nil
	case err == nil:
		return w.complete(ctx, job)
	case errors.As(err, &later):
		if saveErr := w.release(ctx, store.Waiting, false); saveErr != nil {
			return saveErr
		}
		return river.JobSnooze(max(later.until.Sub(w.s.now()), time.Second))
	case shutdown:
		// Not a fault: whoever comes next goes on.
		if saveErr := w.release(ctx, store.Waiting, false); saveErr != nil {
			return saveErr
		}
		return river.JobSnooze(0)
	default:
		return w.fail(ctx, err)
	}
}

// release gives the ingest up without an end.
func (w *ingest) release(ctx context.Context, state string, failing bool) error {
	return w.s.deps.Store.Update(ctx, "syncer: release an ingest", func(x store.Session) error {
		if w.row.State != store.Done {
			w.row.State = state
		}
		w.row.Lease = ""
		if !failing {
			w.row.Attempts = max(w.row.Attempts-1, 0)
		}
		_, err := store.SaveIngest(ctx, x, w.row, w.owner, w.s.now())
		return err
	})
}

// complete ends an ingest that has what there is, in one transaction with its job;
// when somebody asked for it meanwhile it goes round once more.
func (w *ingest) complete(ctx context.Context, job *river.Job[ingestArgs]) error {
	again := false
	err := w.s.deps.Store.Update(ctx, "syncer: complete an ingest", func(x store.Session) error {
		now, err := store.LoadIngest(ctx, x, w.row.ID, true)
		if err != nil {
			return err
		}
		again = now.Requests != w.row.Requests
		switch {
		case w.row.State == store.Removed:
		case w.row.Archived() || w.row.ArchivedParts != "":
			w.row.State = store.Done
		default:
			w.row.State = store.Waiting // nothing recorded yet
		}
		w.row.Lease, w.row.Attempts, w.row.FailingSince, w.row.Reason, w.row.Detail = "", 0, time.Time{}, "", ""
		if ok, err := store.SaveIngest(ctx, x, w.row, w.owner, w.s.now()); err != nil || !ok {
			return errors.Join(err, notOwner(ok))
		}
		if w.archived {
			if err := w.s.resolve(ctx, x, w.alertKey(), "A recording is archived after all", w.describe()); err != nil {
				return err
			}
		}
		if again {
			return nil
		}
		_, err = river.JobCompleteTx[riverdriver.Driver[*sql.Tx]](ctx, x.Tx(), job)
		return err
	})
	switch {
	case errors.Is(err, errTaken):
		return nil
	case err != nil:
		return err
	case again:
		return river.JobSnooze(time.Second)
	}
	return w.held.clear()
}

func notOwner(ok bool) error {
	if ok {
		return nil
	}
	return errTaken
}

// fail writes down a fault: it is tried again while it passes, and ends the ingest
// when it does not, or has not for two days.
func (w *ingest) fail(ctx context.Context, err error) error {
	reason, permanent := verdict(err, w.row.Attempts)
	now := w.s.now()
	if w.row.FailingSince.IsZero() {
		w.row.FailingSince = now
	}
	if now.Sub(w.row.FailingSince) >= w.s.cfg.GiveUpAfter {
		permanent = true
	}
	w.log.Warn("an ingest failed", slog.String("reason", reason), slog.Bool("permanent", permanent), slog.Int64("attempt", w.row.Attempts), slog.Any("error", err))
	again := false
	saveErr := w.s.deps.Store.Update(ctx, "syncer: a failed ingest", func(x store.Session) error {
		newest, loadErr := store.LoadIngest(ctx, x, w.row.ID, true)
		if loadErr != nil {
			return loadErr
		}
		// Something has happened since this run began, and may be the cure.
		if again = newest.Requests != w.row.Requests; again {
			permanent = false
		}
		w.row.Reason, w.row.Detail = reason, err.Error()
		what := "failed in passing: " + reason
		switch {
		case permanent:
			w.row.State, what = store.Failed, "failed: "+reason
		case w.row.State != store.Done:
			w.row.State = store.Waiting
		}
		w.row.Lease = ""
		if ok, err := store.SaveIngest(ctx, x, w.row, w.owner, now); err != nil || !ok {
			return errors.Join(err, notOwner(ok))
		}
		if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: now, IngestID: w.row.ID, RecordingID: w.row.RecordingID, What: what, Detail: err.Error()}); err != nil {
			return err
		}
		if !permanent {
			return nil
		}
		return w.bury(ctx, x, reason, now)
	})
	switch {
	case errors.Is(saveErr, errTaken):
		return nil
	case saveErr != nil:
		return saveErr
	case again:
		return river.JobSnooze(time.Second)
	case permanent:
		return river.JobCancel(fmt.Errorf("%s: %w", reason, err))
	}
	if wait := media.RetryAfterOf(err); wait > time.Minute {
		return river.JobSnooze(min(wait, 6*time.Hour))
	}
	return fmt.Errorf("%s: %w", reason, err)
}

// bury ends an ingest that failed for good: its promise of quota is released, its
// row says so unless it plays, and somebody is told.
func (w *ingest) bury(ctx context.Context, x store.Session, reason string, now time.Time) error {
	if w.row.RecordingID != 0 {
		if err := store.Release(ctx, x, w.row.RecordingID, now); err != nil {
			return err
		}
		row, err := store.LoadRecording(ctx, x, w.row.RecordingID, true)
		if err != nil && !catalog.IsNotFound(err) {
			return err
		}
		if err == nil && row.Status != media.StatusReady && row.Status != media.StatusArchived {
			if err := store.SetStatus(ctx, x, row.ID, media.StatusFailed, now); err != nil {
				return err
			}
		}
	}
	return w.s.raise(ctx, x, alertArgs{
		Key: w.alertKey(), State: reason, Severity: "warning",
		Title: "A recording could not be archived: " + reason,
		Text:  w.describe() + ". " + advice[reason] + fmt.Sprintf(". Its story: `syncer explain %s`", w.subject()),
	})
}

func (w *ingest) alertKey() string { return fmt.Sprintf("ingest:%d", w.row.ID) }

func (w *ingest) subject() string {
	if w.row.RecordingID != 0 {
		return fmt.Sprint(w.row.RecordingID)
	}
	if len(w.plan.parts) > 0 {
		return "'" + w.plan.parts[0].MeetingUUID + "'"
	}
	return fmt.Sprint(w.row.LessonID)
}

// describe names a lesson for people.
func (w *ingest) describe() string {
	if w.lesson.ID == 0 {
		return fmt.Sprintf("Lesson %d", w.row.LessonID)
	}
	return fmt.Sprintf("Lesson %d of %s (teacher %d)", w.lesson.ID, w.lesson.Start.UTC().Format("2006-01-02 15:04 UTC"), w.lesson.TeacherID)
}
