package catalogtest

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// readsAll matches a plan's line that reads every recording.
var readsAll = map[catalog.Dialect]*regexp.Regexp{
	catalog.Postgres: regexp.MustCompile(`Seq Scan on (public\.)?schedule_lessonrecording( |$)`),
	catalog.SQLite:   regexp.MustCompile(`^SCAN (r|schedule_lessonrecording)( |$)`),
}

// Plan is how the database would run a query, a line each.
func (db *DB) Plan(t testing.TB, query string, args ...any) (lines []string) {
	t.Helper()
	explain := "EXPLAIN (COSTS OFF) "
	if db.Dialect() == catalog.SQLite {
		explain = "EXPLAIN QUERY PLAN "
	}
	err := db.Rows(t.Context(), "test: plan", time.Minute, explain+query, args, func(scan func(...any) error) error {
		var (
			line   string
			unused int64
		)
		dest := []any{&line}
		if db.Dialect() == catalog.SQLite {
			dest = []any{&unused, &unused, &unused, &line}
		}
		err := scan(dest...)
		lines = append(lines, line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// ReadsAllRecordings is the line of a plan that reads every recording, "" when there is
// none.
func (db *DB) ReadsAllRecordings(plan []string) string {
	if i := slices.IndexFunc(plan, readsAll[db.Dialect()].MatchString); i >= 0 {
		return plan[i]
	}
	return ""
}
