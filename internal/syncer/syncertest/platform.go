package syncertest

import (
	"context"
	"fmt"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// platformTables are the tables of the platform's, or of a standalone catalog, that Lectern
// reads or writes.
var platformTables = []string{
	"accounts_customuser", "schedule_group", "schedule_group_students", "schedule_lesson", "schedule_lessonrecording",
	"schedule_lessonrecording_allowed_groups", "schedule_lessonrecording_allowed_students", "schedule_teacherstoragequota",
}

// Platform is the content of the platform's tables, a line per row.
func (s *Server) Platform() string {
	s.t.Helper()
	var b strings.Builder
	s.View(func(ctx context.Context, x store.Session) error {
		for _, table := range platformTables {
			query := `SELECT to_jsonb(t)::text FROM public.` + table + ` t ORDER BY t.id`
			if x.Dialect() == catalog.SQLite {
				var columns string
				if err := x.One(ctx, `SELECT group_concat(quote(name) || ', ' || name, ', ') FROM pragma_table_info($1)`, []any{table}, &columns); err != nil {
					return err
				}
				query = `SELECT json_object(` + columns + `) FROM public.` + table + ` ORDER BY id`
			}
			err := x.Each(ctx, query, nil, func(scan func(...any) error) error {
				var row string
				err := scan(&row)
				fmt.Fprintf(&b, "%s %s\n", table, row)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return b.String()
}
