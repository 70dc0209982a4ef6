package catalog

import (
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

// schemas are the prefixes that SQLite, which has no schemas, goes without: Lectern's own tables
// carry the prefix lectern_ anyway.
var schemas = []string{"public.", "lectern."}

// rewrite is the query in this database's spelling. For SQLite it drops the schemas, and a
// numbered parameter is ?1. Queries contain no quoted text in which a schema or a parameter could
// be mistaken. It runs for every query: a regular expression took a tenth of what a request costs
// that the catalog's cache does not answer.
func (d Dialect) rewrite(query string) string {
	if d == Postgres {
		return query
	}
	var b strings.Builder
	b.Grow(len(query))
	inWord := false
	for i := 0; i < len(query); i++ {
		c := query[i]
		if !inWord && (c == 'p' || c == 'l') {
			if n := schemaPrefix(query[i:]); n > 0 {
				i += n - 1
				continue
			}
		}
		inWord = c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if c == '$' && i+1 < len(query) && '0' <= query[i+1] && query[i+1] <= '9' {
			c = '?'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// schemaPrefix is the length of the schema's name with its point that the text begins with, or 0.
func schemaPrefix(text string) int {
	for _, schema := range schemas {
		if strings.HasPrefix(text, schema) {
			return len(schema)
		}
	}
	return 0
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
