package library

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// watchable is a recording that a user may watch.
type watchable struct {
	id int64
	// newest sorts recordings: when the lesson begins, or the recording was made, in seconds.
	newest int64
	own    string // what it is called by itself
	after  string // what its lesson is called; where neither has a title, its group
}

// titles are what a recording is called.
func (w *watchable) titles() []string {
	switch {
	case w.own == "" || w.own == w.after:
		return []string{w.after}
	case w.after == "":
		return []string{w.own}
	}
	return []string{w.own, w.after}
}

// watchables are the recordings that a user may watch now, newest first. The rule is that
// of auth.Decide.
func (l *Reader) watchables(ctx context.Context, u media.User) ([]watchable, error) {
	const op = "library: what a user may watch"
	var all string
	err := l.rows(ctx, op, l.watchableQuery(u), func(scan func(...any) error) error { return scan(&all) })
	if err != nil {
		return nil, err
	}
	out, err := parseWatchables(all)
	if err != nil {
		return nil, media.Fault(media.Invalid, op, err)
	}
	slices.SortFunc(out, func(a, b watchable) int { return cmp.Or(cmp.Compare(b.newest, a.newest), cmp.Compare(b.id, a.id)) })
	// A student's may come by several lists.
	return slices.CompactFunc(out, func(a, b watchable) bool { return a.id == b.id }), nil
}

// parseWatchables reads what watchableQuery gives: for each recording its id and the lengths
// of its two titles in bytes, with a blank behind each, when it is from, "|", and the titles.
func parseWatchables(all string) (out []watchable, err error) {
	out = make([]watchable, 0, len(all)/64)
	for all != "" {
		var w watchable
		var own, after int64
		for _, n := range []*int64{&w.id, &own, &after} {
			text, rest, ok := strings.Cut(all, " ")
			if *n, err = strconv.ParseInt(text, 10, 64); err != nil || !ok {
				return nil, errors.New("no list of recordings")
			}
			all = rest
		}
		newest, titles, ok := strings.Cut(all, "|")
		if !ok || own < 0 || after < 0 || own > int64(len(titles)) || after > int64(len(titles))-own {
			return nil, errors.New("no list of recordings")
		}
		w.newest, w.own, w.after = seconds(newest), titles[:own], titles[own:own+after]
		out, all = append(out, w), titles[own+after:]
	}
	return out, nil
}

// seconds are those since 1970 of a time as PostgreSQL gives it, in seconds, or SQLite, as it
// was written; 0 for what is no time.
func seconds(text string) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.Unix()
	}
	if t, err := catalog.ParseDBTime(text); err == nil && !t.IsZero() {
		return t.Unix()
	}
	return 0
}

func (l *Reader) watchableQuery(u media.User) *query {
	q := &query{d: l.store.Dialect()}
	var from, rule string
	switch u.Role {
	case media.RoleAdmin:
		from, rule = recordingsTable+" r LEFT JOIN "+lessonsTable+" l ON l.id = r.lesson_id", "TRUE"
	case media.RoleTeacher:
		me := q.arg(u.ID)
		q.text = `WITH own AS MATERIALIZED (
	SELECT r.id FROM ` + lessonsTable + ` l` + q.join(false, "r", "r.id", recordingsTable, "r.lesson_id = l.id") + ` WHERE l.teacher_id = ` + me + `
	UNION ALL SELECT r.id FROM ` + recordingsTable + ` r WHERE r.teacher_id = ` + me + ` AND r.lesson_id IS NULL
) `
		from, rule = q.fromIDs("own"), "TRUE"
	case media.RoleStudent:
		q.text = "WITH " + q.listed(q.arg(u.ID)) + " "
		from, rule = q.fromIDs("listed"), l.listedRule()+` AND (r.available_until IS NULL OR `+q.sortableTime("r.available_until")+` > `+q.sortableTime(q.arg(catalog.NewDBTime(l.now())))+`)`
	default:
		from, rule = recordingsTable+" r LEFT JOIN "+lessonsTable+" l ON FALSE", "FALSE"
	}
	// One row of everything: a row of each recording would cost both drivers more than it
	// costs to find it. Texts come behind their lengths in bytes. SQLite's functions of times
	// take longer than Go's.
	newest := "COALESCE(l.start_time, r.created_at)"
	if q.d == catalog.Postgres {
		newest = "COALESCE(CAST(date_part('epoch', COALESCE(l.start_time, r.created_at)) AS bigint), 0)"
	}
	const after = "CASE WHEN l.title <> '' THEN l.title WHEN r.title = '' THEN COALESCE((SELECT g.name FROM public.schedule_group g WHERE g.id = l.group_id), '') ELSE '' END"
	q.text += `SELECT COALESCE(string_agg(concat(r.id, ' ', octet_length(r.title), ' ', octet_length(` + after + `), ' ', ` + newest + `, '|', r.title, ` + after + `), ''), '')
FROM ` + from + `
WHERE r.status IN ('ready', 'archived') AND NOT r.is_deleted AND ` + hasBytes + ` AND ` + rule
	return q
}

// hasBytes is whether a recording r has a location (media.StoredAt, media.AtZoom).
const hasBytes = `CASE r.storage_provider WHEN 'zoom' THEN r.download_url <> '' AND ` + catalog.RecordingOwner + ` > 0
	WHEN 'gdrive' THEN r.gdrive_file_id <> '' OR r.archive_key <> '' ELSE r.archive_key <> '' END`

// fromIDs joins recordings and their lessons to a table w with their ids.
func (q *query) fromIDs(table string) string {
	const columns = filterColumns + ", r.teacher_id, r.storage_provider, r.gdrive_file_id, r.archive_key, r.download_url"
	return table + " w" + q.join(false, "r", columns, recordingsTable, "r.id = w.id") + q.join(true, "l", filterLessonColumns+", l.teacher_id", lessonsTable, "l.id = r.lesson_id")
}
