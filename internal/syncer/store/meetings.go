package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// Meeting is a recorded meeting as Zoom describes it.
type Meeting struct {
	UUID      string
	AccountID string
	MeetingID string
	HostID    string
	TeacherID int64 // through whose credentials it is reached; 0 = not known yet
	Topic     string
	Start     time.Time
	Duration  time.Duration
	LessonID  int64 // 0 while it matches none
	Assigned  bool  // a person named the lesson: matching does not change it
	// Separate says that the meeting's recording is no segment of the lesson's, but one
	// beside it.
	Separate    bool
	Note        string
	SealedToken string
	FirstSeen   time.Time
	LastSeen    time.Time
	AlertedAt   time.Time
	Files       []File
}

// File is a file of a meeting's recording.
type File struct {
	MeetingUUID string
	ID          string
	Type, View  string
	Extension   string // of the name at Zoom, lower case without a dot; "" = unknown
	Status      string
	Start, End  time.Time
	Size        int64
	DownloadURL string
	ArchivedAt  time.Time // part of the verified archive since
	// ArchivedSize is the size that Zoom listed of what was archived; 0 = unknown.
	ArchivedSize int64
	TrashedAt    time.Time // by us, at Zoom
	GoneAt       time.Time // an event said that others removed it at Zoom
	UnlistedAt   time.Time // Zoom has not listed it since then, and no event says why
	// Measured is how long the file plays, as probed; 0 until it was downloaded.
	Measured time.Duration
	// Fault is why the last download gave no recording.
	Fault Fault
	// ReceivedSize is a size other than Size that the last ReceivedCount whole downloads
	// had.
	ReceivedSize, ReceivedCount int64
}

// Fault is what is wrong with a file for now; the zero value is nothing.
type Fault struct {
	Reason, Detail string
	Count          int64 // in a row
	At             time.Time
	RetryAt        time.Time // zero = at once
}

// PutMeeting adds what Zoom says of a meeting, or brings it up to date; what is
// empty in m is left as it was, and links and tokens are replaced. Files that m does not
// name stay. One whose size or status has changed is as good as new: what was measured
// and received of it, and what was wrong with it, is forgotten.
func PutMeeting(ctx context.Context, x Session, m Meeting, now time.Time) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_zoom_meetings AS k
			(uuid, account_id, meeting_id, host_id, teacher_id, topic, start_time, seconds, sealed_token, first_seen_at, last_seen_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
		ON CONFLICT (uuid) DO UPDATE SET
			account_id = COALESCE(NULLIF(excluded.account_id, ''), k.account_id), meeting_id = COALESCE(NULLIF(excluded.meeting_id, ''), k.meeting_id),
			host_id = COALESCE(NULLIF(excluded.host_id, ''), k.host_id), teacher_id = CASE WHEN excluded.teacher_id = 0 THEN k.teacher_id ELSE excluded.teacher_id END,
			topic = COALESCE(NULLIF(excluded.topic, ''), k.topic), start_time = COALESCE(excluded.start_time, k.start_time),
			seconds = CASE WHEN excluded.seconds = 0 THEN k.seconds ELSE excluded.seconds END,
			sealed_token = COALESCE(NULLIF(excluded.sealed_token, ''), k.sealed_token), last_seen_at = excluded.last_seen_at`,
		m.UUID, m.AccountID, m.MeetingID, m.HostID, m.TeacherID, clip(m.Topic, 500), stamp(m.Start), int64(m.Duration/time.Second), m.SealedToken, stamp(now))
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_zoom_files AS k (meeting_uuid, file_id, type, view, status, start_time, end_time, size, download_url, extension)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (meeting_uuid, file_id) DO UPDATE SET
				type = COALESCE(NULLIF(excluded.type, ''), k.type), extension = COALESCE(NULLIF(excluded.extension, ''), k.extension), view = COALESCE(NULLIF(excluded.view, ''), k.view),
				status = CASE WHEN k.status = 'completed' THEN k.status ELSE excluded.status END,
				start_time = COALESCE(excluded.start_time, k.start_time), end_time = COALESCE(excluded.end_time, k.end_time),
				size = CASE WHEN excluded.size = 0 THEN k.size ELSE excluded.size END,
				download_url = COALESCE(NULLIF(excluded.download_url, ''), k.download_url), unlisted_at = NULL,
				measured_ms = CASE WHEN `+changedFile+` THEN 0 ELSE k.measured_ms END, faults = CASE WHEN `+changedFile+` THEN 0 ELSE k.faults END,
				received_size = CASE WHEN `+changedFile+` THEN 0 ELSE k.received_size END,
				received_count = CASE WHEN `+changedFile+` THEN 0 ELSE k.received_count END, retry_at = CASE WHEN `+changedFile+` THEN NULL ELSE k.retry_at END`,
			m.UUID, f.ID, f.Type, clip(f.View, 200), f.Status, stamp(f.Start), stamp(f.End), f.Size, f.DownloadURL, f.Extension)
		if err != nil {
			return err
		}
	}
	return nil
}

// changedFile is true of a row whose file is another than Zoom says now.
const changedFile = `(excluded.size <> 0 AND excluded.size <> k.size OR excluded.status = 'completed' AND k.status <> 'completed')`

const meetingColumns = `SELECT uuid, account_id, meeting_id, host_id, teacher_id, topic, start_time, seconds, lesson_id, assigned, separate, note, sealed_token, first_seen_at, last_seen_at, alerted_at
	FROM lectern.lectern_zoom_meetings `

func scanMeeting(scan func(...any) error) (Meeting, error) {
	var (
		m                           Meeting
		start, first, last, alerted catalog.DBTime
		seconds                     int64
		lesson                      sql.NullInt64
	)
	err := scan(&m.UUID, &m.AccountID, &m.MeetingID, &m.HostID, &m.TeacherID, &m.Topic, &start, &seconds, &lesson, &m.Assigned, &m.Separate, &m.Note, &m.SealedToken, &first, &last, &alerted)
	m.Start, m.FirstSeen, m.LastSeen, m.AlertedAt = start.Time, first.Time, last.Time, alerted.Time
	m.Duration, m.LessonID = time.Duration(seconds)*time.Second, lesson.Int64
	return m, err
}

// meetings reads whole meetings, their files included.
func meetings(ctx context.Context, x Session, where string, args ...any) ([]Meeting, error) {
	var out []Meeting
	err := x.Each(ctx, meetingColumns+where, args, func(scan func(...any) error) error {
		m, err := scanMeeting(scan)
		out = append(out, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Files, err = filesOf(ctx, x, out[i].UUID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func filesOf(ctx context.Context, x Session, uuid string) ([]File, error) {
	var out []File
	err := x.Each(ctx, `SELECT meeting_uuid, file_id, type, view, status, start_time, end_time, size, download_url, archived_at, archived_size, trashed_at, gone_at, unlisted_at,
			measured_ms, fault, fault_detail, faults, faulted_at, retry_at, received_size, received_count, extension
		FROM lectern.lectern_zoom_files WHERE meeting_uuid = $1 ORDER BY start_time, file_id`, []any{uuid}, func(scan func(...any) error) error {
		var (
			f                                                             File
			start, end, archived, trashed, gone, unlisted, faulted, retry catalog.DBTime
			measured                                                      int64
		)
		err := scan(&f.MeetingUUID, &f.ID, &f.Type, &f.View, &f.Status, &start, &end, &f.Size, &f.DownloadURL, &archived, &f.ArchivedSize, &trashed, &gone, &unlisted,
			&measured, &f.Fault.Reason, &f.Fault.Detail, &f.Fault.Count, &faulted, &retry, &f.ReceivedSize, &f.ReceivedCount, &f.Extension)
		f.Start, f.End, f.ArchivedAt, f.TrashedAt, f.GoneAt, f.UnlistedAt = start.Time, end.Time, archived.Time, trashed.Time, gone.Time, unlisted.Time
		f.Measured, f.Fault.At, f.Fault.RetryAt = time.Duration(measured)*time.Millisecond, faulted.Time, retry.Time
		out = append(out, f)
		return err
	})
	return out, err
}

// LoadMeeting finds a meeting. media.NotFound: it is unknown.
func LoadMeeting(ctx context.Context, x Session, uuid string) (Meeting, error) {
	found, err := meetings(ctx, x, `WHERE uuid = $1`, uuid)
	if err != nil {
		return Meeting{}, err
	}
	if len(found) == 0 {
		return Meeting{}, sql.ErrNoRows
	}
	return found[0], nil
}

// MeetingsOf are the meetings whose recordings are segments of a lesson's, in time
// order.
func MeetingsOf(ctx context.Context, x Session, lesson int64) ([]Meeting, error) {
	return meetings(ctx, x, `WHERE lesson_id = $1 AND separate = $2 ORDER BY start_time, uuid`, lesson, false)
}

// MeetingsOfIngest are the meetings that an ingest archives: the lesson's, or the one
// whose recording is its teacher's own.
func MeetingsOfIngest(ctx context.Context, x Session, i Ingest) ([]Meeting, error) {
	if i.MeetingUUID != "" {
		return meetings(ctx, x, `WHERE uuid = $1`, i.MeetingUUID)
	}
	return MeetingsOf(ctx, x, i.LessonID)
}

// UnmatchedMeetings are the meetings that belong to no lesson yet, seen since a moment.
func UnmatchedMeetings(ctx context.Context, x Session, since time.Time) ([]Meeting, error) {
	return meetings(ctx, x, `WHERE lesson_id IS NULL AND last_seen_at >= $1 ORDER BY first_seen_at, uuid`, stamp(since))
}

// AssignLesson says which lesson a meeting belongs to, or with 0 why it belongs to none.
func AssignLesson(ctx context.Context, x Session, uuid string, lesson, teacher int64, note string) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_meetings SET lesson_id = $2, teacher_id = CASE WHEN $3 = 0 THEN teacher_id ELSE $3 END, note = $4 WHERE uuid = $1`,
		uuid, sql.NullInt64{Int64: lesson, Valid: lesson != 0}, teacher, clip(note, 300))
	return err
}

// SetAssigned notes that a person named a meeting's lesson.
func SetAssigned(ctx context.Context, x Session, uuid string) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_meetings SET assigned = $2 WHERE uuid = $1`, uuid, true)
	return err
}

// SetSeparate says whether a meeting's recording is one beside its lesson's instead of a
// segment of it.
func SetSeparate(ctx context.Context, x Session, uuid string, separate bool) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_meetings SET separate = $2 WHERE uuid = $1`, uuid, separate)
	return err
}

// MeetingsNumbered are the instances of a meeting number, in time order.
func MeetingsNumbered(ctx context.Context, x Session, number string) ([]Meeting, error) {
	return meetings(ctx, x, `WHERE meeting_id = $1 ORDER BY start_time, uuid`, number)
}

// MarkAlerted notes that an unmatched meeting has been alerted.
func MarkAlerted(ctx context.Context, x Session, uuid string, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_meetings SET alerted_at = $2 WHERE uuid = $1`, uuid, stamp(now))
	return err
}

// MarkGone says that Zoom's copy of files is gone, or with the zero time that it is
// back, also from where we have trashed it. files empty means all of the meeting's.
func MarkGone(ctx context.Context, x Session, uuid string, files []string, at time.Time) error {
	set := `UPDATE lectern.lectern_zoom_files SET gone_at = $2, trashed_at = CASE WHEN $3 THEN NULL ELSE trashed_at END WHERE meeting_uuid = $1`
	if len(files) == 0 {
		_, err := x.Exec(ctx, set, uuid, stamp(at), at.IsZero())
		return err
	}
	for _, id := range files {
		if _, err := x.Exec(ctx, set+` AND file_id = $4`, uuid, stamp(at), at.IsZero(), id); err != nil {
			return err
		}
	}
	return nil
}

// MarkListed says that Zoom, asked at a moment, listed files: whatever was said of their
// absence is over, and those that we had trashed before have been recovered. An answer that
// was under way while we trashed a file says nothing of it.
func MarkListed(ctx context.Context, x Session, uuid string, files []string, asked time.Time) error {
	for _, id := range files {
		if _, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET gone_at = NULL, unlisted_at = NULL,
				trashed_at = CASE WHEN trashed_at >= $3 THEN trashed_at END WHERE meeting_uuid = $1 AND file_id = $2`, uuid, id, stamp(asked)); err != nil {
			return err
		}
	}
	return nil
}

// MarkUnlisted says that Zoom does not list a file; the first time counts.
func MarkUnlisted(ctx context.Context, x Session, uuid, file string, at time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET unlisted_at = COALESCE(unlisted_at, $3) WHERE meeting_uuid = $1 AND file_id = $2`, uuid, file, stamp(at))
	return err
}

// MarkMeasured says how long a file plays, which also means that nothing is wrong with
// it.
func MarkMeasured(ctx context.Context, x Session, uuid, file string, d time.Duration) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET measured_ms = $3, fault = '', fault_detail = '', faults = 0, faulted_at = NULL, retry_at = NULL
		WHERE meeting_uuid = $1 AND file_id = $2`, uuid, file, max(1, d.Milliseconds()))
	return err
}

// MarkFault says what is wrong with a file.
func MarkFault(ctx context.Context, x Session, uuid, file string, f Fault) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET fault = $3, fault_detail = $4, faults = $5, faulted_at = $6, retry_at = $7 WHERE meeting_uuid = $1 AND file_id = $2`,
		uuid, file, f.Reason, clip(f.Detail, 500), f.Count, stamp(f.At), stamp(f.RetryAt))
	return err
}

// ForgetFaults makes the files of meetings worth a download again, whatever was wrong
// with them.
func ForgetFaults(ctx context.Context, x Session, meetings []Meeting) error {
	for _, m := range meetings {
		if _, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET faults = 0, retry_at = NULL WHERE faults > 0 AND meeting_uuid = $1`, m.UUID); err != nil {
			return err
		}
	}
	return nil
}

// ForgetFault says that nothing is wrong with a file any more.
func ForgetFault(ctx context.Context, x Session, uuid, file string) error {
	return MarkFault(ctx, x, uuid, file, Fault{})
}

// EndPauses ends all pauses before what failed is tried again: of files, and of ingests.
// teacher is whose, 0 = everybody's.
func EndPauses(ctx context.Context, x Session, teacher int64) error {
	if _, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET retry_at = NULL WHERE retry_at IS NOT NULL
			AND ($1 = 0 OR meeting_uuid IN (SELECT uuid FROM lectern.lectern_zoom_meetings WHERE teacher_id = $1))`, teacher); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_ingests SET retake_at = NULL WHERE retake_at IS NOT NULL AND ($1 = 0 OR teacher_id = $1)`, teacher)
	return err
}

// MarkReceived notes that a whole download had another size than Zoom lists, for the
// count-th time in a row.
func MarkReceived(ctx context.Context, x Session, uuid, file string, size, count int64) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET received_size = $3, received_count = $4 WHERE meeting_uuid = $1 AND file_id = $2`, uuid, file, size, count)
	return err
}

// MarkArchived says that a file, of the size that Zoom listed, is part of the verified
// archive, so that nothing is wrong with it; or with the zero time that it is not any more.
func MarkArchived(ctx context.Context, x Session, uuid, file string, size int64, at time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET archived_at = $3, archived_size = $4, fault = '', fault_detail = '', faults = 0, faulted_at = NULL, retry_at = NULL WHERE meeting_uuid = $1 AND file_id = $2`, uuid, file, stamp(at), size)
	return err
}

// MarkTrashed says that a file was put into Zoom's trash by us.
func MarkTrashed(ctx context.Context, x Session, uuid, file string, at time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_files SET trashed_at = $3 WHERE meeting_uuid = $1 AND file_id = $2`, uuid, file, stamp(at))
	return err
}

// Cursor is until when a teacher's recordings have been looked through, zero for
// never.
func Cursor(ctx context.Context, x Session, teacher int64) (time.Time, error) {
	var at catalog.DBTime
	err := x.One(ctx, `SELECT reached_at FROM lectern.lectern_zoom_cursors WHERE teacher_id = $1`, []any{teacher}, &at)
	if catalog.IsNotFound(err) {
		return time.Time{}, nil
	}
	return at.Time, err
}

// SetCursor remembers it.
func SetCursor(ctx context.Context, x Session, teacher int64, at time.Time) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_zoom_cursors (teacher_id, reached_at) VALUES ($1, $2)
		ON CONFLICT (teacher_id) DO UPDATE SET reached_at = excluded.reached_at`, teacher, stamp(at))
	return err
}
