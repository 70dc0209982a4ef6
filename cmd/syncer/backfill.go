package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/backfill"
)

type backfillCommand struct {
	From    string     `required:"" placeholder:"DATE" help:"First date, UTC, as 2023-09-01."`
	To      string     `placeholder:"DATE" help:"Last date, UTC (default: today)."`
	Teacher int64      `placeholder:"ID" help:"Only this teacher."`
	Plan    bool       `help:"Tell what would be archived and do nothing."`
	Rate    media.Size `placeholder:"SIZE" help:"Bytes per second that downloads of a backfill take together, in each syncer (default: no bound)."`
	Hours   string     `placeholder:"20-06" help:"Hours of the day in which downloads begin, local time of the machine (default: any)."`
	NoWait  bool       `help:"Leave it to the syncer that serves, and do not stay until everything is archived."`
}

// backfillPoll is how often the command looks how far the backfill is.
const backfillPoll = 500 * time.Millisecond

// Run archives what is still at Zoom, or tells what that is. The last line of standard
// output is a summary as JSON.
func (c *backfillCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	options := backfill.Options{To: time.Now().UTC().Truncate(24 * time.Hour), Teacher: c.Teacher, Rate: int64(c.Rate), Hours: c.Hours}
	if err := parseDates(c.From, c.To, &options.From, &options.To); err != nil {
		return err
	}
	if _, err := backfill.ParseHours(c.Hours); err != nil {
		return &config.Error{Setting: "hours", Source: "flag --hours", Problem: err.Error()}
	}
	if cli.Sync.Observes() && !c.Plan {
		return errors.New("sync-mode is observe, in which nothing is archived: give --plan to see what would be, or set it to active")
	}
	svc, err := open(ctx, cli, t)
	if err != nil {
		return err
	}
	defer svc.close()
	if c.Plan {
		return c.plan(ctx, svc.syncer.Backfiller(), options, t)
	}
	if err := c.warnOfQuotas(ctx, svc.syncer.Backfiller(), options, t); err != nil {
		return err
	}
	if err := svc.syncer.Backfiller().Start(ctx, options); err != nil {
		return err
	}
	status, err := svc.syncer.Backfiller().Status(ctx, c.Teacher)
	if err == nil && !c.NoWait {
		status, err = c.wait(ctx, svc, t)
	}
	if err != nil {
		return err
	}
	for _, f := range status.Failures {
		fmt.Fprintf(t.Err, "teacher %d: %s\n", f.TeacherID, f.Detail)
	}
	if err := printJSON(t, status.Summary); err != nil {
		return err
	}
	if status.TeachersFailed > 0 {
		return config.ErrReported
	}
	return nil
}

// warnOfQuotas tells, before a backfill begins, whose quota has no room for all of it. It is
// silent where the backfill only continues.
func (c *backfillCommand) warnOfQuotas(ctx context.Context, b *backfill.Backfiller, o backfill.Options, t terminal) error {
	begun, err := b.Begun(ctx, o)
	if err != nil || begun {
		return err
	}
	_, _, err = b.Plan(ctx, o, func(one backfill.TeacherPlan) {
		for _, s := range one.QuotaShort {
			fmt.Fprintf(t.Err, "teacher %d: the quota is short of %s: what does not fit waits with quota_exceeded\n", s.Teacher, gibibytes(s.Bytes))
		}
	})
	return err
}

func printJSON(t terminal, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.Out, string(text))
	return err
}

// plan prints a line per teacher, and the sum.
func (c *backfillCommand) plan(ctx context.Context, b *backfill.Backfiller, o backfill.Options, t terminal) error {
	table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TEACHER\tMEETINGS\tRECORDINGS\tSIZE\tHOURS\tDAYS\tWITHOUT LESSON\tQUOTA SHORT OF")
	row := func(name string, p backfill.Plan) {
		short := int64(0)
		for _, s := range p.QuotaShort {
			short += s.Bytes
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%.2f\t%.2f\t%d\t%s\n", name, p.Meetings, p.Recordings, gibibytes(p.Bytes), p.Hours, p.Days, p.WithoutLesson, gibibytes(short))
	}
	total, failed, err := b.Plan(ctx, o, func(one backfill.TeacherPlan) {
		row(fmt.Sprintf("%d %s", one.Teacher.ID, one.Teacher.Email), one.Plan)
		if one.Err != nil {
			fmt.Fprintf(t.Err, "teacher %d: %v\n", one.Teacher.ID, one.Err)
		}
	})
	if err != nil {
		return err
	}
	row("all", total)
	if err := table.Flush(); err != nil {
		return err
	}
	if err := printJSON(t, total); err != nil {
		return err
	}
	if failed > 0 {
		return config.ErrReported
	}
	return nil
}

func gibibytes(n int64) string { return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30)) }

// wait stays until everything is archived or has failed, and works itself while nobody
// else does.
func (c *backfillCommand) wait(ctx context.Context, svc *service, t terminal) (backfill.Status, error) {
	working := false
	var shown backfill.Summary
	for {
		if !working {
			others, err := svc.syncer.OthersAlive(ctx)
			if err != nil {
				return backfill.Status{}, err
			}
			if !others {
				if err := svc.syncer.StartIngests(ctx); err != nil {
					return backfill.Status{}, err
				}
				defer svc.syncer.Stop()
				working = true
			}
		}
		status, err := svc.syncer.Backfiller().Status(ctx, c.Teacher)
		if err != nil {
			return status, err
		}
		if status.Summary != shown {
			shown = status.Summary
			fmt.Fprintf(t.Err, "%d of %d recordings archived, %d failed, %d meetings explained\n", shown.Archived, shown.Recordings, shown.Failed, shown.Explained)
		}
		if status.Ended() {
			return status, c.tellFailed(ctx, svc, t)
		}
		select {
		case <-ctx.Done():
			return status, errors.New("interrupted: a syncer that serves goes on, or the same command")
		case <-time.After(backfillPoll):
		}
	}
}

// maxTold bounds how many failed recordings are named.
const maxTold = 100

func (c *backfillCommand) tellFailed(ctx context.Context, svc *service, t terminal) error {
	failed, err := svc.syncer.Backfiller().FailedIngests(ctx, c.Teacher, maxTold)
	for _, f := range failed {
		fmt.Fprintf(t.Err, "lesson %d failed: %s\n", f.LessonID, f.Reason)
	}
	return err
}
