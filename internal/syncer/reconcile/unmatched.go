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
// lesson, failed ingests, the archive itself.
func (r *Reconciler) reconcileUnlisted(ctx context.Context, report *Report) error {
	lessons, err := r.retryUnmatched(ctx)
	report.Synced += len(lessons)
	report.Lessons = append(report.Lessons, lessons...)
	if err != nil {
		return err
	}
	again, err := r.deps.Ingests.RequestRetryable(ctx)
	report.Synced += len(again)
	report.Lessons = append(report.Lessons, again...)
	if err != nil {
		return err
	}
	if err := r.compareArchives(ctx); err != nil {
		// The teachers are reconciled; the archive can be compared next time.
		r.log.Warn("reconcile: archive not compared", slog.Any("error", err))
	}
	return ctx.Err()
}

// retryUnmatched matches meetings again whose lesson was not there, and alerts of those
// that have waited too long.
func (r *Reconciler) retryUnmatched(ctx context.Context) (lessons []int64, err error) {
	var waiting []store.Meeting
	err = r.deps.Store.View(ctx, "syncer: unmatched", func(x store.Session) (err error) {
		waiting, err = store.UnmatchedMeetings(ctx, x, r.now().Add(-unmatchedWindow))
		return err
	})
	if err != nil {
		return nil, err
	}
	var overdue []store.Meeting
	for _, m := range waiting {
		if !m.HasMedia() {
			continue
		}
		err := r.deps.Store.Update(ctx, "syncer: match again", func(x store.Session) error {
			lesson, _, err := store.MatchMeeting(ctx, x, m, r.now())
			if err != nil || lesson.ID == 0 {
				return err
			}
			action, err := r.requestMissing(ctx, x, lesson, m.UUID)
			if action.What == ActionArchive {
				lessons = append(lessons, lesson.ID)
			}
			return err
		})
		if err != nil {
			return lessons, err
		}
		if m.AlertedAt.IsZero() && r.now().Sub(m.FirstSeen) > r.cfg.UnmatchedAfter && !m.RecordingOff() {
			overdue = append(overdue, m)
		}
	}
	return lessons, r.alertUnmatched(ctx, overdue)
}

func (r *Reconciler) alertUnmatched(ctx context.Context, overdue []store.Meeting) error {
	if len(overdue) == 0 {
		return nil
	}
	return r.deps.Store.Update(ctx, "syncer: alert of unmatched meetings", func(x store.Session) error {
		var lines []string
		for _, m := range overdue {
			fresh, err := store.LoadMeeting(ctx, x, m.UUID)
			if err != nil || fresh.LessonID != 0 {
				return ignoreNotFound(err)
			}
			lines = append(lines, fmt.Sprintf("meeting %s of %s (%s): %s", m.MeetingID, m.Began().Format("2006-01-02 15:04 UTC"), m.UUID, m.Note))
			if err := store.MarkAlerted(ctx, x, m.UUID, r.now()); err != nil {
				return err
			}
		}
		return r.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
			Key: "unmatched", State: fmt.Sprintf("%d at %d", len(lines), r.now().Unix()), Severity: "warning",
			Title: fmt.Sprintf("%d recorded meeting(s) belong to no lesson since %s", len(lines), overdue[0].FirstSeen.Format(time.DateOnly)),
			Text:  strings.Join(lines, "\n") + "\nGive a lesson of that time the meeting's id; the next reconciliation archives it.",
		})
	})
}

func ignoreNotFound(err error) error {
	if catalog.IsNotFound(err) {
		return nil
	}
	return err
}
