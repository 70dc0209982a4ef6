package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type migrateCommand struct {
	Status migrateStatus `cmd:"" help:"List the schema's versions, applied and pending."`
	Up     migrateUp     `cmd:"" help:"Create or bring up to date what Lectern needs; beside the platform's tables it touches none of them."`
	Down   migrateDown   `cmd:"" help:"Take the last version back."`
}

type (
	migrateStatus struct{}
	migrateUp     struct {
		safetyNet `embed:""`
	}
	migrateDown struct {
		safetyNet `embed:""`
	}
)

// openStore opens the catalog for a command that runs once.
func openStore(ctx context.Context, cli *CLI, term terminal) (*catalog.Store, error) {
	return openDatabase(ctx, &cli.Base, telemetry.NewLogger(cli.Log, term.err))
}

// openDatabase opens the catalog; a URL that cannot be right is a usage error.
func openDatabase(ctx context.Context, s *config.Base, log *slog.Logger) (*catalog.Store, error) {
	store, err := catalog.Open(ctx, s.DatabaseURL, log)
	switch {
	case err == nil:
		return store, nil
	case media.KindOf(err) == media.Invalid:
		return nil, s.Blame(fmt.Errorf("database-url: %w", err))
	default:
		return nil, fmt.Errorf("database-url: %w", err)
	}
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
	_, err = fmt.Fprint(term.out, status)
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
	if len(status.Pending()) > 0 {
		if err := c.safetyNet.spread(ctx, store, cli.DataDir, term); err != nil {
			return err
		}
	}
	applied, err := schema.Up(ctx, store)
	if err != nil {
		if media.KindOf(err) == media.Invalid {
			c.tell(ctx, store, term)
		}
		return err
	}
	for _, version := range applied {
		fmt.Fprintln(term.out, "applied", version)
	}
	if len(applied) == 0 {
		fmt.Fprintln(term.out, "nothing to apply")
	}
	return nil
}

// tell lists what keeps the tables from being worked with, a line each.
func (*migrateUp) tell(ctx context.Context, store *catalog.Store, term terminal) {
	problems, err := schema.ColumnProblems(ctx, store)
	if err != nil {
		return // the error that is being reported says enough
	}
	for _, p := range problems {
		fmt.Fprintln(term.out, "FAIL", p)
	}
}

// Run takes the last version back.
func (c *migrateDown) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := c.safetyNet.spread(ctx, store, cli.DataDir, term); err != nil {
		return err
	}
	version, err := schema.Down(ctx, store)
	if err != nil {
		return err
	}
	fmt.Fprintln(term.out, "took back", version)
	return nil
}

// safetyNet is what stands between a database that holds something and a change
// of its schema: a backup that was read back, and a person who means it.
type safetyNet struct {
	Yes      bool `help:"Do not ask."`
	NoBackup bool `help:"Make no backup first."`
}

// spread returns nil when the schema may be changed. A database without a row
// needs neither backup nor question.
func (n safetyNet) spread(ctx context.Context, store *catalog.Store, dataDir string, term terminal) error {
	holds, err := schema.HasData(ctx, store)
	if err != nil || !holds {
		return err
	}
	if !n.NoBackup {
		path, err := schema.Backup(ctx, store, filepath.Join(dataDir, "backups"), time.Now())
		if err != nil {
			return fmt.Errorf("no backup, so nothing was changed (--no-backup goes on without): %w", err)
		}
		fmt.Fprintln(term.out, "backup", path)
	}
	if n.Yes {
		return nil
	}
	fmt.Fprint(term.err, "The database holds data. Type MIGRATE to change its schema: ")
	answer, _ := bufio.NewReader(term.in).ReadString('\n') // no answer is a no
	if strings.TrimSpace(answer) != "MIGRATE" {
		return errors.New("nothing was changed")
	}
	return nil
}
