package catalog

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/riverqueue/river/rivermigrate"
	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/media"
)

//go:embed migrations
var migrationFiles embed.FS

// versionTable is goose's ledger of what was applied. On PostgreSQL it lives in
// the schema lectern with everything else of Lectern's.
const versionTable = "lectern_goose_version"

// migrationLock is the key of the advisory lock that lets one process migrate at a time.
const migrationLock = 0x6c65637465726e // "lectern"

// standaloneSuffix marks the files that create and change the catalog's tables:
// they run where the tables are Lectern's, never beside the platform.
const standaloneSuffix = "_standalone.sql"

// Layout says whose the catalog's tables are.
type Layout string

// The layouts. LayoutNone is a database that has not been migrated.
const (
	LayoutNone       Layout = ""
	LayoutStandalone Layout = "standalone"
	LayoutPlatform   Layout = "platform"
)

// Migration is one version of the schema.
type Migration struct {
	Version int64
	Name    string // the file's name without ending, as 0001_lectern
	Applied bool
	At      time.Time // when it was applied, zero when it is not or nobody knows
}

// String is the migration's name.
func (m Migration) String() string { return m.Name }

// MigrationStatus is how a database stands to the versions this program knows.
type MigrationStatus struct {
	Layout     Layout
	Migrations []Migration
	// Newer are versions in the database that this program does not know: a later
	// Lectern has been here.
	Newer []int64
}

// Pending are the versions that are not applied, in order.
func (s MigrationStatus) Pending() []Migration {
	return slices.DeleteFunc(slices.Clone(s.Migrations), func(m Migration) bool { return m.Applied })
}

// String lists the layout and the versions, a line each.
func (s MigrationStatus) String() string {
	var b strings.Builder
	if s.Layout == LayoutNone {
		b.WriteString("layout: none yet\n")
	} else {
		fmt.Fprintf(&b, "layout: %s\n", s.Layout)
	}
	for _, m := range s.Migrations {
		switch {
		case !m.Applied:
			fmt.Fprintf(&b, "pending  %s\n", m.Name)
		case m.At.IsZero():
			fmt.Fprintf(&b, "applied  %s\n", m.Name)
		default:
			fmt.Fprintf(&b, "applied  %s  %s\n", m.Name, m.At.Format(time.RFC3339))
		}
	}
	for _, v := range s.Newer {
		fmt.Fprintf(&b, "unknown  %04d  (applied by a newer Lectern)\n", v)
	}
	return b.String()
}

// MigrationStatus reads what has been applied. It writes nothing.
func (s *Store) MigrationStatus(ctx context.Context) (MigrationStatus, error) {
	st, err := s.migrationStatus(ctx)
	return st, WrapError(ctx, "catalog: migration status", err)
}

func (s *Store) migrationStatus(ctx context.Context) (MigrationStatus, error) {
	applied, err := s.appliedVersions(ctx)
	if err != nil {
		return MigrationStatus{}, err
	}
	layout, err := s.layout(ctx, applied)
	if err != nil {
		return MigrationStatus{}, err
	}
	all, err := s.migrations(LayoutStandalone)
	if err != nil {
		return MigrationStatus{}, err
	}
	st := MigrationStatus{}
	for _, m := range all {
		at, ok := applied[m.Version]
		delete(applied, m.Version)
		if ok || layout != LayoutPlatform || !strings.HasSuffix(m.Name+".sql", standaloneSuffix) {
			m.Applied, m.At = ok, at
			st.Migrations = append(st.Migrations, m)
		}
	}
	for version := range applied {
		st.Newer = append(st.Newer, version)
	}
	slices.Sort(st.Newer)
	if len(st.Migrations) > 0 && len(st.Pending()) < len(st.Migrations) {
		st.Layout = layout
	}
	return st, nil
}

// migrations lists the files that run in a layout, in order.
func (s *Store) migrations(layout Layout) ([]Migration, error) {
	entries, err := fs.ReadDir(migrationFiles, s.migrationFolder())
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

func (s *Store) migrationFolder() string {
	if s.dialect == SQLite {
		return "migrations/sqlite"
	}
	return "migrations/postgres"
}

// tableExists looks for a table without needing any right to it.
func (s *Store) tableExists(ctx context.Context, schema, table string) (ok bool, err error) {
	if s.dialect == SQLite {
		err = s.one(ctx, s.db, `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)`, []any{table}, &ok)
		return ok, err
	}
	err = s.one(ctx, s.db, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'f'))`, []any{schema, table}, &ok)
	return ok, err
}

// appliedVersions reads goose's ledger; its zeroth row only says that it exists.
func (s *Store) appliedVersions(ctx context.Context) (map[int64]time.Time, error) {
	applied := map[int64]time.Time{}
	ok, err := s.tableExists(ctx, "lectern", versionTable)
	if err != nil || !ok {
		return applied, err
	}
	err = s.each(ctx, s.db, `SELECT version_id, tstamp FROM lectern.`+versionTable+` WHERE version_id > 0 AND is_applied ORDER BY id`, nil,
		func(scan func(...any) error) error {
			var (
				version int64
				at      DBTime
			)
			err := scan(&version, &at)
			applied[version] = at.Time
			return err
		})
	return applied, err
}

// layout is the recorded layout, else what an `up` would choose: the platform's,
// when its tables are there and none of our versions has created them.
func (s *Store) layout(ctx context.Context, applied map[int64]time.Time) (Layout, error) {
	if s.dialect == SQLite {
		return LayoutStandalone, nil
	}
	recorded, err := s.tableExists(ctx, "lectern", "lectern_layout")
	if err != nil {
		return LayoutNone, err
	}
	if recorded {
		var layout Layout
		err := s.one(ctx, s.db, `SELECT layout FROM lectern.lectern_layout WHERE id = 1`, nil, &layout)
		if !errors.Is(err, sql.ErrNoRows) {
			return layout, err
		}
	}
	all, err := s.migrations(LayoutStandalone)
	if err != nil {
		return LayoutNone, err
	}
	for _, m := range all {
		if _, ok := applied[m.Version]; ok && strings.HasSuffix(m.Name+".sql", standaloneSuffix) {
			return LayoutStandalone, nil
		}
	}
	there, err := s.tableExists(ctx, "public", "accounts_customuser")
	if err != nil || !there {
		return LayoutStandalone, err
	}
	return LayoutPlatform, nil
}

// MigrateUp brings the schema up to date and returns what it applied. Beside the
// platform it first checks every column it needs (Kind Invalid lists what is
// wrong) and touches none of the platform's tables. Any number of processes may
// call it at once; one does the work.
func (s *Store) MigrateUp(ctx context.Context) ([]Migration, error) {
	const op = "catalog: migrate up"
	var applied []Migration
	err := s.migrating(ctx, func() error {
		st, err := s.migrationStatus(ctx)
		if err != nil {
			return err
		}
		if len(st.Newer) > 0 {
			return media.Faultf(media.Invalid, op, "the database has version %d, which only a newer Lectern knows", st.Newer[0])
		}
		versions, err := s.appliedVersions(ctx)
		if err != nil {
			return err
		}
		layout, err := s.layout(ctx, versions)
		if err != nil {
			return err
		}
		if layout == LayoutPlatform {
			problems, err := s.checkColumns(ctx)
			if err := errors.Join(err, columnsFault(op, problems)); err != nil {
				return err
			}
		}
		applied, err = s.up(ctx, layout)
		return err
	})
	return applied, WrapError(ctx, op, err)
}

// up runs what is pending and records the layout.
func (s *Store) up(ctx context.Context, layout Layout) ([]Migration, error) {
	if err := s.createSchema(ctx); err != nil {
		return nil, err
	}
	provider, err := s.provider(layout)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.migrateJobs(ctx, rivermigrate.DirectionUp); err != nil {
		return nil, fmt.Errorf("the job queue's tables: %w", err)
	}
	if err := s.exec(ctx, s.db, `INSERT INTO lectern.lectern_layout (id, layout) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, string(layout)); err != nil {
		return nil, err
	}
	applied := make([]Migration, len(results))
	for i, r := range results {
		applied[i] = migrationOf(r)
	}
	return applied, nil
}

// createSchema makes the schema lectern. It looks first: CREATE SCHEMA IF NOT
// EXISTS asks for the right to create even where nothing is to be created.
func (s *Store) createSchema(ctx context.Context) error {
	if s.dialect == SQLite {
		return nil
	}
	var ok bool
	err := s.one(ctx, s.db, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'lectern')`, nil, &ok)
	if err != nil || ok {
		return err
	}
	return s.exec(ctx, s.db, `CREATE SCHEMA lectern`)
}

// MigrateDown takes the last applied version back. Kind Invalid: there is none.
func (s *Store) MigrateDown(ctx context.Context) (Migration, error) {
	const op = "catalog: migrate down"
	var taken Migration
	err := s.migrating(ctx, func() error {
		st, err := s.migrationStatus(ctx)
		if err != nil {
			return err
		}
		if st.Layout == LayoutNone {
			return media.Faultf(media.Invalid, op, "there is nothing to take back")
		}
		provider, err := s.provider(st.Layout)
		if err != nil {
			return err
		}
		if applied := len(st.Migrations) - len(st.Pending()); applied > 0 && st.Migrations[applied-1].Version == jobsSince {
			if err := s.migrateJobs(ctx, rivermigrate.DirectionDown); err != nil {
				return fmt.Errorf("the job queue's tables: %w", err)
			}
		}
		result, err := provider.Down(ctx)
		if err != nil {
			return err
		}
		taken = migrationOf(result)
		return nil
	})
	return taken, WrapError(ctx, op, err)
}

func migrationOf(r *goose.MigrationResult) Migration {
	name := path.Base(r.Source.Path)
	return Migration{Version: r.Source.Version, Name: strings.TrimSuffix(name, path.Ext(name)), Applied: r.Direction == "up"}
}

// provider is goose for the files of one layout.
func (s *Store) provider(layout Layout) (*goose.Provider, error) {
	kind, table := database.DialectSQLite3, versionTable
	if s.dialect == Postgres {
		kind, table = database.DialectPostgres, "lectern."+versionTable
	}
	ledger, err := database.NewStore(kind, table)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrationFiles, s.migrationFolder())
	if err != nil {
		return nil, err
	}
	var excluded []string
	if layout == LayoutPlatform {
		if excluded, err = fs.Glob(files, "*"+standaloneSuffix); err != nil {
			return nil, err
		}
	}
	return goose.NewProvider(database.DialectCustom, s.db, files, goose.WithStore(ledger),
		goose.WithExcludeNames(excluded), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// migrating runs f while no other process migrates.
//
// On PostgreSQL a transaction of its own holds an advisory lock: unlike a
// session's lock it works through a transaction-mode pooler. SQLite's own locks
// last for one migration only, so that there the folder of the file is locked.
func (s *Store) migrating(ctx context.Context, f func() error) error {
	if s.dialect == Postgres {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		// Nothing is written in it: its end, however it comes, frees the lock.
		defer func() { _ = tx.Rollback() }()
		if err := s.exec(ctx, tx, `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
			return err
		}
		return f()
	}
	s.writers.Lock()
	defer s.writers.Unlock()
	unlock, err := lockFolder(ctx, s.folder)
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

// lockFolder takes flock(2) on a folder, which leaves nothing behind and which the
// kernel drops with the process. flock cannot be waited for with a context, so it
// is tried again and again.
func lockFolder(ctx context.Context, folder string) (unlock func(), err error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { dir.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			dir.Close()
			return nil, fmt.Errorf("lock %s: %w", folder, err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			dir.Close()
			return nil, ctx.Err()
		}
	}
}
