package schema

import (
	"context"
	"log/slog"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// Ready reports whether the catalog can be worked with: every version applied, none that
// needs a newer program, every column there. nil means yes; Kind Invalid says what is wrong
// and what to run, and wraps a *NewerError where the program is too old; Kind Unavailable that the database does not answer. It answers within three seconds and
// costs a few small reads of the system catalogs.
func Ready(ctx context.Context, s *catalog.Store) error {
	const op = "schema: ready"
	return s.ViewWithin(ctx, op, catalog.LookupTimeout, func(ctx context.Context, x catalog.Session) error {
		st, err := readStatus(ctx, x)
		if err != nil {
			return err
		}
		if err := st.Fits(); err != nil {
			return media.Fault(media.Invalid, op, err)
		}
		switch pending := st.Pending(); {
		case st.Layout == LayoutNone:
			return media.Faultf(media.Invalid, op, "the database has no schema of Lectern's yet: %s", catalog.HintMigrate)
		case len(pending) > 0:
			return media.Faultf(media.Invalid, op, "the database lacks %s: %s", pending[0], catalog.HintMigrate)
		}
		if err := jobsReady(ctx, s, op); err != nil {
			return err
		}
		problems, err := checkColumns(ctx, x)
		if err != nil {
			return err
		}
		return columnsError(op, problems)
	})
}

// EnsureFresh creates the schema when the SQLite file is empty, and does nothing
// otherwise: a schema that exists is changed by `gateway migrate up` only, and so is
// anything on PostgreSQL.
func EnsureFresh(ctx context.Context, s *catalog.Store) error {
	if s.Dialect() != catalog.SQLite {
		return nil
	}
	var tables int
	// Tables of Lectern's own alone are another process that is creating the schema
	// right now: Up waits for it.
	err := s.Row(ctx, "schema: look for tables", `SELECT count(*) FROM sqlite_master
		WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' AND substr(name, 1, 8) <> 'lectern_'`, nil, &tables)
	if err != nil || tables > 0 {
		return err
	}
	_, err = Up(ctx, s)
	return err
}

// EnsureReady is what a serving program calls first: it creates the schema in an empty
// SQLite file and then is Ready, except that an unavailable database is logged and is no
// error. It may be back in a minute, and readiness probes report it until then.
func EnsureReady(ctx context.Context, s *catalog.Store, log *slog.Logger) error {
	if err := EnsureFresh(ctx, s); err != nil {
		return err
	}
	err := Ready(ctx, s)
	if media.KindOf(err) == media.Invalid && s.Dialect() == catalog.SQLite {
		// The other program may be creating the schema of the same file: it is looked at
		// again when nobody migrates.
		err = exclusively(ctx, s, "schema: wait for migrations", func(catalog.Session) error { return Ready(ctx, s) })
	}
	if media.KindOf(err) == media.Unavailable {
		log.Warn("schema: database unavailable, not checked yet", slog.Any("error", err))
		return nil
	}
	return err
}

// ColumnProblems lists every column that is missing, unreadable or of another type, a
// line each.
func ColumnProblems(ctx context.Context, s *catalog.Store) (problems []string, err error) {
	err = s.ViewWithin(ctx, "schema: columns", catalog.LookupTimeout, func(ctx context.Context, x catalog.Session) error {
		problems, err = checkColumns(ctx, x)
		return err
	})
	return problems, err
}
