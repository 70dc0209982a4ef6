package library

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// Reader reads lists of recordings, and single ones with everything that their page
// shows. Each list is one query. It is safe for concurrent use.
//
// The query of a list has three steps: the rows that may be in it (by the indexes on
// lessons, groups and owners), those that are in it with their sort key, and every column
// of one page. Recordings are only read through an index: PostgreSQL is kept from joining
// a few hundred of them by a scan of all.
type Reader struct {
	store *catalog.Store
	// strict selects the strict access rule, else the platform's.
	strict bool
	now    func() time.Time
	titles *titleStems
	loose  *looseTranscripts
	// maxReaders bounds the connections that a search reads postings or texts on.
	maxReaders, blocksPerReader int
}

// NewReader makes a Reader with the access rule strict or platform.
func NewReader(s *catalog.Store, strict bool, now func() time.Time) *Reader {
	return &Reader{
		store: s, strict: strict, now: now, titles: newTitleStems(), loose: &looseTranscripts{},
		maxReaders: min(runtime.GOMAXPROCS(0), maxReaders), blocksPerReader: blocksPerReader,
	}
}

// listTimeout bounds a list: it reads more than a look-up does.
const listTimeout = 5 * time.Second

const (
	recordingsTable = "public.schedule_lessonrecording"
	lessonsTable    = "public.schedule_lesson"
	// filterColumns decide whether a recording is in a list, and its sort key.
	filterColumns       = "r.id, r.lesson_id, r.title, r.status, r.visibility, r.is_deleted, r.available_until, r.created_at"
	filterLessonColumns = "l.id, l.title, l.group_id, l.start_time"
)

// Filter narrows a list of recordings down; a zero field does not.
type Filter struct {
	Group  int64  // of the lesson, or allowed
	Status string // exact
	Search string // in the lesson's title or the recording's own, whatever the case
	Window
}

// Window is a page of a list.
type Window struct {
	Offset, Limit int64
}

// Listing is one page of a list. Without entries Total is 0, also
// behind the end of a list that is not empty.
type Listing struct {
	Entries []Entry
	Total   int64
}

// StudentPage is a page of what a student may watch now, newest lesson first and
// standalone videos before them all.
func (l *Reader) StudentPage(ctx context.Context, user int64, f Filter) (Listing, error) {
	return l.page(ctx, "library: a student's recordings", l.studentQuery(user, f))
}

func (l *Reader) studentQuery(user int64, f Filter) *query {
	q := &query{d: l.store.Dialect()}
	me := q.arg(user)
	q.text = `WITH ` + q.listed(me) + `,
hit AS MATERIALIZED (
	SELECT DISTINCT r.id, ` + q.sortableTime("l.start_time") + ` AS sort_key FROM listed w` +
		q.join(false, "r", filterColumns, recordingsTable, "r.id = w.id") + q.join(true, "l", filterLessonColumns, lessonsTable, "l.id = r.lesson_id") + `
	WHERE r.status = 'ready' AND NOT r.is_deleted AND (r.available_until IS NULL OR ` + q.sortableTime("r.available_until") + ` > ` + q.sortableTime(q.arg(catalog.NewDBTime(l.now()))) + `) AND ` + l.listedRule() +
		q.filter(f, true) + `
)`
	q.selectPage(f.Window, false)
	return q
}

// listed are the common table expressions that end with listed(id, path): the recordings
// that a user may be able to watch as a student, and by which of the lists.
func (q *query) listed(me string) string {
	const all = "r.visibility = 'all_teacher_groups'"
	return `my_groups AS MATERIALIZED (SELECT m.group_id AS id FROM public.schedule_group_students m WHERE m.customuser_id = ` + me + `),
owners AS MATERIALIZED (SELECT DISTINCT g.teacher_id AS id FROM my_groups CROSS JOIN public.schedule_group g WHERE g.id = my_groups.id),
listed AS MATERIALIZED (
	SELECT a.lessonrecording_id AS id, 'group' AS path FROM my_groups CROSS JOIN public.schedule_lessonrecording_allowed_groups a WHERE a.group_id = my_groups.id
	UNION SELECT s.lessonrecording_id, 'student' FROM public.schedule_lessonrecording_allowed_students s WHERE s.customuser_id = ` + me + `
	UNION SELECT r.id, 'all' FROM owners` +
		q.join(false, "l", "l.id", lessonsTable, "l.teacher_id = owners.id") + q.join(false, "r", "r.id", recordingsTable, "r.lesson_id = l.id AND "+all) + `
	UNION SELECT r.id, 'all' FROM owners` + q.join(false, "r", "r.id", recordingsTable, "r.teacher_id = owners.id AND r.lesson_id IS NULL AND "+all) + `
)`
}

// listedRule is which list w.path counts for the visibility of a recording r.
func (l *Reader) listedRule() string {
	if l.strict {
		return "(w.path = 'all' OR (w.path = 'group' AND r.visibility IN ('lesson_group', 'custom_groups')) OR (w.path = 'student' AND r.visibility IN ('lesson_group', 'custom_students')))"
	}
	return "(w.path = 'all' OR (w.path <> 'all' AND r.visibility <> 'all_teacher_groups'))"
}

// TeacherPage is a page of a teacher's recordings, those of their lessons and their
// standalone videos, newest first. Without Filter.Status, deleted ones are not in it.
func (l *Reader) TeacherPage(ctx context.Context, user int64, f Filter) (Listing, error) {
	return l.page(ctx, "library: a teacher's recordings", l.teacherQuery(user, f))
}

func (l *Reader) teacherQuery(user int64, f Filter) *query {
	q := &query{d: l.store.Dialect()}
	me := q.arg(user)
	status := " AND r.status <> 'deleted'"
	if f.Status != "" {
		status = " AND r.status = " + q.arg(f.Status)
	}
	sortKey := q.sortableTime("r.created_at") + " AS sort_key"
	q.text = `WITH hit AS MATERIALIZED (
	SELECT r.id, ` + sortKey + ` FROM ` + lessonsTable + ` l` + q.join(false, "r", filterColumns, recordingsTable, "r.lesson_id = l.id AND NOT r.is_deleted"+status) + `
	WHERE l.teacher_id = ` + me + q.filter(f, true) + `
	UNION ALL SELECT r.id, ` + sortKey + ` FROM ` + recordingsTable + ` r
	WHERE r.teacher_id = ` + me + ` AND r.lesson_id IS NULL AND NOT r.is_deleted` + status + q.filter(f, false) + `
)`
	q.selectPage(f.Window, true)
	return q
}

// filter is the condition of a list's filter; lesson says whether the lesson l is joined.
func (q *query) filter(f Filter, lesson bool) string {
	var b strings.Builder
	if f.Group != 0 {
		group := q.arg(f.Group)
		b.WriteString(" AND (")
		if lesson {
			b.WriteString("l.group_id = " + group + " OR ")
		}
		b.WriteString("EXISTS (SELECT 1 FROM public.schedule_lessonrecording_allowed_groups x WHERE x.lessonrecording_id = r.id AND x.group_id = " + group + "))")
	}
	if f.Search != "" {
		operator, pattern := containing(q.d, f.Search)
		like := " " + operator + " " + q.arg(pattern)
		b.WriteString(" AND (r.title" + like)
		if lesson {
			b.WriteString(" OR l.title" + like)
		}
		b.WriteString(")")
	}
	return b.String()
}

// selectPage completes a list whose rows are in hit, sorted by sort_key.
func (q *query) selectPage(w Window, students bool) {
	limit, offset := q.arg(w.Limit), q.arg(w.Offset)
	q.text += `,
page AS MATERIALIZED (SELECT id, sort_key FROM hit ORDER BY sort_key DESC NULLS FIRST, id DESC LIMIT ` + limit + ` OFFSET ` + offset + `)
SELECT (SELECT count(*) FROM hit), ` + q.entryColumns(students) + ` FROM page` + q.joinEntry("page.id") + `
ORDER BY page.sort_key DESC NULLS FIRST, page.id DESC`
}

// page runs the query of a list.
func (l *Reader) page(ctx context.Context, op string, q *query) (Listing, error) {
	var out Listing
	err := l.rows(ctx, op, q, func(scan func(...any) error) error {
		e, err := scanEntry(scan, &out.Total)
		out.Entries = append(out.Entries, e)
		return err
	})
	return out, err
}

// rows runs a query within listTimeout.
func (l *Reader) rows(ctx context.Context, op string, q *query, row func(scan func(...any) error) error) error {
	return l.store.Rows(ctx, op, listTimeout, q.text, q.args, row)
}

// entryColumns are the columns of an Entry: recording r, lesson l, group g, teacher t.
func (q *query) entryColumns(students bool) string {
	people := "'[]'"
	if students {
		people = q.jsonArray("'id', u.id, 'first', u.first_name, 'last', u.last_name, 'middle', u.middle_name, 'email', u.email", q.sortableTime("u.date_joined")+" DESC, u.id DESC",
			"public.schedule_lessonrecording_allowed_students s CROSS JOIN public.accounts_customuser u WHERE s.lessonrecording_id = r.id AND u.id = s.customuser_id")
	}
	return `r.id, r.lesson_id, ` + catalog.RecordingOwner + `, r.title, r.zoom_recording_id, r.status, r.visibility, r.is_deleted, r.available_until,
	r.storage_provider, r.gdrive_file_id, r.archive_key, r.archive_url, r.play_url, r.download_url, r.thumbnail_url,
	EXISTS (SELECT 1 FROM lectern.lectern_recording_files f WHERE ` + catalog.DerivedFile + ` AND f.recording_id = r.id AND f.name = '` + media.PosterName + `'),
	r.file_size, r.duration, r.recording_start, r.recording_end, r.views_count, r.created_at, r.updated_at,
	l.title, l.start_time, l.end_time, l.group_id, g.name, l.teacher_id, t.first_name, t.last_name, t.middle_name, t.email,
	` + q.jsonArray("'id', a.group_id, 'name', n.name", "n.name, n.id",
		"public.schedule_lessonrecording_allowed_groups a CROSS JOIN public.schedule_group n WHERE a.lessonrecording_id = r.id AND n.id = a.group_id") + `,
	` + people
}

// joinEntry joins what entryColumns needs to an expression that is a recording's id.
func (q *query) joinEntry(id string) string {
	return q.join(false, "r", "*", recordingsTable, "r.id = "+id) +
		q.join(true, "l", "l.id, l.title, l.group_id, l.teacher_id, l.start_time, l.end_time", lessonsTable, "l.id = r.lesson_id") +
		" LEFT JOIN public.schedule_group g ON g.id = l.group_id LEFT JOIN public.accounts_customuser t ON t.id = l.teacher_id"
}

// scanEntry scans the columns of first and then entryColumns.
func scanEntry(scan func(...any) error, first ...any) (Entry, error) {
	var (
		e                                  Entry
		lesson, owner, size, seconds       sql.NullInt64
		until, start, end, created, update catalog.DBTime
		provider, archiveKey               string
		lessonTitle, groupName             sql.NullString
		lessonStart, lessonEnd             catalog.DBTime
		group, lessonTeacher               sql.NullInt64
		firstName, lastName, middle, email sql.NullString
		groups, students                   string
	)
	err := scan(append(first, &e.ID, &lesson, &owner, &e.OwnTitle, &e.ZoomID, &e.Status, &e.Visibility, &e.Deleted, &until,
		&provider, &e.DriveFile, &archiveKey, &e.ArchiveURL, &e.PlayURL, &e.DownloadURL, &e.ThumbnailURL, &e.HasPoster,
		&size, &seconds, &start, &end, &e.Views, &created, &update,
		&lessonTitle, &lessonStart, &lessonEnd, &group, &groupName, &lessonTeacher, &firstName, &lastName, &middle, &email,
		&groups, &students)...)
	if err != nil {
		return e, err
	}
	e.AvailableUntil, e.Start, e.End, e.CreatedAt, e.UpdatedAt = until.Time, start.Time, end.Time, created.Time, update.Time
	e.Location = media.StoredAt(provider, e.DriveFile, archiveKey)
	e.Size, e.Duration = max(size.Int64, 0), time.Duration(max(seconds.Int64, 0))*time.Second
	if size.Valid {
		e.FileSize = &size.Int64
	}
	e.Title, e.OwnerID = e.OwnTitle, owner.Int64
	if lesson.Valid {
		e.LessonID = lesson.Int64
		e.Lesson = &Lesson{
			ID: lesson.Int64, Title: lessonTitle.String, Start: lessonStart.Time, End: lessonEnd.Time,
			Group:   Named{ID: group.Int64, Name: groupName.String},
			Teacher: catalog.Person{ID: lessonTeacher.Int64, First: firstName.String, Last: lastName.String, Middle: middle.String, Email: email.String},
		}
		for _, title := range []string{lessonTitle.String, groupName.String} {
			if e.Title == "" {
				e.Title = title
			}
		}
	}
	if err := json.Unmarshal([]byte(groups), &e.Groups); err != nil {
		return e, fmt.Errorf("the groups of recording %d: %w", e.ID, err)
	}
	if err := json.Unmarshal([]byte(students), &e.Students); err != nil {
		return e, fmt.Errorf("the students of recording %d: %w", e.ID, err)
	}
	return e, nil
}
