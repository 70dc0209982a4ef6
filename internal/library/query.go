package library

import (
	"fmt"
	"strconv"

	"github.com/lectiospace/lectern/internal/catalog"
)

// query is a text under construction, with its arguments.
type query struct {
	d    catalog.Dialect
	text string
	args []any
}

// arg gives an argument its number.
func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// by reaches the rows of a table that a condition names, from each row so far. With
// outer, a row without any stays.
//
// PostgreSQL might rather read a whole table than look for some hundred rows one by
// one; OFFSET 0 keeps the look-up a query of its own. SQLite joins in the order that
// is written where it says CROSS.
func (q *query) join(outer bool, alias, columns, table, condition string) string {
	switch {
	case q.d == catalog.Postgres && outer:
		return fmt.Sprintf(" LEFT JOIN LATERAL (SELECT %s FROM %s %s WHERE %s OFFSET 0) %s ON TRUE", columns, table, alias, condition, alias)
	case q.d == catalog.Postgres:
		return fmt.Sprintf(" CROSS JOIN LATERAL (SELECT %s FROM %s %s WHERE %s OFFSET 0) %s", columns, table, alias, condition, alias)
	case outer:
		return fmt.Sprintf(" LEFT JOIN %s %s ON %s", table, alias, condition)
	default:
		return fmt.Sprintf(" CROSS JOIN %s %s ON %s", table, alias, condition)
	}
}

// moment is a column of time as something that can be compared and sorted: SQLite's
// text may be written in more ways than one.
func (q *query) sortableTime(column string) string {
	if q.d == catalog.Postgres {
		return column
	}
	return "unixepoch(" + column + ", 'subsec')"
}

// list is a query whose rows become one JSON array of objects.
func (q *query) jsonArray(object, order, from string) string {
	if q.d == catalog.Postgres {
		return "(SELECT COALESCE(json_agg(json_build_object(" + object + ") ORDER BY " + order + ")::text, '[]') FROM " + from + ")"
	}
	return "(SELECT json_group_array(json_object(" + object + ") ORDER BY " + order + ") FROM " + from + ")"
}
