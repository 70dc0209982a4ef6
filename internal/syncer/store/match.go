package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// switchedOff begins the note of a meeting whose lesson is not to be recorded.
const switchedOff = "recording is switched off"

// RecordingOff reports whether a meeting waits since its lesson is not to be recorded.
func (m Meeting) RecordingOff() bool { return strings.HasPrefix(m.Note, switchedOff) }

// MatchMeeting finds a meeting's lesson among those of the teachers that the meeting
// names, and writes it down, or the note why there is none: then the lesson's ID is 0.
func MatchMeeting(ctx context.Context, x Session, m Meeting, now time.Time) (l Lesson, note string, err error) {
	if m.LessonID != 0 {
		l, err := LoadLesson(ctx, x, m.LessonID)
		if err == nil && l.Record || err != nil && !catalog.IsNotFound(err) {
			return l, fmt.Sprintf("belongs to lesson %d", m.LessonID), err
		}
	}
	candidates, err := LessonsOfMeeting(ctx, x, m.MeetingID, m.AccountID, m.HostID, m.TeacherID)
	if err != nil {
		return Lesson{}, "", err
	}
	return MatchMeetingAmong(ctx, x, m, candidates, now)
}

// MatchMeetingAmong is MatchMeeting with known candidates. A lesson whose recording is
// switched off makes the meeting wait: it may be switched on.
func MatchMeetingAmong(ctx context.Context, x Session, m Meeting, candidates []Lesson, now time.Time) (l Lesson, note string, err error) {
	began := m.Began()
	l, ok := NearestLesson(candidates, m.MeetingID, began)
	switch {
	case began.IsZero():
		note, ok = "nobody says when it was recorded", false
	case !ok:
		note = "no lesson of its teacher has this meeting id at this time"
	case !l.Record:
		note, ok = fmt.Sprintf("%s for lesson %d", switchedOff, l.ID), false
	}
	if !ok {
		return Lesson{}, note, AssignLesson(ctx, x, m.UUID, 0, 0, note)
	}
	note = fmt.Sprintf("belongs to lesson %d", l.ID)
	if m.LessonID == l.ID {
		return l, note, nil
	}
	if err := AssignLesson(ctx, x, m.UUID, l.ID, 0, note); err != nil {
		return l, note, err
	}
	return l, note, AppendHistory(ctx, x, HistoryEntry{At: now, MeetingUUID: m.UUID, What: "matched", Detail: note})
}
