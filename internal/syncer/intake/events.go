package intake

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// eventJob processes a stored webhook.
func (in *Intake) eventJob(ctx context.Context, job *queue.Job[queue.EventArgs]) error {
	return in.deps.Store.Update(ctx, "syncer: event", func(x store.Session) error {
		row, err := store.LoadEvent(ctx, x, job.Args.EventID)
		if err != nil {
			return err
		}
		event, err := zoom.ParseEvent([]byte(row.Body))
		if err != nil {
			return store.FinishEvent(ctx, x, row.ID, store.EventIgnored, "the body cannot be read")
		}
		note, err := in.process(ctx, x, row, event)
		if err != nil {
			return err
		}
		return store.FinishEvent(ctx, x, row.ID, store.EventDone, note)
	})
}

func (in *Intake) process(ctx context.Context, x store.Session, row store.Event, e zoom.Event) (note string, err error) {
	switch e.Name {
	case zoom.EventCompleted, zoom.EventTranscriptCompleted:
		return in.recorded(ctx, x, store.MeetingFromZoom(e.Meeting, row.TeacherID, row.SealedToken))
	case zoom.EventTrashed, zoom.EventDeleted:
		return in.gone(ctx, x, e, in.now())
	case zoom.EventRecovered:
		if note, err := in.recorded(ctx, x, store.MeetingFromZoom(e.Meeting, row.TeacherID, row.SealedToken)); err != nil || e.Meeting.UUID == "" {
			return note, err
		}
		return in.gone(ctx, x, e, time.Time{})
	case zoom.EventBatchTrashed, zoom.EventBatchDeleted:
		return in.batch(ctx, x, e.UUIDs, in.now())
	case zoom.EventBatchRecovered:
		return in.batch(ctx, x, e.UUIDs, time.Time{})
	case zoom.EventMeetingEnded:
		return in.ended(ctx, x, row, e)
	default:
		return "nothing to do", nil
	}
}

// recorded stores what Zoom says of a meeting's recording, and requests the lesson's
// recording when the lesson is known.
func (in *Intake) recorded(ctx context.Context, x store.Session, m store.Meeting) (note string, err error) {
	if m.UUID == "" {
		return "the meeting has no uuid", nil
	}
	if err := store.PutMeeting(ctx, x, m, in.now()); err != nil {
		return "", err
	}
	known, err := store.LoadMeeting(ctx, x, m.UUID)
	if err != nil {
		return "", err
	}
	lesson, note, err := in.deps.Match.Match(ctx, x, known, in.now())
	if err != nil {
		return note, err
	}
	if lesson.ID == 0 || known.Separate {
		return note, in.deps.Ingests.RequestOwnAgain(ctx, x, known.UUID, "Zoom says that it is recorded")
	}
	return note, in.deps.Ingests.Request(ctx, x, lesson.ID, "Zoom says that it is recorded")
}

// gone notes a fact about Zoom's copy: trashed or deleted at a moment, or with the zero
// time recovered. It changes nothing of what is archived.
func (in *Intake) gone(ctx context.Context, x store.Session, e zoom.Event, at time.Time) (string, error) {
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
		if err := store.PutMeeting(ctx, x, store.MeetingFromZoom(e.Meeting, 0, ""), in.now()); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	return in.goneFiles(ctx, x, e.Meeting.UUID, files, at)
}

func (in *Intake) goneFiles(ctx context.Context, x store.Session, uuid string, files []string, at time.Time) (string, error) {
	if err := store.MarkGone(ctx, x, uuid, files, at); err != nil {
		return "", err
	}
	what := "Zoom's copy is gone"
	if at.IsZero() {
		what = "Zoom's copy is back"
	}
	if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: in.now(), MeetingUUID: uuid, What: what}); err != nil {
		return "", err
	}
	m, err := store.LoadMeeting(ctx, x, uuid)
	if catalog.IsNotFound(err) {
		return what + ", of an unknown meeting", nil
	}
	if err != nil {
		return what, err
	}
	lesson, _, err := in.deps.Match.Match(ctx, x, m, in.now())
	if err != nil {
		return what, err
	}
	request := func() error { return in.deps.Ingests.Request(ctx, x, lesson.ID, what) }
	i, err := store.IngestOfLesson(ctx, x, lesson.ID)
	if lesson.ID == 0 || m.Separate {
		request = func() error { return in.deps.Ingests.RequestOwnAgain(ctx, x, uuid, what) }
		i, err = store.IngestOfMeeting(ctx, x, uuid)
	}
	switch {
	case catalog.IsNotFound(err):
		return what, nil
	case err != nil:
		return what, err
	case at.IsZero():
		return what, request()
	case i.Archived() || i.State() == store.Failed || i.State() == store.Removed:
		return what + ", ours stays as it is", nil
	default:
		// The ingest under way looks, and ends.
		return what, request()
	}
}

func (in *Intake) batch(ctx context.Context, x store.Session, uuids []string, at time.Time) (string, error) {
	for _, uuid := range uuids {
		if uuid == "" {
			continue
		}
		if _, err := in.goneFiles(ctx, x, uuid, nil, at); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d meetings", len(uuids)), nil
}

const (
	// clockSkew is how far Zoom's clock may be ahead of ours.
	clockSkew = 5 * time.Minute
	// longestMeeting is Zoom's limit of a meeting, 30 hours, and some.
	longestMeeting = 32 * time.Hour
)

// endOf is when a meeting ended: its own end, else the time of the event, else when the
// event arrived, which may be days later (Zoom redelivers). A time is passed over when it
// is before the meeting's start, longer after it than a meeting lasts, or in the future.
func endOf(e zoom.Event, received time.Time) time.Time {
	event := time.UnixMilli(e.Time).UTC()
	if e.Time <= 0 {
		event = time.Time{}
	}
	earliest, latest := e.Meeting.Start, received.Add(clockSkew)
	if earliest.IsZero() {
		earliest = received.Add(-longestMeeting)
	} else if end := earliest.Add(longestMeeting); end.Before(latest) {
		latest = end
	}
	for _, at := range []time.Time{e.Meeting.End, event} {
		if !at.Before(earliest) && !at.After(latest) {
			return at
		}
	}
	return received
}

// ended notes a lesson's real end.
func (in *Intake) ended(ctx context.Context, x store.Session, row store.Event, e zoom.Event) (string, error) {
	candidates, err := store.LessonsOfMeeting(ctx, x, e.Meeting.ID, e.AccountID, e.Meeting.HostID, row.TeacherID)
	if err != nil {
		return "", err
	}
	at := endOf(e, row.ReceivedAt)
	began := e.Meeting.Start
	if began.IsZero() {
		began = at
	}
	l, ok := in.deps.Match.Lesson(candidates, e.Meeting.ID, began)
	if !ok {
		return "no lesson of its teacher has this meeting id at this time", nil
	}
	if in.deps.Observer.On() {
		in.deps.Observer.Would(ctx, "store when a lesson ended", slog.Int64("lesson", l.ID), slog.Time("ended_at", at))
		return fmt.Sprintf("observed: lesson %d has ended", l.ID), nil
	}
	if _, err := store.EndLesson(ctx, x, l.ID, at, in.now()); err != nil {
		return "", err
	}
	in.log.Debug("event: lesson ended", slog.Int64("lesson", l.ID))
	return fmt.Sprintf("lesson %d has ended", l.ID), nil
}
