package main

import (
	"context"
	"fmt"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type migrateCommand struct {
	Status migrateStatus `cmd:"" help:"List the schema's versions, applied and pending."`
	Up     migrateUp     `cmd:"" help:"Create or bring up to date what Lectern needs; beside the platform's tables it touches none of them."`
	Down   migrateDown   `cmd:"" help:"Take the last version back."`
}

type (
	migrateStatus struct{}
	migrateUp     struct{}
	migrateDown   struct{}
)

// openStore opens the catalog for a command that runs once.
func openStore(ctx context.Context, cli *CLI, term terminal) (*catalog.Store, error) {
	return catalog.Open(ctx, cli.DatabaseURL, telemetry.NewLogger(cli.Log, term.err))
}

func (*migrateStatus) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	status, err := store.MigrationStatus(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(term.out, status)
	return err
}

func (*migrateUp) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	applied, err := store.MigrateUp(ctx)
	if err != nil {
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

func (*migrateDown) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	version, err := store.MigrateDown(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(term.out, "took back", version)
	return nil
}
