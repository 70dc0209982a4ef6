package library

import (
	"context"
	"database/sql"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// membershipColumns are the three columns of a media.Membership of a user in a recording
// r with lesson l.
func (q *query) membershipColumns(user string) string {
	return `EXISTS (SELECT 1 FROM public.schedule_lessonrecording_allowed_students y WHERE y.lessonrecording_id = r.id AND y.customuser_id = ` + user + `),
	EXISTS (SELECT 1 FROM public.schedule_lessonrecording_allowed_groups y JOIN public.schedule_group_students m ON m.group_id = y.group_id
		WHERE y.lessonrecording_id = r.id AND m.customuser_id = ` + user + `),
	EXISTS (SELECT 1 FROM public.schedule_group y JOIN public.schedule_group_students m ON m.group_id = y.id
		WHERE y.teacher_id = ` + catalog.RecordingOwner + ` AND m.customuser_id = ` + user + `)`
}

// Entry is a recording with everything that its page shows, and a user's membership.
// Kind NotFound: there is no such row; a removed one comes with Deleted.
func (l *Reader) Entry(ctx context.Context, id, user int64) (Entry, media.Membership, error) {
	const op = "library: a recording's entry"
	found, err := l.entries(ctx, op, oneRecording, "one.id", id, user)
	switch {
	case err != nil:
		return Entry{}, media.Membership{}, err
	case len(found) == 0:
		return Entry{}, media.Membership{}, media.Fault(media.NotFound, op, nil)
	}
	return found[0].Entry, found[0].Membership, nil
}

// LessonEntries are the recordings of a lesson that have not been removed, newest first,
// with a user's membership. member reports whether the user teaches the lesson or is in
// its group. Kind NotFound: there is no such lesson.
func (l *Reader) LessonEntries(ctx context.Context, lesson, user int64) (list []EntryMembership, member bool, err error) {
	const op = "library: a lesson's recordings"
	err = l.store.Row(ctx, op, `SELECT l.teacher_id = $2 OR EXISTS (SELECT 1 FROM public.schedule_group_students m WHERE m.group_id = l.group_id AND m.customuser_id = $2)
		FROM public.schedule_lesson l WHERE l.id = $1`, []any{lesson, user}, &member)
	if err != nil {
		return nil, false, err
	}
	list, err = l.entries(ctx, op, l.ofLesson(), "one.id", lesson, user)
	return list, member, err
}

// oneRecording and ofLesson select the ids for entries: of one recording, of a lesson's.
const oneRecording = `(SELECT CAST($1 AS bigint) AS id) one`

func (l *Reader) ofLesson() string {
	q := &query{d: l.store.Dialect()}
	return `(SELECT CAST($1 AS bigint) AS id) lesson` + q.join(false, "one", "one.id", recordingsTable, "one.lesson_id = lesson.id AND NOT one.is_deleted")
}

// entries are the recordings whose ids are in from, newest first; from may use $1.
func (l *Reader) entries(ctx context.Context, op, from, id string, first any, user int64) ([]EntryMembership, error) {
	q := l.entriesQuery(from, id, first, user)
	var out []EntryMembership
	err := l.rows(ctx, op, q, func(scan func(...any) error) error {
		var s EntryMembership
		e, err := scanEntry(scan, &s.Membership.ListedStudent, &s.Membership.InAllowedGroup, &s.Membership.InTeachersGroup)
		s.Entry = e
		out = append(out, s)
		return err
	})
	return out, err
}

func (l *Reader) entriesQuery(from, id string, first any, user int64) *query {
	q := &query{d: l.store.Dialect()}
	q.arg(first)
	me := q.arg(user)
	q.text = "SELECT " + q.membershipColumns(me) + ", " + q.entryColumns(true) + " FROM " + from + q.joinEntry(id) + " ORDER BY " + q.sortableTime("r.created_at") + " DESC, r.id DESC"
	return q
}

// maxProgress bounds the list of recordings in progress.
const maxProgress = 100

// Progress are a teacher's recordings that are being processed or have failed, with the
// reason, the latest change first.
func (l *Reader) Progress(ctx context.Context, user int64) ([]Progress, error) {
	var out []Progress
	err := l.rows(ctx, "library: recordings under way", l.progressQuery(user), func(scan func(...any) error) error {
		var (
			p       Progress
			lesson  sql.NullInt64
			updated catalog.DBTime
		)
		err := scan(&p.ID, &lesson, &p.Title, &p.Status, &updated, &p.Reason)
		p.LessonID, p.UpdatedAt = lesson.Int64, updated.Time
		out = append(out, p)
		return err
	})
	return out, err
}

func (l *Reader) progressQuery(user int64) *query {
	q := &query{d: l.store.Dialect()}
	me := q.arg(user)
	const columns = "r.id, r.lesson_id, r.title, r.status, r.is_deleted, r.updated_at"
	const inProgress = " AND r.status IN ('processing', 'failed') AND NOT r.is_deleted"
	changed := q.sortableTime("r.updated_at") + " AS changed"
	q.text = `WITH hit AS MATERIALIZED (
	SELECT r.id, ` + changed + ` FROM ` + lessonsTable + ` l` + q.join(false, "r", columns, recordingsTable, "r.lesson_id = l.id"+inProgress) + ` WHERE l.teacher_id = ` + me + `
	UNION ALL SELECT r.id, ` + changed + ` FROM ` + recordingsTable + ` r WHERE r.teacher_id = ` + me + ` AND r.lesson_id IS NULL` + inProgress + `
), page AS MATERIALIZED (SELECT id, changed FROM hit ORDER BY changed DESC, id DESC LIMIT ` + q.arg(int64(maxProgress)) + `)
SELECT r.id, r.lesson_id, COALESCE(NULLIF(r.title, ''), NULLIF(l.title, ''), g.name, ''), r.status, r.updated_at, COALESCE(i.reason, '')
FROM page` + q.join(false, "r", columns, recordingsTable, "r.id = page.id") +
		q.join(true, "l", "l.id, l.title, l.group_id", lessonsTable, "l.id = r.lesson_id") + `
LEFT JOIN public.schedule_group g ON g.id = l.group_id LEFT JOIN lectern.lectern_ingests i ON i.recording_id = r.id
ORDER BY page.changed DESC, page.id DESC`
	return q
}
