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
	i, isNew, err := store.RequestIngest(ctx, x, l, s.now())
	if err != nil {
		return err
	}
	return s.enqueue(ctx, x, i, isNew, why)
}

// RequestOwn is Request for a meeting that belongs to no lesson: its recording is
// archived as the teacher's own.
func (s *Ingester) RequestOwn(ctx context.Context, x store.Session, uuid string, teacher int64, why string) error {
	i, isNew, err := store.RequestMeetingIngest(ctx, x, uuid, teacher, s.now())
	if err != nil {
		return err
	}
	return s.enqueue(ctx, x, i, isNew, why)
}

// requestAgain requests an ingest that is there.
func (s *Ingester) requestAgain(ctx context.Context, x store.Session, i store.Ingest, why string) error {
	if i.MeetingUUID != "" {
		return s.RequestOwn(ctx, x, i.MeetingUUID, i.TeacherID, why)
	}
	return s.Request(ctx, x, i.LessonID, why)
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
	meetings, err := store.MeetingsOf(ctx, x, lesson)
	if err != nil {
		return "", err
	}
	p := makePlan(meetings, s.cfg.Settle, s.now())
	if len(p.parts) == 0 && !p.processing {
		return "", nil
	}
	i, err := store.IngestOfLesson(ctx, x, lesson)
	switch {
	case catalog.IsNotFound(err):
		why = "Zoom lists it and nothing is archived"
	case err != nil:
		return "", err
	case i.State() == store.Removed:
		return "", nil
	case i.State() == store.Done && (p.processing || slices.Equal(p.names(), i.Parts())):
		return "", nil
	case i.State() == store.Done:
		why = "Zoom lists a segment that is not archived"
	case i.State() == store.Failed && !store.Retryable(i.Reason):
		return "", nil
	case i.State() == store.Failed:
		why = passingReason(i)
	}
	// One that is under way already only needs a job.
	return why, s.Request(ctx, x, lesson, why)
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
