package store

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// BackfillState is the state of a teacher's backfill.
type BackfillState string

// The states of a backfill, as the database has them.
const (
	BackfillRunning BackfillState = "running" // not everything is listed and looked at
	BackfillDone    BackfillState = "done"    // everything is; its ingests may still be under way
	BackfillFailed  BackfillState = "failed"  // Zoom's lists cannot be read; Reason says why
)

// Backfill is how far the recordings of a teacher's past have been listed. Dates are
// midnights, UTC.
type Backfill struct {
	TeacherID   int64
	First, Last time.Time // both included
	Next        time.Time // the first date that is not listed yet
	State       BackfillState
	Faults      int64     // failed tries to list, in a row
	RetryAt     time.Time // zero = at once
	Reason      string
	Detail      string
	StartedAt   time.Time
	FinishedAt  time.Time // zero while it runs
}

// Listed reports whether all dates are listed.
func (b Backfill) Listed() bool { return b.Next.After(b.Last) }

// date is a date as the columns have it.
func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Backfills are those in a state, by teacher; "" means all.
func Backfills(ctx context.Context, x Session, state BackfillState) ([]Backfill, error) {
	var out []Backfill
	err := x.Each(ctx, `SELECT teacher_id, first_date, last_date, next_date, state, faults, retry_at, reason, detail, started_at, finished_at
		FROM lectern.lectern_backfills WHERE $1 = '' OR state = $1 ORDER BY teacher_id`, []any{string(state)}, func(scan func(...any) error) error {
		var (
			b                        Backfill
			first, last, next        string
			retry, started, finished catalog.DBTime
		)
		err := scan(&b.TeacherID, &first, &last, &next, &b.State, &b.Faults, &retry, &b.Reason, &b.Detail, &started, &finished)
		b.RetryAt, b.StartedAt, b.FinishedAt = retry.Time, started.Time, finished.Time
		for _, d := range []struct {
			text string
			to   *time.Time
		}{{first, &b.First}, {last, &b.Last}, {next, &b.Next}} {
			if err == nil {
				*d.to, err = time.Parse(time.DateOnly, d.text)
			}
		}
		out = append(out, b)
		return err
	})
	return out, err
}

// PutBackfill adds a teacher's backfill, or replaces it with its position.
func PutBackfill(ctx context.Context, x Session, b Backfill) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_backfills (teacher_id, first_date, last_date, next_date, state, faults, retry_at, reason, detail, started_at, finished_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (teacher_id) DO UPDATE SET first_date = excluded.first_date, last_date = excluded.last_date, next_date = excluded.next_date, state = excluded.state,
			faults = excluded.faults, retry_at = excluded.retry_at, reason = excluded.reason, detail = excluded.detail, started_at = excluded.started_at, finished_at = excluded.finished_at`,
		b.TeacherID, date(b.First), date(b.Last), date(b.Next), string(b.State), b.Faults, stamp(b.RetryAt), b.Reason, clip(b.Detail, 1000), stamp(b.StartedAt), stamp(b.FinishedAt))
	return err
}

// BackfillLimits are the limits of the ingests of all backfills.
type BackfillLimits struct {
	Rate  int64  // of downloads, bytes per second; 0 = unbounded
	Hours string // local time, as 20-06; "" = any
}

// SetBackfillLimits replaces the limits of all backfills.
func SetBackfillLimits(ctx context.Context, x Session, l BackfillLimits) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_backfills SET rate = $1, hours = $2`, l.Rate, l.Hours)
	return err
}

// LoadBackfillLimits reads the limits, the zero value when there is no backfill.
func LoadBackfillLimits(ctx context.Context, x Session) (BackfillLimits, error) {
	var l BackfillLimits
	err := x.One(ctx, `SELECT rate, hours FROM lectern.lectern_backfills ORDER BY started_at DESC, teacher_id LIMIT 1`, nil, &l.Rate, &l.Hours)
	if catalog.IsNotFound(err) {
		return BackfillLimits{}, nil
	}
	return l, err
}

// AddBackfillMeeting notes that a backfill has listed a meeting, once.
func AddBackfillMeeting(ctx context.Context, x Session, uuid string, teacher int64, began time.Time) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_backfill_meetings (meeting_uuid, teacher_id, began_at) VALUES ($1, $2, $3) ON CONFLICT (meeting_uuid) DO NOTHING`,
		uuid, teacher, stamp(began))
	return err
}

// ForgetBackfillMeetings removes what an earlier backfill of a teacher has listed.
func ForgetBackfillMeetings(ctx context.Context, x Session, teacher int64) error {
	_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_backfill_meetings WHERE teacher_id = $1`, teacher)
	return err
}

// NextBackfillMeetings are the uuids of a teacher's oldest meetings that were not looked
// at yet, at most n.
func NextBackfillMeetings(ctx context.Context, x Session, teacher int64, n int) ([]string, error) {
	var out []string
	err := x.Each(ctx, `SELECT meeting_uuid FROM lectern.lectern_backfill_meetings WHERE teacher_id = $1 AND requested_at IS NULL ORDER BY began_at, meeting_uuid LIMIT $2`,
		[]any{teacher, n}, func(scan func(...any) error) error {
			var uuid string
			err := scan(&uuid)
			out = append(out, uuid)
			return err
		})
	return out, err
}

// MarkBackfillRequested says that a meeting has been looked at.
func MarkBackfillRequested(ctx context.Context, x Session, uuid string, at time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_backfill_meetings SET requested_at = $2 WHERE meeting_uuid = $1`, uuid, stamp(at))
	return err
}

// BackfillCounts is what became of the meetings that backfills have listed. Recordings
// are the sum of Archived, Failed, Removed and Open.
type BackfillCounts struct {
	Meetings   int // listed, with something to archive
	Pending    int // of them not looked at yet
	Unmatched  int // of them looked at, and no ingest archives them
	Recordings int // that the others make
	Archived   int
	Failed     int
	Removed    int // by people, here
	Open       int // waiting or being worked on
}

// backfillIngests are the meetings that backfills of a teacher, or with $1 = 0 of all, have
// listed, each with the ingest that archives it: of its teacher's own or of its lesson.
const backfillIngests = `SELECT b.requested_at, COALESCE(o.id, l.id) AS id, COALESCE(o.state, l.state) AS state, COALESCE(o.owner, l.owner) AS owner
	FROM lectern.lectern_backfill_meetings b JOIN lectern.lectern_zoom_meetings m ON m.uuid = b.meeting_uuid
	LEFT JOIN lectern.lectern_ingests o ON o.meeting_uuid = m.uuid LEFT JOIN lectern.lectern_ingests l ON l.lesson_id = m.lesson_id
	WHERE CAST($1 AS bigint) = 0 OR b.teacher_id = $1`

// CountBackfill counts the meetings of the teachers since their backfills began, and
// their recordings; teacher 0 means all.
func CountBackfill(ctx context.Context, x Session, teacher int64) (BackfillCounts, error) {
	var c BackfillCounts
	err := x.One(ctx, `SELECT COUNT(*), COUNT(CASE WHEN requested_at IS NULL THEN 1 END), COUNT(CASE WHEN requested_at IS NOT NULL AND id IS NULL THEN 1 END),
			COUNT(DISTINCT id), COUNT(DISTINCT CASE WHEN owner = '' AND state = 'done' THEN id END), COUNT(DISTINCT CASE WHEN owner = '' AND state = 'failed' THEN id END),
			COUNT(DISTINCT CASE WHEN state = 'removed' THEN id END)
		FROM (`+backfillIngests+`) q`, []any{teacher}, &c.Meetings, &c.Pending, &c.Unmatched, &c.Recordings, &c.Archived, &c.Failed, &c.Removed)
	c.Open = c.Recordings - c.Archived - c.Failed - c.Removed
	return c, err
}

// BackfillFailures are the ingests of meetings that backfills have listed and that have
// failed, oldest first, at most n.
func BackfillFailures(ctx context.Context, x Session, teacher int64, n int) ([]Ingest, error) {
	return ingests(ctx, x, `WHERE state = 'failed' AND id IN (SELECT id FROM (`+backfillIngests+`) q) ORDER BY id LIMIT $2`, teacher, n)
}
