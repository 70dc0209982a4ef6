package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// unmatchedWindow is how far back meetings without a lesson are matched again.
const unmatchedWindow = 45 * 24 * time.Hour

// reconcileUnlisted covers what no list of Zoom's brings back: meetings without a
// lesson, and for all teachers together failed ingests and the archive itself.
func (r *Reconciler) reconcileUnlisted(ctx context.Context, scope Scope, report *Report) error {
	if err := r.retryUnmatched(ctx, scope.Teacher, report); err != nil || scope.Teacher != 0 {
		return err
	}
	if err := r.deps.Ingests.FileOwn(ctx); err != nil {
		return err
	}
	again, err := r.deps.Ingests.RetakeFailed(ctx)
	report.Synced += len(again)
	report.Lessons = append(report.Lessons, again...)
	if err != nil {
		return err
	}
	if err := r.deps.Ingests.RetryJoins(ctx); err != nil {
		return err
	}
	if err := r.compareArchives(ctx); err != nil {
		// The teachers are reconciled; the archive can be compared next time.
		r.log.Warn("reconcile: archive not compared", slog.Any("error", err))
	}
	return ctx.Err()
}

// retryUnmatched matches meetings again whose lesson was not there, of one teacher or with
// 0 of all. Those that have waited too long are alerted and archived as their teacher's own.
func (r *Reconciler) retryUnmatched(ctx context.Context, teacher int64, report *Report) error {
	var waiting []store.Meeting
	err := r.deps.Store.View(ctx, "syncer: unmatched", func(x store.Session) (err error) {
		waiting, err = store.UnmatchedMeetings(ctx, x, r.now().Add(-unmatchedWindow))
		return err
	})
	if err != nil {
		return err
	}
	var overdue []store.Meeting
	for _, m := range waiting {
		if !m.HasMedia() {
			continue
		}
		var (
			action Action
			alert  bool
		)
		err := r.deps.Store.Update(ctx, "syncer: match again", func(x store.Session) error {
			action, alert = Action{}, false
			if teacher != 0 && m.TeacherID != teacher {
				t, err := store.TeacherOfMeeting(ctx, x, m)
				if err != nil || t.ID != teacher {
					return catalog.IgnoreNotFound(err)
				}
			}
			var err error
			action, alert, err = r.matchAgain(ctx, x, m)
			return err
		})
		if err != nil {
			return err
		}
		report.add(action)
		if alert {
			overdue = append(overdue, m)
		}
	}
	return r.alertUnmatched(ctx, overdue)
}

// matchAgain matches a meeting that belongs to no lesson. One that still does not and is
// overdue is archived as its teacher's own; alert says that it was not alerted before.
func (r *Reconciler) matchAgain(ctx context.Context, x store.Session, m store.Meeting) (action Action, alert bool, err error) {
	lesson, note, err := r.cfg.Match.Match(ctx, x, m, r.now())
	if err != nil {
		return Action{}, false, err
	}
	if lesson.ID != 0 {
		action, err = r.requestMissing(ctx, x, lesson, m)
		return action, false, err
	}
	m.Note = note
	if r.now().Sub(m.FirstSeen) < r.cfg.UnmatchedAfter || m.RecordingOff() {
		return Action{}, false, nil
	}
	if r.cfg.ArchiveUnmatched {
		action, err = r.requestOwn(ctx, x, m)
	}
	return action, m.AlertedAt.IsZero() && !m.Archived(), err
}

func (r *Reconciler) alertUnmatched(ctx context.Context, overdue []store.Meeting) error {
	if len(overdue) == 0 {
		return nil
	}
	advice := "Give a lesson of that time the meeting's id, and the next reconciliation archives it, or name the lesson: `syncer assign MEETING LESSON`."
	if r.cfg.ArchiveUnmatched {
		advice = "They are archived as their teachers' own, seen by nobody else. `syncer assign MEETING LESSON` moves one to its lesson, as does a lesson of that time with the meeting's id."
	}
	return r.deps.Store.Update(ctx, "syncer: alert of unmatched meetings", func(x store.Session) error {
		var lines []string
		for _, m := range overdue {
			fresh, err := store.LoadMeeting(ctx, x, m.UUID)
			if err != nil || fresh.LessonID != 0 {
				if err := catalog.IgnoreNotFound(err); err != nil {
					return err
				}
				continue
			}
			lines = append(lines, fmt.Sprintf("meeting %s of %s (%s): %s", m.MeetingID, m.Began().Format("2006-01-02 15:04 UTC"), m.UUID, fresh.Note))
			if err := store.MarkAlerted(ctx, x, m.UUID, r.now()); err != nil {
				return err
			}
		}
		if len(lines) == 0 {
			return nil
		}
		return r.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
			Key: "unmatched", State: fmt.Sprintf("%d at %d", len(lines), r.now().Unix()), Severity: "warning",
			Title: fmt.Sprintf("%d recorded meeting(s) belong to no lesson since %s", len(lines), overdue[0].FirstSeen.Format(time.DateOnly)),
			Text:  strings.Join(lines, "\n") + "\n" + advice,
		})
	})
}
