package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// MatchRule decides which lesson a recorded meeting belongs to.
type MatchRule struct {
	// Early is how long before a lesson's start its recording may begin, Late how long
	// after its end.
	Early, Late time.Duration
}

// Lesson is the lesson with a meeting's id whose planned time, from its start to before
// its end, holds the recording's beginning: of several the one that starts latest.
// Where none does it is the nearest that starts at most Early after the beginning, or
// ended at most Late before it; of two that are equally near the one that is about to
// start, since hosts begin early more often than they go on late. What is still equal
// is decided by the lower id. It is pure.
func (r MatchRule) Lesson(lessons []Lesson, meetingID string, began time.Time) (Lesson, bool) {
	var (
		best Lesson
		rank matchRank
	)
	meetingID = digits(meetingID)
	for _, l := range lessons {
		if l.HasMeeting() && digits(l.MeetingID) == meetingID {
			if other := r.rank(l, began); other.before(rank, l.ID < best.ID) {
				best, rank = l, other
			}
		}
	}
	return best, rank.fits
}

// matchRank is how well a lesson fits a recording's beginning. The zero value: not.
type matchRank struct {
	fits, holds bool
	starts      bool          // it starts after the beginning
	distance    time.Duration // from its start when it holds or starts, else from its end
}

func (r MatchRule) rank(l Lesson, began time.Time) matchRank {
	switch toStart, sinceEnd := l.Start.Sub(began), began.Sub(l.End); {
	case toStart <= 0 && sinceEnd < 0:
		return matchRank{fits: true, holds: true, distance: -toStart}
	case toStart > 0:
		return matchRank{fits: toStart <= r.Early, starts: true, distance: toStart}
	default:
		return matchRank{fits: sinceEnd <= r.Late, distance: sinceEnd}
	}
}

// before reports whether a rank is better than another; of equal ones it is when first.
func (m matchRank) before(other matchRank, first bool) bool {
	switch {
	case m.fits != other.fits:
		return m.fits
	case m.holds != other.holds:
		return m.holds
	case m.distance != other.distance:
		return m.distance < other.distance
	case m.starts != other.starts:
		return m.starts
	default:
		return m.fits && first
	}
}

// switchedOff begins the note of a meeting whose lesson is not to be recorded.
const switchedOff = "recording is switched off"

// RecordingOff reports whether a meeting waits since its lesson is not to be recorded.
func (m Meeting) RecordingOff() bool { return strings.HasPrefix(m.Note, switchedOff) }

// Match finds a meeting's lesson among those of the teachers that the meeting carries,
// and writes it down, or the note why there is none: then the lesson's ID is 0. A
// meeting keeps its lesson when a person has assigned it, and once something of it is
// archived with that lesson.
func (r MatchRule) Match(ctx context.Context, x Session, m Meeting, now time.Time) (l Lesson, note string, err error) {
	if l, kept, err := keptLesson(ctx, x, m); err != nil || kept {
		return l, fmt.Sprintf("belongs to lesson %d", l.ID), err
	}
	candidates, err := LessonsOfMeeting(ctx, x, m.MeetingID, m.AccountID, m.HostID, m.TeacherID)
	if err != nil {
		return Lesson{}, "", err
	}
	return r.matchAmong(ctx, x, m, candidates, now)
}

// MatchAmong is Match with known candidates.
func (r MatchRule) MatchAmong(ctx context.Context, x Session, m Meeting, candidates []Lesson, now time.Time) (l Lesson, note string, err error) {
	if l, kept, err := keptLesson(ctx, x, m); err != nil || kept {
		return l, fmt.Sprintf("belongs to lesson %d", l.ID), err
	}
	return r.matchAmong(ctx, x, m, candidates, now)
}

// keptLesson is the lesson that a meeting keeps, whatever the rule says.
func keptLesson(ctx context.Context, x Session, m Meeting) (l Lesson, kept bool, err error) {
	if m.LessonID == 0 {
		return Lesson{}, false, nil
	}
	l, err = LoadLesson(ctx, x, m.LessonID)
	if catalog.IsNotFound(err) {
		return Lesson{}, false, nil
	}
	if err != nil || m.Assigned || m.Separate {
		return l, err == nil, err
	}
	archived, err := archivedWith(ctx, x, m, m.LessonID)
	return l, archived, err
}

// archivedWith reports whether the archive of a lesson holds something of a meeting.
func archivedWith(ctx context.Context, x Session, m Meeting, lesson int64) (bool, error) {
	i, err := IngestOfLesson(ctx, x, lesson)
	if err != nil {
		if catalog.IsNotFound(err) {
			err = nil
		}
		return false, err
	}
	return slices.ContainsFunc(m.Files, func(f File) bool { return slices.Contains(i.Parts(), f.Name()) }), nil
}

// matchAmong writes down what the rule says. A lesson whose recording is switched off
// makes the meeting wait: it may be switched on.
func (r MatchRule) matchAmong(ctx context.Context, x Session, m Meeting, candidates []Lesson, now time.Time) (l Lesson, note string, err error) {
	began := m.Began()
	l, ok := r.Lesson(candidates, m.MeetingID, began)
	switch {
	case began.IsZero():
		note, ok = "nobody says when it was recorded", false
	case !ok:
		note = "no lesson of its teacher has this meeting id at this time"
	case !l.Record:
		note, ok = fmt.Sprintf("%s for lesson %d", switchedOff, l.ID), false
	}
	if !ok {
		l = Lesson{}
	} else {
		note = fmt.Sprintf("belongs to lesson %d", l.ID)
	}
	if m.LessonID == l.ID && (ok || m.Note == note) {
		return l, note, nil
	}
	if err := AssignLesson(ctx, x, m.UUID, l.ID, 0, note); err != nil {
		return l, note, err
	}
	if m.LessonID != 0 && m.LessonID != l.ID {
		was := fmt.Sprintf("it belonged to lesson %d", m.LessonID)
		if err := AppendHistory(ctx, x, HistoryEntry{At: now, MeetingUUID: m.UUID, What: "matched anew", Detail: was + "; " + note}); err != nil {
			return l, note, err
		}
		return l, note, abandonIngest(ctx, x, m.LessonID, now)
	}
	if !ok {
		return l, note, nil
	}
	return l, note, AppendHistory(ctx, x, HistoryEntry{At: now, MeetingUUID: m.UUID, What: "matched", Detail: note})
}

// abandonIngest ends the ingest of a lesson that no meeting belongs to any more and of
// which nothing is archived, so that its row does not stay in processing for ever.
func abandonIngest(ctx context.Context, x Session, lesson int64, now time.Time) error {
	i, err := IngestOfLesson(ctx, x, lesson)
	if err != nil {
		if catalog.IsNotFound(err) {
			err = nil
		}
		return err
	}
	left, err := MeetingsOf(ctx, x, lesson)
	if err != nil || len(left) > 0 || i.Archived() || len(i.Parts()) > 0 || i.state == Removed {
		return err
	}
	return DropIngest(ctx, x, i, "its meeting belongs to another lesson, or to none", now)
}
