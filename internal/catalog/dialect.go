package catalog

import (
	"regexp"
	"strings"
	"time"
)

// Dialect is the database a Store speaks to.
type Dialect uint8

const (
	SQLite Dialect = iota
	Postgres
)

// sqliteWords turns PostgreSQL's spelling into SQLite's: there are no schemas
// (Lectern's own tables carry the prefix lectern_ anyway), and a numbered
// parameter is ?1.
var sqliteWords = regexp.MustCompile(`\bpublic\.|\blectern\.|\$([0-9]+)`)

// spell gives the query as this database wants it. Queries hold no quoted text
// in which a schema or a parameter could be mistaken.
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

// bind gives the arguments as this database's driver wants them. PostgreSQL is
// told a parameter's type by the Go type (no statement is described first, for
// the pooler's sake), so that a moment has to be a time.Time there.
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
