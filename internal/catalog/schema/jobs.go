package schema

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// jobsSince is the version of the schema that River's tables come with.
const jobsSince = 4

// JobDriver is what the job queue works through: the same pool, and the same kind
// of transaction, on both databases.
func JobDriver(s *catalog.Store) riverdriver.Driver[*sql.Tx] {
	if s.Dialect() == catalog.SQLite {
		return riversqlite.New(s.DB())
	}
	return riverdatabasesql.New(s.DB())
}

// JobSchema is the schema of River's tables, "" where there are none.
func JobSchema(s *catalog.Store) string {
	if s.Dialect() == catalog.SQLite {
		return ""
	}
	return "lectern"
}

func jobMigrator(s *catalog.Store) (*rivermigrate.Migrator[*sql.Tx], error) {
	return rivermigrate.New(JobDriver(s), &rivermigrate.Config{Schema: JobSchema(s), Logger: slog.New(warnings{s.Log().Handler()})})
}

// warnings drops a library's lines below a warning: the commands that migrate print what
// was applied themselves.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// migrateJobs brings River's tables up to date, or drops them.
func migrateJobs(ctx context.Context, s *catalog.Store, direction rivermigrate.Direction) error {
	m, err := jobMigrator(s)
	if err != nil {
		return err
	}
	opts := &rivermigrate.MigrateOpts{}
	if direction == rivermigrate.DirectionDown {
		opts.TargetVersion = -1
	}
	_, err = m.Migrate(ctx, direction, opts)
	return err
}

// jobsReady reports what River's tables lack.
func jobsReady(ctx context.Context, s *catalog.Store, op string) error {
	m, err := jobMigrator(s)
	if err != nil {
		return err
	}
	result, err := m.Validate(ctx, nil)
	if err != nil {
		return err
	}
	if !result.OK {
		return media.Faultf(media.Invalid, op, "the job queue's tables are not as needed (%s): %s", strings.Join(result.Messages, "; "), catalog.HintMigrate)
	}
	return nil
}
