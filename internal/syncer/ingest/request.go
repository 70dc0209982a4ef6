package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Request requests a lesson's recording: its ingest runs now, or when its parts have
// settled. What is archived already and complete costs one look. A recording that was
// removed here stays removed. why is for the history.
func (s *Ingester) Request(ctx context.Context, x store.Session, lesson int64, why string) error {
	l, err := store.LoadLesson(ctx, x, lesson)
	if err != nil {
		return err
	}
	if wait, err := s.fileOwn(ctx, x, l, false); err != nil || wait {
		return err
	}
	i, isNew, err := store.RequestIngest(ctx, x, l, s.now())
	if err != nil {
		return err
	}
	return s.enqueue(ctx, x, i, isNew, why)
}

// enqueue gives a requested ingest its job.
func (s *Ingester) enqueue(ctx context.Context, x store.Session, i store.Ingest, isNew bool, why string) error {
	if i.State() == store.Removed {
		return nil
	}
	meetings, err := store.MeetingsOfIngest(ctx, x, i)
	if err != nil {
		return err
	}
	if isNew {
		if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: i.ID, What: "requested", Detail: why}); err != nil {
			return err
		}
	}
	due := makePlan(meetings, s.cfg.Settle, s.now()).settled
	if err := s.deps.Queue.EnqueueIngest(ctx, x, i.ID, i.Requests, i.Lease != "", due); err != nil {
		return err
	}
	return s.deps.Queue.Enqueue(ctx, x, queue.CaptionsArgs{IngestID: i.ID}, time.Time{})
}

// RequestMissing requests a lesson's recording when something of it is at Zoom and not
// archived. why is what was missing, "" for nothing new.
func (s *Ingester) RequestMissing(ctx context.Context, x store.Session, lesson int64) (why string, err error) {
	l, err := store.LoadLesson(ctx, x, lesson)
	if err != nil {
		return "", err
	}
	if wait, err := s.fileOwn(ctx, x, l, false); err != nil || wait {
		return "", err
	}
	meetings, err := store.MeetingsOf(ctx, x, lesson)
	if err != nil {
		return "", err
	}
	i, err := store.IngestOfLesson(ctx, x, lesson)
	if err != nil && !catalog.IsNotFound(err) {
		return "", err
	}
	why, request := s.missing(meetings, i, err == nil)
	if !request {
		return "", nil
	}
	return why, s.Request(ctx, x, lesson, why)
}

// missing reports whether something of meetings is at Zoom and not archived by their
// ingest, known or not. why is what, "" where that is under way already and only needs a
// job.
func (s *Ingester) missing(meetings []store.Meeting, i store.Ingest, known bool) (why string, request bool) {
	p := makePlan(meetings, s.cfg.Settle, s.now())
	switch {
	case len(p.parts) == 0 && !p.processing:
		return "", false
	case !known:
		return "Zoom lists it and nothing is archived", true
	case i.State() == store.Removed:
		return "", false
	case i.State() == store.Done && (p.processing || slices.Equal(p.names(), i.Parts())):
		return "", false
	case i.State() == store.Done:
		return "Zoom lists a segment that is not archived", true
	case i.State() == store.Failed && !store.Retryable(i.Reason):
		return "", false
	case i.State() == store.Failed:
		return passingReason(i), true
	default:
		return "", true
	}
}

func passingReason(i store.Ingest) string { return "it failed for a passing reason: " + i.Reason }

// RequestRetryable requests the ingests again that failed for a passing reason, and
// returns their lessons.
func (s *Ingester) RequestRetryable(ctx context.Context) (lessons []int64, err error) {
	var failed []store.Ingest
	err = s.deps.Store.View(ctx, "syncer: failed ingests", func(x store.Session) (err error) {
		failed, err = store.IngestsInState(ctx, x, store.Failed)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, i := range failed {
		if i.Orphaned() || !store.Retryable(i.Reason) {
			continue
		}
		err := s.deps.Store.Update(ctx, "syncer: retry a failed ingest", func(x store.Session) error {
			return s.requestAgain(ctx, x, i, passingReason(i))
		})
		if err != nil {
			return lessons, err
		}
		if i.LessonID != 0 {
			lessons = append(lessons, i.LessonID)
		}
	}
	return lessons, nil
}

// RetryBlockedByQuota requests the ingests again that failed for want of quota and fit
// into it now.
func (s *Ingester) RetryBlockedByQuota(ctx context.Context) error {
	var blocked []store.Ingest
	err := s.deps.Store.View(ctx, "syncer: ingests blocked by quota", func(x store.Session) error {
		all, err := store.IngestsInState(ctx, x, store.Failed)
		blocked = slices.DeleteFunc(all, func(i store.Ingest) bool { return i.Reason != store.ReasonQuota || i.Orphaned() })
		return err
	})
	if err != nil {
		return err
	}
	for _, i := range blocked {
		err = s.deps.Store.Update(ctx, "syncer: retry an ingest blocked by quota", func(x store.Session) error {
			q, err := store.LoadQuota(ctx, x, i.TeacherID, s.now())
			if err != nil || q.Used+q.Reserved+i.Need > q.Total {
				return err
			}
			return s.requestAgain(ctx, x, i, "the quota has room again")
		})
		if err != nil {
			return err
		}
	}
	return nil
}
