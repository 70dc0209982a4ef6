package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/printable"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
)

type catalogCommand struct {
	Apply  catalogApply  `cmd:"" help:"Upsert people, groups, lessons and recordings from a YAML file; prints what changed."`
	Export catalogExport `cmd:"" help:"Print the catalog as YAML that apply takes."`
}

type catalogApply struct {
	File   string `arg:"" help:"YAML file, or - for standard input."`
	DryRun bool   `help:"Print what would change and change nothing."`
}

type catalogExport struct {
	User int64 `placeholder:"ID" help:"Print, as JSON, what is stored of how this user watched, instead of the catalog."`
}

// Run applies the file in one transaction: all of it or nothing. Then it counts what the
// teachers have stored, which no syncer may be there to do.
func (c *catalogApply) Run(ctx context.Context, cli *CLI, term terminal) error {
	doc := term.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		doc = f
	}
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := schema.EnsureFresh(ctx, store); err != nil {
		return err
	}
	if err := schema.Ready(ctx, store); err != nil {
		return err
	}
	changes, err := document.Apply(ctx, store, doc, c.DryRun)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	for _, change := range changes {
		fmt.Fprintln(term.Out, change)
	}
	if c.DryRun {
		return nil
	}
	return store.Update(ctx, "gateway: count the storage", func(x catalog.Session) error {
		return syncstore.FillUsage(ctx, x, time.Now())
	})
}

// Run prints the catalog, or what is stored of one user.
func (c *catalogExport) Run(ctx context.Context, cli *CLI, term terminal) error {
	store, err := openStore(ctx, cli, term)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := schema.Ready(ctx, store); err != nil {
		return err
	}
	if c.User != 0 {
		watched, err := library.WatchedBy(ctx, store, c.User)
		if err != nil {
			return err
		}
		return json.NewEncoder(printable.Unwrap(term.Out)).Encode(map[string]any{"user": c.User, "watched": watched})
	}
	return document.Export(ctx, store, printable.Unwrap(term.Out)) // as apply reads it
}
