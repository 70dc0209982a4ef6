package catalog

import (
	"context"
	"fmt"

	"github.com/lectiospace/lectern/internal/media"
)

// SchemaReady reports whether the catalog can be worked with: every version
// applied, every column there. nil means yes; Kind Invalid says what is missing
// and what to run; Kind Unavailable that nobody can say now. It answers within
// three seconds and costs a few small reads of the system catalogs.
func (s *Store) SchemaReady(ctx context.Context) error {
	const op = "catalog: schema"
	limited, cancel := context.WithTimeoutCause(ctx, LookupTimeout, errOwnDeadline)
	defer cancel()
	st, err := s.migrationStatus(limited)
	if err != nil {
		return WrapError(ctx, op, err)
	}
	if len(st.Newer) > 0 {
		return media.Faultf(media.Invalid, op, "the database has version %d, which only a newer Lectern knows: upgrade this one", st.Newer[0])
	}
	switch pending := st.Pending(); {
	case st.Layout == LayoutNone:
		return media.Faultf(media.Invalid, op, "the database has no schema of Lectern's yet: %s", hintMigrate)
	case len(pending) > 0:
		return media.Faultf(media.Invalid, op, "the database lacks %s: %s", pending[0], hintMigrate)
	}
	if err := s.jobsReady(limited, op); err != nil {
		return WrapError(ctx, op, err)
	}
	problems, err := s.checkColumns(limited)
	if err != nil {
		return WrapError(ctx, op, err)
	}
	return columnsFault(op, problems)
}

// EnsureFresh creates the schema when the SQLite file is empty, and does nothing
// otherwise: a schema that exists is changed by `gateway migrate up` only, and so
// is anything on PostgreSQL.
func (s *Store) EnsureFresh(ctx context.Context) error {
	if s.dialect != SQLite {
		return nil
	}
	var tables int
	// Tables of Lectern's own alone are another process that is creating the schema
	// right now: MigrateUp waits for it.
	err := s.Row(ctx, "catalog: look for tables", `SELECT count(*) FROM sqlite_master
		WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' AND substr(name, 1, 8) <> 'lectern_'`, nil, &tables)
	if err != nil || tables > 0 {
		return err
	}
	_, err = s.MigrateUp(ctx)
	return err
}

// HasData reports whether losing the database would lose something: a row in any
// of the catalog's tables.
func (s *Store) HasData(ctx context.Context) (bool, error) {
	const op = "catalog: look for data"
	table := ""
	for _, c := range columns() {
		if c.table == table {
			continue
		}
		table = c.table
		there, err := s.tableExists(ctx, "public", table)
		if err != nil {
			return false, WrapError(ctx, op, err)
		}
		if !there {
			continue
		}
		var rows bool
		if err := s.one(ctx, s.db, fmt.Sprintf(`SELECT EXISTS (SELECT 1 FROM public.%s)`, table), nil, &rows); err != nil {
			return false, WrapError(ctx, op, err)
		}
		if rows {
			return true, nil
		}
	}
	return false, nil
}

// ColumnProblems lists every column that is missing, unreadable or of another
// type, a line each.
func (s *Store) ColumnProblems(ctx context.Context) ([]string, error) {
	limited, cancel := context.WithTimeoutCause(ctx, LookupTimeout, errOwnDeadline)
	defer cancel()
	problems, err := s.checkColumns(limited)
	return problems, WrapError(ctx, "catalog: columns", err)
}
