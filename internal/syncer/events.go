package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// workEvent does what a stored webhook asks for.
func (s *Syncer) workEvent(ctx context.Context, job *river.Job[eventArgs]) error {
	return s.deps.Store.Update(ctx, "syncer: event", func(x store.Session) error {
		row, err := store.LoadEvent(ctx, x, job.Args.EventID)
		if err != nil {
			return err
		}
		event, err := zoom.ParseEvent([]byte(row.Body))
		if err != nil {
			return store.FinishEvent(ctx, x, row.ID, "ignored", "the body cannot be read")
		}
		note, err := s.handle(ctx, x, row, event)
		if err != nil {
			return err
		}
		return store.FinishEvent(ctx, x, row.ID, "done", note)
	})
}

func (s *Syncer) handle(ctx context.Context, x store.Session, row store.Event, e zoom.Event) (note string, err error) {
	switch e.Name {
	case zoom.EventCompleted, zoom.EventTranscriptCompleted:
		return s.recorded(ctx, x, meetingOf(e.Meeting, row.TeacherID, row.SealedToken))
	case zoom.EventTrashed, zoom.EventDeleted:
		return s.gone(ctx, x, e, s.now())
	case zoom.EventRecovered:
		if note, err := s.recorded(ctx, x, meetingOf(e.Meeting, row.TeacherID, row.SealedToken)); err != nil || e.Meeting.UUID == "" {
			return note, err
		}
		return s.gone(ctx, x, e, time.Time{})
	case zoom.EventBatchTrashed, zoom.EventBatchDeleted:
		return s.batch(ctx, x, e.UUIDs, s.now())
	case zoom.EventBatchRecovered:
		return s.batch(ctx, x, e.UUIDs, time.Time{})
	case zoom.EventMeetingEnded:
		return s.ended(ctx, x, row, e)
	default:
		return "nothing to do", nil
	}
}

// meetingOf is a meeting as the ledger keeps it.
func meetingOf(m zoom.Meeting, teacher int64, sealedToken string) store.Meeting {
	out := store.Meeting{
		UUID: m.UUID, AccountID: m.AccountID, MeetingID: m.ID, HostID: m.HostID, TeacherID: teacher,
		Topic: m.Topic, Start: m.Start, Duration: m.Duration, SealedToken: sealedToken,
	}
	for _, f := range m.Files {
		status := f.Status
		if status == "" {
			status = "completed"
		}
		out.Files = append(out.Files, store.File{MeetingUUID: m.UUID, ID: f.ID, Type: f.Type, View: f.View, Status: status, Start: f.Start, End: f.End, Size: f.Size, DownloadURL: f.DownloadURL})
	}
	return out
}

// recorded takes in what Zoom says of a meeting's recording, and asks for the
// lesson's recording when the lesson is known.
func (s *Syncer) recorded(ctx context.Context, x store.Session, m store.Meeting) (note string, err error) {
	if m.UUID == "" {
		return "the meeting has no uuid", nil
	}
	if err := store.PutMeeting(ctx, x, m, s.now()); err != nil {
		return "", err
	}
	known, err := store.LoadMeeting(ctx, x, m.UUID)
	if err != nil {
		return "", err
	}
	lesson, note, err := s.match(ctx, x, known)
	if err != nil || lesson.ID == 0 {
		return note, err
	}
	return note, s.takeUp(ctx, x, lesson.ID, "Zoom says that it is recorded")
}

// match finds a meeting's lesson and writes it down, or why there is none.
func (s *Syncer) match(ctx context.Context, x store.Session, m store.Meeting) (store.Lesson, string, error) {
	if m.LessonID != 0 {
		l, err := store.LoadLesson(ctx, x, m.LessonID)
		if err == nil && l.Record || err != nil && !catalog.IsNotFound(err) {
			return l, fmt.Sprintf("belongs to lesson %d", m.LessonID), err
		}
	}
	candidates, err := store.LessonsOfMeeting(ctx, x, m.MeetingID, m.AccountID, m.HostID, m.TeacherID)
	if err != nil {
		return store.Lesson{}, "", err
	}
	return s.assign(ctx, x, m, candidates)
}

// assign chooses among lessons. A lesson whose recording is switched off waits: it
// may be switched on.
func (s *Syncer) assign(ctx context.Context, x store.Session, m store.Meeting, candidates []store.Lesson) (store.Lesson, string, error) {
	began := began(m)
	l, ok := store.NearestLesson(candidates, m.MeetingID, began)
	note := ""
	switch {
	case began.IsZero():
		note, ok = "nobody says when it was recorded", false
	case !ok:
		note = "no lesson of its teacher has this meeting id at this time"
	case !l.Record:
		note, ok = fmt.Sprintf("recording is switched off for lesson %d", l.ID), false
	}
	if !ok {
		return store.Lesson{}, note, store.AssignLesson(ctx, x, m.UUID, 0, 0, note)
	}
	note = fmt.Sprintf("belongs to lesson %d", l.ID)
	if m.LessonID == l.ID {
		return l, note, nil
	}
	if err := store.AssignLesson(ctx, x, m.UUID, l.ID, 0, note); err != nil {
		return l, note, err
	}
	return l, note, store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), MeetingUUID: m.UUID, What: "matched", Detail: note})
}

// began is when a meeting's recording began.
func began(m store.Meeting) time.Time {
	at := m.Start
	for _, f := range m.Files {
		if !f.Start.IsZero() && (f.Type == "MP4" || f.Type == "M4A") && (at.IsZero() || f.Start.Before(at)) {
			at = f.Start
		}
	}
	return at
}

// takeUp asks for a lesson's recording: now, or when its parts have settled. What is
// archived already and complete costs one look.
func (s *Syncer) takeUp(ctx context.Context, x store.Session, lesson int64, why string) error {
	l, err := store.LoadLesson(ctx, x, lesson)
	if err != nil {
		return err
	}
	i, isNew, err := store.RequestIngest(ctx, x, l, s.now())
	if err != nil || i.State == store.Removed {
		return err
	}
	if i.State == store.Failed {
		owner := i.Lease
		i.State, i.Reason, i.Detail, i.FailingSince, i.Attempts, i.Need = store.Waiting, "", "", time.Time{}, 0, 0
		if _, err := store.SaveIngest(ctx, x, i, owner, s.now()); err != nil {
			return err
		}
	}
	meetings, err := store.MeetingsOf(ctx, x, lesson)
	if err != nil {
		return err
	}
	p := makePlan(meetings, s.cfg.Settle, s.now())
	if isNew {
		if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: i.ID, What: "asked for", Detail: why}); err != nil {
			return err
		}
	}
	result, err := s.insert(ctx, x.Tx(), ingestArgs{IngestID: i.ID}, p.settled)
	if err != nil {
		return err
	}
	switch {
	case !result.UniqueSkippedAsDuplicate:
	case result.Job.State == rivertype.JobStateRetryable:
		// It waits for its next try after a fault; what has changed may be the cure.
		if _, err := s.client.JobRetryTx(ctx, x.Tx(), result.Job.ID); err != nil {
			return media.Fault(media.Unavailable, "syncer: wake an ingest", err)
		}
	case result.Job.State == rivertype.JobStateRunning && i.Lease == "":
		// Its run has written down how it ended, and the queue is about to hear it (or it
		// has not begun, and one look more does no harm): that job will not see what was
		// asked just now.
		if _, err := s.insert(ctx, x.Tx(), ingestArgs{IngestID: i.ID, Again: i.Requests}, latest(p.settled, s.now().Add(time.Second))); err != nil {
			return err
		}
	}
	return s.enqueue(ctx, x, captionArgs{i.ID}, time.Time{})
}

// gone notes a fact about Zoom's copy: trashed or deleted, or back with the zero
// time. It is never one about ours.
func (s *Syncer) gone(ctx context.Context, x store.Session, e zoom.Event, at time.Time) (string, error) {
	var files []string
	for _, f := range e.Meeting.Files {
		if f.ID != "" {
			files = append(files, f.ID)
		}
	}
	if e.Meeting.UUID == "" {
		return "the meeting has no uuid", nil
	}
	if _, err := store.LoadMeeting(ctx, x, e.Meeting.UUID); catalog.IsNotFound(err) {
		// It came before its recording.completed, or instead of it.
		if err := store.PutMeeting(ctx, x, meetingOf(e.Meeting, 0, ""), s.now()); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	return s.goneFiles(ctx, x, e.Meeting.UUID, files, at)
}

func (s *Syncer) goneFiles(ctx context.Context, x store.Session, uuid string, files []string, at time.Time) (string, error) {
	if err := store.MarkGone(ctx, x, uuid, files, at); err != nil {
		return "", err
	}
	what := "Zoom's copy is gone"
	if at.IsZero() {
		what = "Zoom's copy is back"
	}
	if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), MeetingUUID: uuid, What: what}); err != nil {
		return "", err
	}
	m, err := store.LoadMeeting(ctx, x, uuid)
	if catalog.IsNotFound(err) {
		return what + ", of a meeting nobody has heard of", nil
	}
	if err != nil {
		return what, err
	}
	lesson, _, err := s.match(ctx, x, m)
	if err != nil || lesson.ID == 0 {
		return what, err
	}
	i, err := store.IngestOfLesson(ctx, x, lesson.ID)
	switch {
	case catalog.IsNotFound(err):
		return what, nil
	case err != nil:
		return what, err
	case at.IsZero():
		return what, s.takeUp(ctx, x, lesson.ID, "it was recovered at Zoom")
	case i.Archived() || i.State == store.Failed || i.State == store.Removed:
		return what + ", ours stays as it is", nil
	default:
		// The ingest under way looks, and ends.
		return what, s.takeUp(ctx, x, lesson.ID, what)
	}
}

func (s *Syncer) batch(ctx context.Context, x store.Session, uuids []string, at time.Time) (string, error) {
	for _, uuid := range uuids {
		if uuid == "" {
			continue
		}
		if _, err := s.goneFiles(ctx, x, uuid, nil, at); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d meetings", len(uuids)), nil
}

// ended notes a lesson's real end.
func (s *Syncer) ended(ctx context.Context, x store.Session, row store.Event, e zoom.Event) (string, error) {
	candidates, err := store.LessonsOfMeeting(ctx, x, e.Meeting.ID, e.AccountID, e.Meeting.HostID, row.TeacherID)
	if err != nil {
		return "", err
	}
	began := e.Meeting.Start
	if began.IsZero() {
		began = row.ReceivedAt
	}
	l, ok := store.NearestLesson(candidates, e.Meeting.ID, began)
	if !ok {
		return "no lesson of its teacher has this meeting id at this time", nil
	}
	at := row.ReceivedAt
	if e.Time > 0 {
		at = time.UnixMilli(e.Time).UTC()
	}
	if _, err := store.EndLesson(ctx, x, l.ID, at, s.now()); err != nil {
		return "", err
	}
	s.log.Debug("a lesson ended", slog.Int64("lesson", l.ID))
	return fmt.Sprintf("lesson %d has ended", l.ID), nil
}
