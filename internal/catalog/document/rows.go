package document

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// cell is one column of a row as a document wants it. Its value is a string,
// int64, bool, catalog.DBTime, sql.NullString or sql.NullInt64.
type cell struct {
	name   string // the document's key, for people
	column string
	value  any
	secret bool // the value must not be shown
}

// show is the value as a change is printed.
func (c cell) show(value any) string {
	if c.secret {
		return "…"
	}
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case catalog.DBTime:
		if v.IsZero() {
			return "none"
		}
		return v.String()
	case sql.NullString:
		return strconv.Quote(v.String)
	case sql.NullInt64:
		if !v.Valid {
			return "none"
		}
		return strconv.FormatInt(v.Int64, 10)
	default:
		return fmt.Sprint(v)
	}
}

func same(a, b any) bool {
	if x, ok := a.(catalog.DBTime); ok {
		y, ok := b.(catalog.DBTime)
		return ok && x.Equal(y.Time)
	}
	return a == b
}

// optionalID is an id, or NULL for 0.
func optionalID(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

// optionalText is text, or NULL for ”.
func optionalText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// rows writes rows of a standalone catalog within one transaction. Table and
// column names come from this package's source only.
type rows struct {
	x   catalog.Session
	now catalog.DBTime
	// behind are tables whose id sequence may not have passed their highest id,
	// since rows came with ids of their own. All may be, at first.
	behind map[string]bool
	// explicit are tables that got such rows here.
	explicit map[string]bool
}

func newRows(x catalog.Session) *rows {
	return &rows{x: x, now: catalog.NewDBTime(time.Now()), behind: map[string]bool{}, explicit: map[string]bool{}}
}

// ids are the ids a query finds, in its order.
func (r *rows) ids(ctx context.Context, query string, args ...any) ([]int64, error) {
	var out []int64
	err := r.x.Each(ctx, query, args, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}

// exists reports whether a table has a row of that id.
func (r *rows) exists(ctx context.Context, table string, id int64) (bool, error) {
	found, err := r.ids(ctx, `SELECT id FROM public.`+table+` WHERE id = $1`, id)
	return len(found) > 0, err
}

// insert adds a row, with its id when that is not 0, and returns the id.
func (r *rows) insert(ctx context.Context, table string, id int64, cells []cell) (int64, error) {
	if behind, known := r.behind[table]; id == 0 && (behind || !known) {
		if err := r.catchUp(ctx, table); err != nil {
			return 0, err
		}
	}
	if id != 0 {
		cells = append([]cell{{column: "id", value: id}}, cells...)
		r.behind[table], r.explicit[table] = true, true
	}
	var names, marks []string
	var args []any
	for i, c := range cells {
		names, marks, args = append(names, c.column), append(marks, "$"+strconv.Itoa(i+1)), append(args, c.value)
	}
	query := fmt.Sprintf(`INSERT INTO public.%s (%s) VALUES (%s) RETURNING id`, table, strings.Join(names, ", "), strings.Join(marks, ", "))
	var got int64
	err := r.x.One(ctx, query, args, &got)
	return got, err
}

// catchUp moves a table's id sequence behind its highest id. On SQLite
// AUTOINCREMENT does that by itself. Sequences do not roll back, so that a
// dry run may leave a gap in the ids, and never a wrong one.
func (r *rows) catchUp(ctx context.Context, table string) error {
	r.behind[table] = false
	if r.x.Dialect() == catalog.SQLite {
		return nil
	}
	// Only forward: another writer may have drawn ids it has not committed.
	_, err := r.ids(ctx, fmt.Sprintf(`SELECT setval(seq, top) FROM (
			SELECT pg_get_serial_sequence('public.%[1]s', 'id')::regclass AS seq, (SELECT COALESCE(max(id), 0) FROM public.%[1]s) AS top) x
		WHERE top > COALESCE(pg_sequence_last_value(seq), 0)`, table))
	return err
}

// finish leaves every sequence where later writers expect it.
func (r *rows) finish(ctx context.Context) error {
	for table := range r.explicit {
		if r.behind[table] {
			if err := r.catchUp(ctx, table); err != nil {
				return err
			}
		}
	}
	return nil
}

// update brings a row to the wanted cells and tells what differed; nothing is
// written when nothing does.
func (r *rows) update(ctx context.Context, table string, id int64, cells []cell) (differences []string, err error) {
	if len(cells) == 0 {
		return nil, nil
	}
	var names []string
	old := make([]any, len(cells))
	for i, c := range cells {
		names = append(names, c.column)
		old[i] = reflect.New(reflect.TypeOf(c.value)).Interface()
	}
	query := fmt.Sprintf(`SELECT %s FROM public.%s WHERE id = $1`, strings.Join(names, ", "), table)
	if err := r.x.One(ctx, query, []any{id}, old...); err != nil {
		return nil, err
	}
	var sets []string
	args := []any{id, r.now}
	for i, c := range cells {
		before := reflect.ValueOf(old[i]).Elem().Interface()
		if same(before, c.value) {
			continue
		}
		args = append(args, c.value)
		sets = append(sets, fmt.Sprintf("%s = $%d", c.column, len(args)))
		differences = append(differences, fmt.Sprintf("%s %s → %s", c.name, c.show(before), c.show(c.value)))
	}
	if len(sets) == 0 {
		return nil, nil
	}
	query = fmt.Sprintf(`UPDATE public.%s SET %s, updated_at = $2 WHERE id = $1`, table, strings.Join(sets, ", "))
	_, err = r.x.Exec(ctx, query, args...)
	return differences, err
}

// link is a many-to-many table.
type link struct{ table, owner, member string }

var (
	linkStudents        = link{"schedule_group_students", "group_id", "customuser_id"}
	linkAllowedGroups   = link{"schedule_lessonrecording_allowed_groups", "lessonrecording_id", "group_id"}
	linkAllowedStudents = link{"schedule_lessonrecording_allowed_students", "lessonrecording_id", "customuser_id"}
)

// relink makes the members of an owner exactly those wanted and gives what was
// added and taken away, each in order of id.
func (r *rows) relink(ctx context.Context, l link, owner int64, want []int64) (added, removed []int64, err error) {
	have, err := r.ids(ctx, fmt.Sprintf(`SELECT %s FROM public.%s WHERE %s = $1 ORDER BY 1`, l.member, l.table, l.owner), owner)
	if err != nil {
		return nil, nil, err
	}
	want = slices.Compact(slices.Sorted(slices.Values(want)))
	for _, id := range want {
		if slices.Contains(have, id) {
			continue
		}
		added = append(added, id)
		if _, err := r.insert(ctx, l.table, 0, []cell{{column: l.owner, value: owner}, {column: l.member, value: id}}); err != nil {
			return nil, nil, err
		}
	}
	for _, id := range have {
		if slices.Contains(want, id) {
			continue
		}
		removed = append(removed, id)
		_, err := r.x.Exec(ctx, fmt.Sprintf(`DELETE FROM public.%s WHERE %s = $1 AND %s = $2`, l.table, l.owner, l.member), owner, id)
		if err != nil {
			return nil, nil, err
		}
	}
	return added, removed, nil
}
