package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Request requests a lesson's recording, for a reason outside: its ingest runs now, or
// when its parts have settled. Whatever was wrong before is tried again without a pause.
// What is archived already and complete costs one look. A recording that was removed here
// stays removed. why is for the history.
func (s *Ingester) Request(ctx context.Context, x store.Session, lesson int64, why string) error {
	meetings, err := store.MeetingsOf(ctx, x, lesson)
	if err != nil {
		return err
	}
	if err := store.ForgetFaults(ctx, x, meetings); err != nil {
		return err
	}
	return s.request(ctx, x, lesson, why)
}

// request is Request with the pauses of faulty parts.
func (s *Ingester) request(ctx context.Context, x store.Session, lesson int64, why string) error {
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

// forgetFaults makes all files of an ingest worth a download again.
func forgetFaults(ctx context.Context, x store.Session, i store.Ingest) error {
	meetings, err := store.MeetingsOfIngest(ctx, x, i)
	if err != nil {
		return err
	}
	return store.ForgetFaults(ctx, x, meetings)
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
	due := makePlan(meetings, i.Parts(), s.cfg.Settle, s.now()).settled
	if err := s.deps.Queue.EnqueueIngest(ctx, x, i.ID, i.Requests, i.Lease != "", due); err != nil {
		return err
	}
	return s.enqueueFollowers(ctx, x, i.ID)
}

// enqueueFollowers enqueues what follows the publication of an ingest's recording: captions
// and companions.
func (s *Ingester) enqueueFollowers(ctx context.Context, x store.Session, ingest int64) error {
	if err := s.deps.Queue.EnqueueCaptions(ctx, x, ingest); err != nil || s.cfg.Companions.IsNone() {
		return err
	}
	return s.deps.Queue.EnqueueCompanions(ctx, x, ingest)
}

// RequestMissing requests a lesson's recording when something of it is at Zoom and not
// archived, whatever an earlier try has failed with: nothing that Zoom answers is final.
// What failed is taken up again after growing pauses. why is what was missing, "" for
// nothing new.
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
	known := err == nil
	parts, err := store.RecordingParts(ctx, x, i.RecordingID)
	if err != nil {
		return "", err
	}
	why, request := s.missing(meetings, i, known, parts)
	switch {
	case !request:
		return "", s.requestMissingFollowers(ctx, x, meetings, i)
	case i.State() == store.Failed:
		return why, s.retake(ctx, x, i, why)
	}
	return why, s.request(ctx, x, lesson, why)
}

// requestMissingFollowers requests the captions and companions of an archived recording that
// it lacks although Zoom lists them: they come hours later, and their event may be lost; or
// the recording was archived by a version that left them at Zoom.
// So is the trash of Zoom's copies where no job for it is left.
func (s *Ingester) requestMissingFollowers(ctx context.Context, x store.Session, meetings []store.Meeting, i store.Ingest) error {
	if err := s.requestMissingCaptions(ctx, x, meetings, i); err != nil || i.State() != store.Done || i.RecordingID == 0 {
		return err
	}
	if err := s.requestMissingTrash(ctx, x, meetings, i); err != nil || s.cfg.Companions.IsNone() {
		return err
	}
	plan, _, err := s.companionsOf(ctx, x, meetings, i)
	if err != nil || len(plan.due(s.now())) == 0 {
		return err
	}
	return s.deps.Queue.EnqueueCompanions(ctx, x, i.ID)
}

// requestMissingCaptions requests the captions of an archived recording that has none
// although Zoom lists some: they come hours later, and their event may be lost. Those that
// a person has removed are not missing.
func (s *Ingester) requestMissingCaptions(ctx context.Context, x store.Session, meetings []store.Meeting, i store.Ingest) error {
	if !i.Archived() || i.RecordingID == 0 || len(captionSources(archivedFiles(meetings, i), meetings)) == 0 {
		return nil
	}
	known, err := store.CaptionsGiven(ctx, x, i.RecordingID)
	if err != nil || known {
		return err
	}
	return s.deps.Queue.EnqueueCaptions(ctx, x, i.ID)
}

// missing reports whether something of meetings is at Zoom and not archived by their
// ingest, known or not. why is what, "" where that is under way already and only needs a
// job. parts are beside the archived recording.
func (s *Ingester) missing(meetings []store.Meeting, i store.Ingest, known bool, parts []store.RecordingFile) (why string, request bool) {
	p := makePlan(meetings, archivedNames(i, parts), s.cfg.Settle, s.now())
	switch {
	case len(p.parts) == 0 && !p.processing && len(p.missing) == 0:
		return "", false
	case !known:
		return "Zoom lists it and nothing is archived", true
	case i.State() == store.Removed:
		return "", false
	case i.State() == store.Done && (p.processing || len(p.parts) == 0 || s.isComplete(p, i, parts)):
		return "", false
	case i.State() == store.Done && p.changed:
		return "Zoom lists another version of an archived file", true
	case i.State() == store.Done && hasAll(p, i, parts):
		return "its parts may be joined now", true
	case i.State() == store.Done:
		return "Zoom lists a segment that is not archived", true
	case i.State() == store.Failed:
		// What was gone is listed again: that is news, and needs no pause.
		back := i.Reason == store.ReasonGoneAtZoom || i.Reason == store.ReasonArchiveLost && len(p.parts) > 0
		return "it failed with " + i.Reason, s.mayRetake(i) || back
	default:
		return "", true
	}
}

// mayRetake reports whether the pause of a failed ingest is over. What waits for quota has
// a wake-up of its own.
func (s *Ingester) mayRetake(i store.Ingest) bool {
	return !i.Orphaned() && i.Reason != store.ReasonQuota && !i.RetakeAt.After(s.now())
}

// retake requests a failed ingest again and begins the pause before the next time.
func (s *Ingester) retake(ctx context.Context, x store.Session, i store.Ingest, why string) error {
	if err := s.requestAgain(ctx, x, i, why); err != nil {
		return err
	}
	taken, err := store.LoadIngest(ctx, x, i.ID, true)
	if err != nil || taken.State() != store.Waiting {
		return catalog.IgnoreNotFound(err)
	}
	at := s.now()
	taken.Retakes, taken.RetakenAt = i.Retakes+1, at
	taken.RetakeAt = at.Add(pauseBefore(taken.Retakes, s.cfg.RetakeEvery))
	if _, err := store.SaveIngest(ctx, x, taken, taken.Lease, at); err != nil {
		return err
	}
	return store.AppendHistory(ctx, x, store.HistoryEntry{At: at, IngestID: i.ID, RecordingID: i.RecordingID, What: "taken up again",
		Detail: fmt.Sprintf("%s; time %d, by reconciliation not again before %s", why, taken.Retakes, taken.RetakeAt.UTC().Format(time.RFC3339))})
}

// EndPauses makes everything that failed worth another try now. teacher is whose, 0 =
// everybody's.
func (s *Ingester) EndPauses(ctx context.Context, teacher int64) error {
	return s.deps.Store.Update(ctx, "syncer: end pauses", func(x store.Session) error { return store.EndPauses(ctx, x, teacher) })
}

// trashFor is how long Zoom keeps what is in its trash, and a day.
const trashFor = 31 * 24 * time.Hour

// RetakeFailed takes up the failed ingests again whose pause is over, and returns their
// lessons: Zoom's lists reach back a few days only. What was removed at Zoom is looked for
// once a day while it may be recovered, which counts as nothing new.
func (s *Ingester) RetakeFailed(ctx context.Context) (lessons []int64, err error) {
	var failed []store.Ingest
	err = s.deps.Store.View(ctx, "syncer: failed ingests", func(x store.Session) (err error) {
		failed, err = store.IngestsInState(ctx, x, store.Failed)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, i := range failed {
		gone := i.Reason == store.ReasonGoneAtZoom || i.Reason == store.ReasonArchiveLost
		if gone && s.now().Sub(i.UpdatedAt) < maxPause || i.Reason == store.ReasonGoneAtZoom && s.now().Sub(i.CreatedAt) > trashFor {
			continue
		}
		taken := false
		err := s.deps.Store.Update(ctx, "syncer: retake a failed ingest", func(x store.Session) error {
			taken = false
			fresh, err := store.LoadIngest(ctx, x, i.ID, true)
			if err != nil || fresh.State() != store.Failed || !s.mayRetake(fresh) {
				return catalog.IgnoreNotFound(err)
			}
			if fresh.Reason == store.ReasonArchiveLost {
				meetings, err := store.MeetingsOfIngest(ctx, x, fresh)
				if err != nil || !recoverable(meetings, s.now()) {
					return err
				}
			}
			taken = true
			return s.retake(ctx, x, fresh, "it failed with "+fresh.Reason)
		})
		if err != nil {
			return lessons, err
		}
		if taken && !gone && i.LessonID != 0 {
			lessons = append(lessons, i.LessonID)
		}
	}
	return lessons, nil
}

// RetryBlockedByQuota requests the ingests again that failed for want of quota and fit
// into it now.
func (s *Ingester) RetryBlockedByQuota(ctx context.Context) error {
	if s.deps.Observer.On() {
		return nil
	}
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
