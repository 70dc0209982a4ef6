package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/printable"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/telemetry"
)

// open assembles the syncer for a command that runs once. Its log has errors only.
func open(ctx context.Context, cli *CLI, t terminal) (*service, error) {
	if err := cli.ValidateServe(); err != nil {
		return nil, err
	}
	if cli.Log.Level == "info" {
		cli.Log.Level = "error"
	}
	return assemble(ctx, &cli.SyncerSettings, telemetry.NewLogger(cli.Log, t.Err))
}

type reconcileCommand struct {
	Teacher int64  `placeholder:"ID" help:"Compare this teacher only."`
	From    string `placeholder:"DATE" help:"First date to look at, UTC, as 2026-11-20 (default: what is due)."`
	To      string `placeholder:"DATE" help:"Last date to look at, UTC (default: today)."`
	DryRun  bool   `help:"Print what would be done and do nothing."`
	NoWait  bool   `help:"Do not wait until what is missing is archived."`

	observes bool // prints what would be done, as DryRun does
}

// Run reconciles once. The last line of standard output is the summary as JSON.
func (c *reconcileCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	scope := reconcile.Scope{Teacher: c.Teacher, DryRun: c.DryRun, Now: true}
	if err := parseDates(c.From, c.To, &scope.From, &scope.To); err != nil {
		return err
	}
	svc, err := open(ctx, cli, t)
	if err != nil {
		return err
	}
	defer svc.close()
	if cli.Sync.Observes() {
		c.NoWait, c.observes = true, true
		fmt.Fprintln(t.Err, "sync-mode is observe: what is missing is noted, and archived only when it is active")
	}
	scope.Progress = func(p reconcile.Progress) { c.printProgress(t, p) }
	report, err := svc.syncer.Reconcile(ctx, scope)
	if err != nil {
		return err
	}
	if report.Left > 0 {
		fmt.Fprintf(t.Err, "%d teacher(s) are left for the next run: the time limit was reached\n", report.Left)
	}
	var waited error
	if !c.NoWait && !c.DryRun {
		waited = c.wait(ctx, svc, t, report)
	}
	summary, err := json.Marshal(report.Summary)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.Out, string(summary))
	switch {
	case waited != nil:
		return waited
	case report.Failed > 0:
		return config.ErrReported
	default:
		return nil
	}
}

// parseDates reads --from and --to where they are given.
func parseDates(fromText, toText string, from, to *time.Time) error {
	for _, d := range []struct {
		name, text string
		to         *time.Time
	}{{"from", fromText, from}, {"to", toText, to}} {
		if d.text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, d.text)
		if err != nil {
			return &config.Error{Setting: d.name, Source: "flag --" + d.name, Problem: fmt.Sprintf("%q is not a date: give YYYY-MM-DD", d.text)}
		}
		*d.to = day
	}
	if !from.IsZero() && !to.IsZero() && to.Before(*from) {
		return &config.Error{Setting: "to", Source: "flag --to", Problem: "is before --from"}
	}
	return nil
}

// printProgress prints a teacher's result: in a dry run the actions on standard output,
// otherwise the number of teachers on a terminal.
func (c *reconcileCommand) printProgress(t terminal, p reconcile.Progress) {
	if p.Err != nil {
		fmt.Fprintf(t.Err, "teacher %d: %v\n", p.Teacher.ID, p.Err)
	}
	if c.DryRun || c.observes {
		for _, a := range p.Actions {
			switch {
			case a.What == reconcile.ActionArchive && a.Lesson == 0:
				fmt.Fprintf(t.Out, "teacher %d: would archive meeting %s by itself: %s\n", p.Teacher.ID, a.Meeting, a.Why)
			case a.What == reconcile.ActionArchive:
				fmt.Fprintf(t.Out, "teacher %d: would archive lesson %d from meeting %s: %s\n", p.Teacher.ID, a.Lesson, a.Meeting, a.Why)
			default:
				fmt.Fprintf(t.Out, "teacher %d: meeting %s waits: %s\n", p.Teacher.ID, a.Meeting, a.Why)
			}
		}
		return
	}
	if f, ok := printable.Terminal(t.Err); ok {
		fmt.Fprintf(f, "\r%d of %d teachers", p.Done, p.Total)
		if p.Done == p.Total {
			fmt.Fprintln(f)
		}
	}
}

// wait returns once every requested ingest is archived or has failed. It runs the jobs
// in this process when no other syncer is alive.
func (c *reconcileCommand) wait(ctx context.Context, svc *service, t terminal, report reconcile.Report) error {
	if len(report.Lessons)+len(report.Meetings) == 0 {
		return nil
	}
	others, err := svc.syncer.OthersAlive(ctx)
	if err != nil {
		return err
	}
	if !others {
		if err := svc.syncer.StartIngests(ctx); err != nil {
			return err
		}
		defer svc.syncer.Stop()
	}
	lessons := slices.Compact(slices.Sorted(slices.Values(report.Lessons)))
	all := len(lessons) + len(report.Meetings)
	shown := -1
	for {
		open, failed, err := svc.syncer.Unfinished(ctx, lessons, report.Meetings)
		if err != nil {
			return err
		}
		if left := len(open); left != shown {
			fmt.Fprintf(t.Err, "%d of %d recordings archived\n", all-left-len(failed), all)
			shown = left
		}
		if len(open) == 0 {
			for _, f := range failed {
				fmt.Fprintf(t.Err, "%s failed: %s\n", f.Subject(), f.Reason)
			}
			if len(failed) > 0 {
				return fmt.Errorf("%d of %d recordings could not be archived", len(failed), all)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted: what is queued stays queued")
		case <-time.After(300 * time.Millisecond):
		}
	}
}

type runCommand struct {
	Job string `arg:"" enum:"usage,cleanup,purge" help:"usage, cleanup or purge."`
}

// Run runs the job in this process, also while other syncers serve.
func (c *runCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	svc, err := open(ctx, cli, t)
	if err != nil {
		return err
	}
	defer svc.close()
	summary, failed, err := svc.syncer.RunPeriodic(ctx, c.Job)
	if err != nil {
		return err
	}
	text, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.Out, string(text))
	if failed > 0 {
		return fmt.Errorf("%d failed, see the log", failed)
	}
	return nil
}

type jobsCommand struct {
	State string `placeholder:"STATE" help:"Only jobs in this state: available, running, retryable, scheduled, completed, cancelled (or failed), discarded."`
}

// Run lists the queue.
func (c *jobsCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	return withSyncer(ctx, cli, t, func(s *syncer.Syncer) error { return s.Jobs(ctx, c.State, t.Out) })
}

type retryCommand struct {
	Job int64 `arg:"" help:"Id of the job, as jobs lists it."`
}

// Run makes the job available.
func (c *retryCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	return withSyncer(ctx, cli, t, func(s *syncer.Syncer) error { return s.Retry(ctx, c.Job) })
}

type explainCommand struct {
	Subject string `arg:"" name:"recording|meeting-uuid" help:"A recording's id, or a meeting's uuid."`
}

// Run prints the history.
func (c *explainCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	return withSyncer(ctx, cli, t, func(s *syncer.Syncer) error { return s.Explain(ctx, c.Subject, t.Out) })
}

type assignCommand struct {
	Meeting string `arg:"" help:"The meeting's uuid, or its number when only one meeting of that number belongs to no lesson."`
	Lesson  int64  `arg:"" help:"Id of the lesson, of the same teacher."`
}

// Run files the meeting and says what became of its recording.
func (c *assignCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	return withSyncer(ctx, cli, t, func(s *syncer.Syncer) error {
		a, err := s.Assign(ctx, c.Meeting, c.Lesson)
		if err != nil {
			return err
		}
		what := "it is archived with the lesson's recording, by a serving syncer"
		if a.Moved != 0 {
			what = fmt.Sprintf("recording %d is the lesson's now", a.Moved)
		}
		_, err = fmt.Fprintf(t.Out, "meeting %s belongs to lesson %d: %s\n", a.Meeting.UUID, a.Lesson.ID, what)
		return err
	})
}

type replayCommand struct {
	File string `arg:"" help:"File with a webhook's body, or - for standard input."`
}

// Run stores the event as if Zoom had sent it.
func (c *replayCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	in := t.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, 2<<20))
	if err != nil {
		return err
	}
	return withSyncer(ctx, cli, t, func(s *syncer.Syncer) error {
		status, err := s.Replay(ctx, body)
		if err != nil {
			return err
		}
		return json.NewEncoder(t.Out).Encode(map[string]string{"status": status})
	})
}

type tenantCommand struct {
	Put  tenantPut  `cmd:"" help:"Give a teacher a webhook path, or change its secrets; the secret is read from standard input. Prints the path."`
	List tenantList `cmd:"" help:"List the paths."`
	Drop tenantDrop `cmd:"" help:"End a path."`
}

type tenantPut struct {
	Teacher int64  `required:"" placeholder:"ID" help:"The teacher's user id."`
	Account string `placeholder:"ID" help:"Zoom account id the webhooks must name (default: the teacher's own, when it is set)."`
}

// Run reads the secret and stores it sealed.
func (c *tenantPut) Run(ctx context.Context, cli *CLI, t terminal) error {
	secret, err := io.ReadAll(io.LimitReader(t.In, 4096))
	if err != nil {
		return err
	}
	return withSyncer(ctx, cli, t, func(s *syncer.Syncer) error {
		id, err := s.PutTenant(ctx, c.Teacher, c.Account, string(secret))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.Out, "/schedule/api/zoom/webhook/%s/\n", id)
		return err
	})
}

type tenantList struct{}

// Run lists ids and teachers, never secrets.
func (*tenantList) Run(ctx context.Context, cli *CLI, t terminal) error {
	return withSyncer(ctx, cli, t, func(s *syncer.Syncer) error {
		all, err := s.Tenants(ctx)
		for _, one := range all {
			fmt.Fprintf(t.Out, "%s\tteacher %d\taccount %s\n", one.ID, one.TeacherID, one.AccountID)
		}
		return err
	})
}

type tenantDrop struct {
	ID string `arg:"" help:"The path's id."`
}

// Run ends the path.
func (c *tenantDrop) Run(ctx context.Context, cli *CLI, t terminal) error {
	return withSyncer(ctx, cli, t, func(s *syncer.Syncer) error { return s.DropTenant(ctx, c.ID) })
}

// withSyncer runs f with an assembled syncer that is not started.
func withSyncer(ctx context.Context, cli *CLI, t terminal, f func(*syncer.Syncer) error) error {
	svc, err := open(ctx, cli, t)
	if err != nil {
		return err
	}
	defer svc.close()
	return f(svc.syncer)
}
