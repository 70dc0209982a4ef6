package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// longAgo bounds how far back meetings without a lesson are tried again.
const longAgo = 45 * 24 * time.Hour

// reconcileRest looks at what no list brings back: meetings without a lesson, failed
// rows, the archive itself.
func (s *Syncer) reconcileRest(ctx context.Context, report *Report) error {
	lessons, err := s.retryUnmatched(ctx)
	report.Synced += len(lessons)
	report.Lessons = append(report.Lessons, lessons...)
	if err != nil {
		return err
	}
	again, err := s.retryFailed(ctx)
	report.Synced += len(again)
	report.Lessons = append(report.Lessons, again...)
	if err != nil {
		return err
	}
	if err := s.compareArchives(ctx); err != nil {
		// The teachers have been looked through; the archive can be next time.
		s.log.Warn("the archive could not be compared", slog.Any("error", err))
	}
	return ctx.Err()
}

// retryUnmatched tries meetings again whose lesson was not there, and tells of those
// that have waited too long.
func (s *Syncer) retryUnmatched(ctx context.Context) (lessons []int64, err error) {
	var waiting []store.Meeting
	err = s.deps.Store.View(ctx, "syncer: unmatched", func(x store.Session) (err error) {
		waiting, err = store.UnmatchedMeetings(ctx, x, s.now().Add(-longAgo))
		return err
	})
	if err != nil {
		return nil, err
	}
	var overdue []store.Meeting
	for _, m := range waiting {
		if !hasMedia(m) {
			continue
		}
		err := s.deps.Store.Update(ctx, "syncer: match again", func(x store.Session) error {
			lesson, _, err := s.match(ctx, x, m)
			if err != nil || lesson.ID == 0 {
				return err
			}
			action, err := s.missing(ctx, x, lesson, m.UUID)
			if action.What == actArchive {
				lessons = append(lessons, lesson.ID)
			}
			return err
		})
		if err != nil {
			return lessons, err
		}
		if m.AlertedAt.IsZero() && s.now().Sub(m.FirstSeen) > s.cfg.UnmatchedAfter && !strings.HasPrefix(m.Note, "recording is switched off") {
			overdue = append(overdue, m)
		}
	}
	return lessons, s.tellUnmatched(ctx, overdue)
}

func (s *Syncer) tellUnmatched(ctx context.Context, overdue []store.Meeting) error {
	if len(overdue) == 0 {
		return nil
	}
	return s.deps.Store.Update(ctx, "syncer: tell of the unmatched", func(x store.Session) error {
		var lines []string
		for _, m := range overdue {
			fresh, err := store.LoadMeeting(ctx, x, m.UUID)
			if err != nil || fresh.LessonID != 0 {
				return ignoreNotFound(err)
			}
			lines = append(lines, fmt.Sprintf("meeting %s of %s (%s): %s", m.MeetingID, began(m).Format("2006-01-02 15:04 UTC"), m.UUID, m.Note))
			if err := store.MarkAlerted(ctx, x, m.UUID, s.now()); err != nil {
				return err
			}
		}
		return s.raise(ctx, x, alertArgs{
			Key: "unmatched", State: fmt.Sprintf("%d at %d", len(lines), s.now().Unix()), Severity: "warning",
			Title: fmt.Sprintf("%d recorded meeting(s) belong to no lesson since %s", len(lines), overdue[0].FirstSeen.Format(time.DateOnly)),
			Text:  strings.Join(lines, "\n") + "\nGive a lesson of that time the meeting's id; the next reconciliation archives it.",
		})
	})
}

// retryFailed takes up what failed for a passing reason and is listed no more.
func (s *Syncer) retryFailed(ctx context.Context) (lessons []int64, err error) {
	var failed []store.Ingest
	err = s.deps.Store.View(ctx, "syncer: failed ingests", func(x store.Session) (err error) {
		failed, err = store.IngestsInState(ctx, x, store.Failed)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, i := range failed {
		if i.LessonID == 0 || !mendable[i.Reason] {
			continue
		}
		err := s.deps.Store.Update(ctx, "syncer: try again", func(x store.Session) error {
			return s.takeUp(ctx, x, i.LessonID, "it failed for a passing reason: "+i.Reason)
		})
		if err != nil {
			return lessons, err
		}
		lessons = append(lessons, i.LessonID)
	}
	return lessons, nil
}
