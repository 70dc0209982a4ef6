package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type migrateCommand struct {
	Status migrateStatus `cmd:"" help:"List the schema's versions, applied and pending."`
	Up     migrateUp     `cmd:"" help:"Create or upgrade Lectern's tables; the platform's own tables are never changed."`
	Down   migrateDown   `cmd:"" help:"Revert the last version."`
}

type (
	migrateStatus struct{}
	migrateUp     struct {
		schemaChange `embed:""`
	}
	migrateDown struct {
		schemaChange `embed:""`
	}
)

// openStore opens the catalog for a command that runs once.
func openStore(ctx context.Context, cli *CLI, term terminal) (*catalog.Store, error) {
	return openDatabase(ctx, &cli.Base, telemetry.NewLogger(cli.Log, term.Err))
}

// openDatabase opens the catalog; a URL that cannot be right is a usage error.
func openDatabase(ctx context.Context, s *config.Base, log *slog.Logger) (*catalog.Store, error) {
	store, err := catalog.Open(ctx, s.DatabaseURL, log)
	switch {
	case err == nil:
		return store, nil
	case media.KindOf(err) == media.Invalid:
		return nil, s.WithSource(fmt.Errorf("database-url: %w", err))
	default:
		return nil, fmt.Errorf("database-url: %w", err)
	}
}

// schemaError makes a schema that needs a newer program an error of database-url: no
// restart mends it.
func schemaError(s *config.Base, err error) error {
	var newer *schema.NewerError
	if errors.As(err, &newer) {
		return s.WithSource(fmt.Errorf("database-url: %w", newer))
	}
	return err
}

func (*migrateStatus) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	status, err := schema.StatusOf(ctx, store)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(term.Out, status)
	return err
}

// Run applies what is pending.
func (c *migrateUp) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	status, err := schema.StatusOf(ctx, store)
	if err != nil {
		return err
	}
	if err := status.Fits(); err != nil {
		return schemaError(&cli.Base, err)
	}
	if len(status.Pending()) > 0 {
		if err := c.admit(ctx, store, cli, term); err != nil {
			return err
		}
	}
	applied, err := schema.Up(ctx, store)
	if err != nil {
		if media.KindOf(err) == media.Invalid {
			printColumnProblems(ctx, store, term)
		}
		return err
	}
	for _, version := range applied {
		fmt.Fprintln(term.Out, "applied", version)
	}
	if len(applied) == 0 {
		fmt.Fprintln(term.Out, "nothing to apply")
	}
	return nil
}

// printColumnProblems prints a line for each column that is missing or unusable.
func printColumnProblems(ctx context.Context, store *catalog.Store, term terminal) {
	problems, err := schema.ColumnProblems(ctx, store)
	if err != nil {
		return // the migration's own error is reported
	}
	for _, p := range problems {
		fmt.Fprintln(term.Out, "FAIL", p)
	}
}

// Run reverts the last version.
func (c *migrateDown) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := c.admit(ctx, store, cli, term); err != nil {
		return err
	}
	version, err := schema.Down(ctx, store)
	if err != nil {
		return err
	}
	fmt.Fprintln(term.Out, "took back", version)
	return nil
}

// schemaChange are the flags of a change of the schema of a database with data.
type schemaChange struct {
	Yes      bool `help:"Do not ask for confirmation."`
	NoBackup bool `help:"Make no backup first."`
}

// admit returns nil when the schema may be changed.
func (c schemaChange) admit(ctx context.Context, store *catalog.Store, cli *CLI, term terminal) error {
	guard := schema.Guard{BackedUp: func(path string) { fmt.Fprintln(term.Out, "backup", path) }}
	if !c.NoBackup {
		guard.BackupDir = backupDir(cli)
	}
	if !c.Yes {
		guard.Confirm = func() bool {
			return term.Confirm("The database has data of Lectern. Type MIGRATE to change its schema: ", "MIGRATE")
		}
	}
	return guard.Admit(ctx, store)
}
