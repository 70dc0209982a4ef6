package schema

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

//go:embed migrations
var migrationFiles embed.FS

// versionTable is goose's table of applied versions. On PostgreSQL it lives in
// the schema lectern with everything else of Lectern's.
const versionTable = "lectern_goose_version"

// standaloneSuffix marks the files that create and change the catalog's tables:
// they run where the tables are Lectern's, never beside the platform.
const standaloneSuffix = "_standalone.sql"

// migrations lists the files that run in a layout, in order.
func migrations(d catalog.Dialect, layout Layout) ([]Migration, error) {
	entries, err := fs.ReadDir(migrationFiles, migrationFolder(d))
	if err != nil {
		return nil, err
	}
	var out []Migration
	for _, e := range entries {
		if layout == LayoutPlatform && strings.HasSuffix(e.Name(), standaloneSuffix) {
			continue
		}
		number, _, _ := strings.Cut(e.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic("BUG: a migration's file name does not begin with its number: " + e.Name())
		}
		out = append(out, Migration{Version: version, Name: strings.TrimSuffix(e.Name(), path.Ext(e.Name()))})
	}
	return out, nil
}

func migrationFolder(d catalog.Dialect) string {
	if d == catalog.SQLite {
		return "migrations/sqlite"
	}
	return "migrations/postgres"
}

// Up brings the schema up to date and returns what it applied. Beside the platform it
// first checks every column it needs (Kind Invalid lists what is wrong) and touches none
// of the platform's tables. On a newer schema that this program can work with there is
// nothing to do; on any other newer one the error wraps a *NewerError. Any number of
// processes may call it at once; one does the work.
func Up(ctx context.Context, s *catalog.Store) (applied []Migration, err error) {
	const op = "schema: migrate up"
	err = exclusively(ctx, s, op, func(x catalog.Session) error {
		st, err := readStatus(ctx, x)
		if err != nil {
			return err
		}
		if err := st.Fits(); err != nil {
			return media.Fault(media.Invalid, op, err)
		}
		if len(st.Newer) > 0 && len(st.Pending()) == 0 {
			return nil // goose would miss the files of the newer versions
		}
		layout, err := currentLayout(ctx, x)
		if err != nil {
			return err
		}
		if layout == LayoutPlatform {
			problems, err := checkColumns(ctx, x)
			if err := errors.Join(err, columnsError(op, problems)); err != nil {
				return err
			}
		}
		applied, err = up(ctx, s, x, layout)
		return err
	})
	return applied, err
}

// up runs what is pending and records the layout.
func up(ctx context.Context, s *catalog.Store, x catalog.Session, layout Layout) ([]Migration, error) {
	if err := createSchema(ctx, x); err != nil {
		return nil, err
	}
	migrator, err := provider(s, layout)
	if err != nil {
		return nil, err
	}
	results, err := migrator.Up(ctx)
	if err != nil {
		return nil, err
	}
	if err := migrateJobs(ctx, s, rivermigrate.DirectionUp); err != nil {
		return nil, fmt.Errorf("the job queue's tables: %w", err)
	}
	if _, err := x.Exec(ctx, `INSERT INTO lectern.lectern_layout (id, layout) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, string(layout)); err != nil {
		return nil, err
	}
	applied := make([]Migration, len(results))
	for i, r := range results {
		applied[i] = migrationOf(r)
	}
	return applied, nil
}

// createSchema makes the schema lectern. It looks first: CREATE SCHEMA IF NOT EXISTS
// needs the right to create even where nothing is to be created.
func createSchema(ctx context.Context, x catalog.Session) error {
	if x.Dialect() == catalog.SQLite {
		return nil
	}
	var ok bool
	err := x.One(ctx, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'lectern')`, nil, &ok)
	if err != nil || ok {
		return err
	}
	_, err = x.Exec(ctx, `CREATE SCHEMA lectern`)
	return err
}

// Down reverts the last applied version. Kind Invalid: there is none, or this program does
// not know it.
func Down(ctx context.Context, s *catalog.Store) (reverted Migration, err error) {
	const op = "schema: migrate down"
	err = exclusively(ctx, s, op, func(x catalog.Session) error {
		st, err := readStatus(ctx, x)
		if err != nil {
			return err
		}
		if st.Layout == LayoutNone {
			return media.Faultf(media.Invalid, op, "there is nothing to revert")
		}
		if n := len(st.Newer); n > 0 {
			return media.Faultf(media.Invalid, op, "the database has version %d, which only a newer Lectern knows: revert it with that one", st.Newer[n-1])
		}
		migrator, err := provider(s, st.Layout)
		if err != nil {
			return err
		}
		if applied := len(st.Migrations) - len(st.Pending()); applied > 0 && st.Migrations[applied-1].Version == jobsSince {
			if err := migrateJobs(ctx, s, rivermigrate.DirectionDown); err != nil {
				return fmt.Errorf("the job queue's tables: %w", err)
			}
		}
		result, err := migrator.Down(ctx)
		if err != nil {
			return err
		}
		reverted = migrationOf(result)
		return nil
	})
	return reverted, err
}

func migrationOf(r *goose.MigrationResult) Migration {
	name := path.Base(r.Source.Path)
	return Migration{Version: r.Source.Version, Name: strings.TrimSuffix(name, path.Ext(name)), Applied: r.Direction == "up"}
}

// provider is goose for the files of one layout.
func provider(s *catalog.Store, layout Layout) (*goose.Provider, error) {
	kind, table := database.DialectSQLite3, versionTable
	if s.Dialect() == catalog.Postgres {
		kind, table = database.DialectPostgres, "lectern."+versionTable
	}
	versions, err := database.NewStore(kind, table)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrationFiles, migrationFolder(s.Dialect()))
	if err != nil {
		return nil, err
	}
	var excluded []string
	if layout == LayoutPlatform {
		if excluded, err = fs.Glob(files, "*"+standaloneSuffix); err != nil {
			return nil, err
		}
	}
	return goose.NewProvider(database.DialectCustom, s.DB(), files, goose.WithStore(versions),
		goose.WithExcludeNames(excluded), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}
