package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/move"
)

type moveCommand struct {
	From      string     `placeholder:"ARCHIVE" help:"Only what is in this archive: gdrive, local, s3 or azure (default: any but the target)."`
	To        string     `required:"" placeholder:"ARCHIVE" help:"Where recordings go: gdrive, local, s3 or azure."`
	Teacher   int64      `placeholder:"ID" help:"Only this teacher's recordings."`
	Recording int64      `placeholder:"ID" help:"Only this recording."`
	Rate      media.Size `placeholder:"SIZE" help:"Bytes per second that are read from the archive, all together (default: no bound)."`
	DryRun    bool       `help:"Print what would be moved and do nothing."`
}

// archiveSettings are the settings that configure an archive, by its name.
var archiveSettings = map[string]string{
	media.ProviderDrive: "origin-drive-credentials",
	media.ProviderLocal: "origin-local-root",
	media.ProviderS3:    "origin-s3-url",
	media.ProviderAzure: "origin-azure-url",
}

// Run moves recordings and stays until each is moved, skipped or failed. The last line of
// standard output is the summary as JSON.
func (c *moveCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	if cli.Sync.Observes() && !c.DryRun {
		return errors.New("sync-mode is observe, in which nothing is moved: give --dry-run to see what would be, or set it to active")
	}
	svc, err := open(ctx, cli, t)
	if err != nil {
		return err
	}
	defer svc.close()
	for flag, name := range map[string]string{"from": c.From, "to": c.To} {
		if name != "" && svc.archives[name] == nil {
			return &config.Error{Setting: flag, Source: "flag --" + flag, Problem: fmt.Sprintf("the archive %s is not configured: set %s", name, archiveSettings[name])}
		}
	}
	summary, err := svc.syncer.Move(ctx, move.Options{
		From: c.From, To: c.To, Teacher: c.Teacher, Recording: c.Recording, Rate: int64(c.Rate), DryRun: c.DryRun,
		Progress: func(r move.Result) { c.printProgress(t, r) },
	})
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted: the same command goes on where this one ended")
	}
	if media.KindOf(err) == media.NotFound {
		return err
	}
	if failed := printJSON(t, summary); failed != nil {
		return failed
	}
	if err == nil && summary.Failed > 0 {
		return config.ErrReported
	}
	return err
}

// check refuses what no settings would make right.
func (c *moveCommand) check() error {
	known := []string{media.ProviderDrive, media.ProviderLocal, media.ProviderS3, media.ProviderAzure}
	for _, f := range []struct{ flag, name string }{{"to", c.To}, {"from", c.From}} {
		if f.name != "" && !slices.Contains(known, f.name) {
			return &config.Error{Setting: f.flag, Source: "flag --" + f.flag, Problem: fmt.Sprintf("%q is not one of %s", f.name, strings.Join(known, ", "))}
		}
	}
	if c.From == c.To {
		return &config.Error{Setting: "from", Source: "flag --from", Problem: "is the same archive as --to"}
	}
	return nil
}

// printProgress prints a line for each recording: in a dry run what would be moved, on
// standard output.
func (c *moveCommand) printProgress(t terminal, r move.Result) {
	out, what := t.Err, string(r.Outcome)
	if c.DryRun {
		out = t.Out
		if r.Outcome == move.Moved {
			what = "would be moved"
		}
	}
	detail := r.Reason
	if r.Outcome == move.Moved {
		detail = fmt.Sprintf("%s to %s, %d file(s), %s", r.From, c.To, r.Files, media.Size(r.Bytes))
	}
	fmt.Fprintf(out, "recording %d %s: %s (%d of %d)\n", r.Recording, what, detail, r.Done, r.Total)
}
