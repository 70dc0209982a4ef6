package catalog

import (
	"regexp"
	"strings"
	"time"
)

// Dialect is the kind of database of a Store.
type Dialect uint8

// The databases that the queries run on.
const (
	SQLite Dialect = iota
	Postgres
)

// sqliteWords are the words of PostgreSQL's spelling that SQLite spells otherwise: it has
// no schemas (Lectern's own tables carry the prefix lectern_ anyway), and a numbered
// parameter is ?1.
var sqliteWords = regexp.MustCompile(`\bpublic\.|\blectern\.|\$([0-9]+)`)

// rewrite is the query in this database's spelling. Queries contain no quoted text in
// which a schema or a parameter could be mistaken.
func (d Dialect) rewrite(query string) string {
	if d == Postgres {
		return query
	}
	return sqliteWords.ReplaceAllStringFunc(query, func(word string) string {
		if number, ok := strings.CutPrefix(word, "$"); ok {
			return "?" + number
		}
		return ""
	})
}

// bind converts the arguments for this database's driver. PostgreSQL gets a parameter's
// type from the Go type (no statement is described first, which a pooler would not
// survive), so that a DBTime becomes a time.Time there.
func (d Dialect) bind(args []any) []any {
	if d == SQLite {
		return args
	}
	out := make([]any, len(args))
	for i, arg := range args {
		if s, ok := arg.(DBTime); ok {
			arg = nullableTime(s)
		}
		out[i] = arg
	}
	return out
}

func nullableTime(s DBTime) *time.Time {
	if s.IsZero() {
		return nil
	}
	return &s.Time
}
