package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/schema"
)

type backupCommand struct {
	Out string `placeholder:"FILE" help:"File to write, which must not exist (default: a new one in <data-dir>/backups, where the last five stay)."`
}

// Run writes a backup and prints its path.
func (c *backupCommand) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	status, err := schema.StatusOf(ctx, store)
	if err != nil {
		return err
	}
	if status.Layout == schema.LayoutNone {
		return errors.New("the database has no schema of Lectern's yet, so there is nothing to back up: does database-url, or else data-dir, name the right one?")
	}
	var path string
	if c.Out == "" {
		path, err = schema.Backup(ctx, store, backupDir(cli), time.Now())
	} else if path, err = filepath.Abs(c.Out); err == nil {
		err = schema.BackupTo(ctx, store, path)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(term.Out, path)
	return nil
}

// backupDir is where backups are written that are given no name.
func backupDir(cli *CLI) string { return filepath.Join(cli.DataDir, "backups") }

type restoreCommand struct {
	File     string `arg:"" help:"File that backup, or a migration, has written."`
	Yes      bool   `help:"Do not ask for confirmation."`
	NoBackup bool   `help:"Keep no copy of what is replaced."`
}

// Run replaces Lectern's data by a backup.
func (c *restoreCommand) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	alive, err := schema.Alive(ctx, store, time.Now())
	if err != nil {
		return err
	}
	if len(alive) > 0 {
		return schema.AliveError(alive)
	}
	backup, err := schema.VerifyBackup(ctx, store, c.File)
	if err != nil {
		return err
	}
	what := "the database"
	if backup.Layout == schema.LayoutPlatform {
		what = "the schema lectern"
	}
	if !c.Yes && !term.Confirm(fmt.Sprintf("%s is good (version %d). Type RESTORE to replace %s by it: ", backup.Path, backup.Version, what), "RESTORE") {
		return schema.ErrNotConfirmed
	}
	backups := backupDir(cli)
	if c.NoBackup {
		backups = ""
	}
	done, err := schema.Restore(ctx, store, backup, backups, time.Now)
	if done.Replaced != "" {
		fmt.Fprintln(term.Out, "backup", done.Replaced)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(term.Out, "restored", backup.Path)
	if done.Orphans > 0 {
		fmt.Fprintf(term.Out, "%d rows referred to what the platform has removed since, and were changed or left out\n", done.Orphans)
	}
	if len(done.Pending) > 0 {
		fmt.Fprintf(term.Out, "the backup is of an older version and lacks %s: run `gateway migrate up`\n", done.Pending[0])
	}
	return nil
}
