package catalog

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/lectiospace/lectern/internal/media"
)

// jobsSince is the version of ours that River's tables come with.
const jobsSince = 4

// JobDriver is what the job queue works through: the same pool, and the same kind
// of transaction, on both databases.
func (s *Store) JobDriver() riverdriver.Driver[*sql.Tx] {
	if s.dialect == SQLite {
		return riversqlite.New(s.db)
	}
	return riverdatabasesql.New(s.db)
}

// JobSchema is the schema of River's tables, "" where there are none.
func (s *Store) JobSchema() string {
	if s.dialect == SQLite {
		return ""
	}
	return "lectern"
}

func (s *Store) jobMigrator() (*rivermigrate.Migrator[*sql.Tx], error) {
	return rivermigrate.New(s.JobDriver(), &rivermigrate.Config{Schema: s.JobSchema(), Logger: slog.New(onlyTrouble{s.log.Handler()})})
}

// onlyTrouble drops a library's everyday lines: those who migrate are told what was
// applied in our own words.
type onlyTrouble struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h onlyTrouble) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// migrateJobs brings River's tables up to date, or takes them away.
func (s *Store) migrateJobs(ctx context.Context, direction rivermigrate.Direction) error {
	m, err := s.jobMigrator()
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
func (s *Store) jobsReady(ctx context.Context, op string) error {
	m, err := s.jobMigrator()
	if err != nil {
		return err
	}
	result, err := m.Validate(ctx, nil)
	if err != nil {
		return err
	}
	if !result.OK {
		return media.Faultf(media.Invalid, op, "the job queue's tables are not as needed (%s): %s", strings.Join(result.Messages, "; "), hintMigrate)
	}
	return nil
}
