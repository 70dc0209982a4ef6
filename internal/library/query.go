package library

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
)

// query is an SQL text under construction, with its arguments.
type query struct {
	d    catalog.Dialect
	text string
	args []any
}

// arg adds an argument and returns its placeholder.
func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// placeholders adds values as arguments of a query and returns their placeholders, for IN ().
func placeholders[T any](q *query, values []T) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = q.arg(v)
	}
	return strings.Join(out, ", ")
}

// numbers is a table of numbers, in order, with the column value. They are one argument,
// however many there are.
func (q *query) numbers(alias string, values []int64) string {
	text := []byte{'['}
	for i, v := range values {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, v, 10)
	}
	text = append(text, ']')
	if q.d == catalog.Postgres {
		text[0], text[len(text)-1] = '{', '}'
		return "unnest(CAST(" + q.arg(string(text)) + " AS bigint[])) " + alias + "(value)"
	}
	return "json_each(" + q.arg(string(text)) + ") " + alias
}

// join is an inner or, with outer, a left join that the planner must run as one index
// look-up for each row so far.
//
// PostgreSQL might rather read a whole table than look up some hundred rows one by one;
// OFFSET 0 keeps the planner from merging the subquery. SQLite keeps the written order of
// a CROSS JOIN.
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

// sortableTime is a time column as an expression that can be compared and sorted: in
// SQLite the same time may be written as different texts.
func (q *query) sortableTime(column string) string {
	if q.d == catalog.Postgres {
		return column
	}
	return "unixepoch(" + column + ", 'subsec')"
}

// jsonArray is a subquery whose rows become one JSON array of objects.
func (q *query) jsonArray(object, order, from string) string {
	if q.d == catalog.Postgres {
		return "(SELECT COALESCE(json_agg(json_build_object(" + object + ") ORDER BY " + order + ")::text, '[]') FROM " + from + ")"
	}
	return "(SELECT json_group_array(json_object(" + object + ") ORDER BY " + order + ") FROM " + from + ")"
}
