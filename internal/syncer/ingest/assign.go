package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// opAssign names the operation in errors.
const opAssign = "syncer: assign"

// Assignment is what an assignment came to.
type Assignment struct {
	Meeting store.Meeting
	Lesson  store.Lesson
	// Moved is the recording that is the lesson's now, 0 for none: then the lesson's
	// ingest has the meeting's files in its plan.
	Moved int64
}

// Assign files a meeting, by its uuid or by a number that names a single one without a
// lesson, with a lesson of its teacher, whatever the times say. Matching never changes
// that. NotFound: meeting or lesson is unknown. Invalid: it cannot be filed there.
func (s *Ingester) Assign(ctx context.Context, meeting string, lesson int64) (out Assignment, err error) {
	if err := s.deps.Observer.Refuse(opAssign); err != nil {
		return out, err
	}
	err = s.deps.Store.Update(ctx, opAssign, func(x store.Session) error {
		m, err := findMeeting(ctx, x, meeting)
		if err != nil {
			return err
		}
		l, err := store.LoadLesson(ctx, x, lesson)
		switch {
		case catalog.IsNotFound(err):
			return media.Faultf(media.NotFound, opAssign, "there is no lesson %d", lesson)
		case err != nil:
			return err
		case m.LessonID == l.ID:
			return media.Faultf(media.Invalid, opAssign, "meeting %s belongs to lesson %d already", m.UUID, l.ID)
		}
		if err := s.mayBelong(ctx, x, m, l); err != nil {
			return err
		}
		if err := s.detach(ctx, x, m); err != nil {
			return err
		}
		out, err = s.assign(ctx, x, m, l)
		return err
	})
	return out, err
}

// assign writes the assignment down and requests the lesson's recording.
func (s *Ingester) assign(ctx context.Context, x store.Session, m store.Meeting, l store.Lesson) (Assignment, error) {
	out := Assignment{Meeting: m, Lesson: l}
	note := fmt.Sprintf("assigned to lesson %d", l.ID)
	if err := store.AssignLesson(ctx, x, m.UUID, l.ID, 0, note); err != nil {
		return out, err
	}
	if err := store.SetAssigned(ctx, x, m.UUID); err != nil {
		return out, err
	}
	if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), MeetingUUID: m.UUID, What: note, Detail: "by a person"}); err != nil {
		return out, err
	}
	own, err := store.IngestOfMeeting(ctx, x, m.UUID)
	if err != nil && !catalog.IsNotFound(err) {
		return out, err
	}
	if err := s.Request(ctx, x, l.ID, "a meeting was assigned to it"); err != nil || own.RecordingID == 0 {
		return out, err
	}
	row, err := store.LoadRecording(ctx, x, own.RecordingID, false)
	if err == nil && row.LessonID == l.ID {
		out.Moved = row.ID
	}
	return out, catalog.IgnoreNotFound(err)
}

// findMeeting finds a meeting by its uuid, or by its number when a single meeting of
// that number belongs to no lesson.
func findMeeting(ctx context.Context, x store.Session, meeting string) (store.Meeting, error) {
	m, err := store.LoadMeeting(ctx, x, meeting)
	if err == nil || !catalog.IsNotFound(err) {
		return m, err
	}
	all, err := store.MeetingsNumbered(ctx, x, strings.NewReplacer(" ", "", "-", "").Replace(meeting))
	if err != nil {
		return m, err
	}
	free := slices.DeleteFunc(slices.Clone(all), func(m store.Meeting) bool { return m.LessonID != 0 })
	switch {
	case len(all) == 0:
		return m, media.Faultf(media.NotFound, opAssign, "no meeting with the uuid or number %s has been recorded", meeting)
	case len(free) == 0:
		return m, media.Faultf(media.Invalid, opAssign, "every meeting with the number %s belongs to a lesson: give the uuid of one%s", meeting, listed(all))
	case len(free) > 1:
		return m, media.Faultf(media.Invalid, opAssign, "%d meetings with the number %s belong to no lesson: give the uuid of one%s", len(free), meeting, listed(free))
	default:
		return free[0], nil
	}
}

// listed names meetings for an error's text, at most ten of them.
func listed(meetings []store.Meeting) string {
	var b strings.Builder
	for n, m := range meetings {
		if n == 10 {
			b.WriteString(", …")
			break
		}
		fmt.Fprintf(&b, "%s%s of %s", map[bool]string{true: ": ", false: ", "}[n == 0], m.UUID, m.Began().UTC().Format("2006-01-02 15:04 UTC"))
	}
	return b.String()
}

// mayBelong refuses a lesson of a teacher whom the meeting does not carry.
func (s *Ingester) mayBelong(ctx context.Context, x store.Session, m store.Meeting, l store.Lesson) error {
	teacher, err := store.LoadTeacher(ctx, x, l.TeacherID)
	if err != nil && !catalog.IsNotFound(err) {
		return err
	}
	if err == nil && m.Carries(teacher) {
		return nil
	}
	whose := "its teacher is not known"
	if t, err := store.TeacherOfMeeting(ctx, x, m); err == nil {
		whose = fmt.Sprintf("it is teacher %d's", t.ID)
	}
	return media.Faultf(media.Invalid, opAssign, "lesson %d is teacher %d's, whose Zoom account and host meeting %s does not carry: %s", l.ID, l.TeacherID, m.UUID, whose)
}

// detach takes a meeting away from the lesson it belongs to so far. What is archived of
// it becomes a recording of its own again, for the lesson it is assigned to next.
func (s *Ingester) detach(ctx context.Context, x store.Session, m store.Meeting) error {
	own, err := store.IngestOfMeeting(ctx, x, m.UUID)
	if err == nil {
		return s.detachOwn(ctx, x, m, own)
	}
	if !catalog.IsNotFound(err) || m.LessonID == 0 {
		return catalog.IgnoreNotFound(err)
	}
	i, err := store.IngestOfLesson(ctx, x, m.LessonID)
	if err != nil {
		return catalog.IgnoreNotFound(err)
	}
	if i, err = store.LoadIngest(ctx, x, i.ID, true); err != nil {
		return err
	}
	others, err := store.MeetingsOf(ctx, x, m.LessonID)
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(others, func(o store.Meeting) bool { return o.UUID == m.UUID })
	names, err := store.ArchivedNames(ctx, x, i)
	if err != nil {
		return err
	}
	inArchive := slices.ContainsFunc(m.Files, func(f store.File) bool { return slices.Contains(names, f.Name()) })
	switch {
	case i.Lease != "":
		return media.Faultf(media.Invalid, opAssign, "meeting %s is being archived with lesson %d at the moment: try again in a minute", m.UUID, m.LessonID)
	case i.State() == store.Removed:
		return media.Faultf(media.Invalid, opAssign, "the recording of meeting %s was removed with lesson %d's: restore it first", m.UUID, m.LessonID)
	case !inArchive && len(others) > 0:
		return nil // the lesson's ingest goes on without it
	case !inArchive:
		return store.DropIngest(ctx, x, i, "its meeting was assigned to another lesson", s.now())
	case len(others) > 0 || !i.Archived():
		return media.Faultf(media.Invalid, opAssign, "meeting %s is archived in recording %d of lesson %d together with other meetings, and cannot be taken out of it", m.UUID, i.RecordingID, m.LessonID)
	}
	if i.RecordingID != 0 {
		if err := store.MoveRecording(ctx, x, i.RecordingID, 0, i.TeacherID, m.Title(), time.Time{}, s.now()); err != nil {
			return err
		}
	}
	return store.SetIngestLesson(ctx, x, i.ID, 0, m.UUID, s.now())
}

// detachOwn is detach for a meeting whose recording is not joined with others.
func (s *Ingester) detachOwn(ctx context.Context, x store.Session, m store.Meeting, own store.Ingest) error {
	row, err := store.LoadRecording(ctx, x, own.RecordingID, true)
	if err != nil && !catalog.IsNotFound(err) {
		return err
	}
	if own.State() == store.Removed || err == nil && row.Deleted {
		return media.Faultf(media.Invalid, opAssign, "recording %d of meeting %s was removed: restore it first", own.RecordingID, m.UUID)
	}
	if !m.Separate {
		return nil
	}
	if err := store.SetSeparate(ctx, x, m.UUID, false); err != nil || row.ID == 0 {
		return err
	}
	return store.MoveRecording(ctx, x, row.ID, 0, own.TeacherID, m.Title(), row.AvailableUntil, s.now())
}
