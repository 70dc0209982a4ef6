package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// Lesson is what a recording needs to know of its lesson.
type Lesson struct {
	ID        int64
	Title     string
	GroupID   int64
	TeacherID int64
	Start     time.Time
	End       time.Time
	MeetingID string
	Record    bool
	// KeepDays is how long a recording stays; 0 or less = for ever.
	KeepDays int64
	Notes    string
}

const lessonColumns = `SELECT l.id, l.title, l.group_id, l.teacher_id, l.start_time, l.end_time, COALESCE(l.zoom_meeting_id, ''), l.record_lesson, l.recording_available_for_days, l.notes
	FROM public.schedule_lesson l `

func lessons(ctx context.Context, x Session, rest string, args ...any) ([]Lesson, error) {
	var out []Lesson
	err := x.Each(ctx, lessonColumns+rest, args, func(scan func(...any) error) error {
		var (
			l          Lesson
			start, end catalog.DBTime
		)
		err := scan(&l.ID, &l.Title, &l.GroupID, &l.TeacherID, &start, &end, &l.MeetingID, &l.Record, &l.KeepDays, &l.Notes)
		l.Start, l.End = start.Time, end.Time
		out = append(out, l)
		return err
	})
	return out, err
}

// LoadLesson finds a lesson.
func LoadLesson(ctx context.Context, x Session, id int64) (Lesson, error) {
	found, err := lessons(ctx, x, `WHERE l.id = $1`, id)
	if err == nil && len(found) == 0 {
		return Lesson{}, sql.ErrNoRows
	}
	if err != nil {
		return Lesson{}, err
	}
	return found[0], nil
}

// LessonOfIngest loads the lesson of an ingest. Of a teacher's own recording it is what
// would be a lesson's: ID 0, the meeting's topic and time, and no end of its retention.
func LessonOfIngest(ctx context.Context, x Session, i Ingest) (Lesson, error) {
	if i.MeetingUUID == "" {
		return LoadLesson(ctx, x, i.LessonID)
	}
	m, err := LoadMeeting(ctx, x, i.MeetingUUID)
	if err != nil {
		return Lesson{}, err
	}
	began := m.Began()
	return Lesson{Title: m.Title(), TeacherID: i.TeacherID, Start: began, End: began.Add(m.Duration), MeetingID: m.MeetingID, Record: true}, nil
}

// LessonsOfTeacher are a teacher's lessons that have a Zoom meeting.
func LessonsOfTeacher(ctx context.Context, x Session, teacher int64) ([]Lesson, error) {
	return lessons(ctx, x, `WHERE l.teacher_id = $1 AND COALESCE(l.zoom_meeting_id, '') <> ''`, teacher)
}

// LessonsOfMeeting are the lessons with a meeting id whose teacher is one that the
// meeting carries: by Zoom account, by host, or by the tenant it came through.
func LessonsOfMeeting(ctx context.Context, x Session, meetingID, account, host string, tenant int64) ([]Lesson, error) {
	spaced, dashed := grouped(meetingID, " "), grouped(meetingID, "-")
	return lessons(ctx, x, `JOIN public.accounts_customuser u ON u.id = l.teacher_id
		WHERE l.zoom_meeting_id IN ($1, $2, $3) AND (l.teacher_id = $4 OR ($5 <> '' AND u.zoom_account_id = $5) OR ($6 <> '' AND u.zoom_user_id = $6))`,
		meetingID, spaced, dashed, tenant, account, host)
}

// grouped writes a meeting id as people copy it: 123 4567 8901.
func grouped(id, by string) string {
	switch len(id) {
	case 9, 10:
		return id[:3] + by + id[3:6] + by + id[6:]
	case 11:
		return id[:3] + by + id[3:7] + by + id[7:]
	default:
		return id
	}
}

// HasMeeting reports whether the lesson names a meeting at Zoom.
func (l Lesson) HasMeeting() bool { return digits(l.MeetingID) != "" }

// digits is a meeting id without the blanks and dashes that people copy.
func digits(id string) string { return separators.Replace(id) }

// separators is built once: a backfill compares each meeting with years of lessons.
var separators = strings.NewReplacer(" ", "", "-", "")

// Teacher is a teacher with what is needed to reach their recordings.
type Teacher struct {
	ID           int64
	Email        string
	AccountID    string
	ClientID     string
	ClientSecret string // a secret
	ZoomUserID   string
	DriveFolder  string
}

const teacherColumns = `SELECT id, email, zoom_account_id, zoom_client_id, zoom_client_secret, zoom_user_id, gdrive_folder_id FROM public.accounts_customuser `

func teachers(ctx context.Context, x Session, rest string, args ...any) ([]Teacher, error) {
	var out []Teacher
	err := x.Each(ctx, teacherColumns+rest, args, func(scan func(...any) error) error {
		var t Teacher
		err := scan(&t.ID, &t.Email, &t.AccountID, &t.ClientID, &t.ClientSecret, &t.ZoomUserID, &t.DriveFolder)
		for _, s := range []*string{&t.AccountID, &t.ClientID, &t.ClientSecret, &t.ZoomUserID, &t.DriveFolder} {
			*s = strings.TrimSpace(*s)
		}
		out = append(out, t)
		return err
	})
	return out, err
}

// Carries reports whether a meeting names a teacher: by the Zoom account or the host, or
// because it was reached through the teacher's credentials.
func (m Meeting) Carries(t Teacher) bool {
	return m.TeacherID == t.ID || m.AccountID != "" && m.AccountID == t.AccountID || m.HostID != "" && m.HostID == t.ZoomUserID
}

// TeacherOfMeeting is the teacher whom a meeting's recording belongs to when no lesson
// says so: the one who hosted it; else the one through whose credentials it is reached;
// else the only one who has its Zoom account. sql.ErrNoRows: nobody, or not a single
// one.
func TeacherOfMeeting(ctx context.Context, x Session, m Meeting) (Teacher, error) {
	all, err := teachers(ctx, x, `WHERE role <> 'student' AND (id = $1 OR ($2 <> '' AND zoom_account_id = $2) OR ($3 <> '' AND zoom_user_id = $3)) ORDER BY id`,
		m.TeacherID, m.AccountID, m.HostID)
	if err != nil {
		return Teacher{}, err
	}
	for _, carries := range []func(Teacher) bool{
		func(t Teacher) bool { return m.HostID != "" && t.ZoomUserID == m.HostID },
		func(t Teacher) bool { return t.ID == m.TeacherID },
		func(t Teacher) bool { return m.AccountID != "" && t.AccountID == m.AccountID },
	} {
		var found []Teacher
		for _, t := range all {
			if carries(t) {
				found = append(found, t)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return Teacher{}, sql.ErrNoRows
}

// ZoomTeachers are those with all three credentials set.
func ZoomTeachers(ctx context.Context, x Session) ([]Teacher, error) {
	return teachers(ctx, x, `WHERE role <> 'student' AND TRIM(zoom_account_id) <> '' AND TRIM(zoom_client_id) <> '' AND TRIM(zoom_client_secret) <> '' ORDER BY id`)
}

// LoadTeacher finds a teacher.
func LoadTeacher(ctx context.Context, x Session, id int64) (Teacher, error) {
	found, err := teachers(ctx, x, `WHERE id = $1`, id)
	if err == nil && len(found) == 0 {
		return Teacher{}, sql.ErrNoRows
	}
	if err != nil {
		return Teacher{}, err
	}
	return found[0], nil
}

// EndLesson notes a lesson's real end, once.
func EndLesson(ctx context.Context, x Session, id int64, at, now time.Time) (bool, error) {
	n, err := x.Exec(ctx, `UPDATE public.schedule_lesson SET ended_at = $2, updated_at = $3 WHERE id = $1 AND ended_at IS NULL`, id, stamp(at), stamp(now))
	return n > 0, err
}
