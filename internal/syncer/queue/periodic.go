package queue

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// periodicJobs are the jobs that the leading syncer enqueues.
func (q *Queue) periodicJobs() []*river.PeriodicJob {
	return []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(q.cfg.ReconcileEvery), func() (river.JobArgs, *river.InsertOpts) { return ReconcileArgs{}, nil },
			&river.PeriodicJobOpts{ID: "reconcile", RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(q.cfg.UsageEvery), func() (river.JobArgs, *river.InsertOpts) { return UsageArgs{}, nil },
			&river.PeriodicJobOpts{ID: "usage"}),
		river.NewPeriodicJob(DailyAt(q.cfg.CleanupAt), func() (river.JobArgs, *river.InsertOpts) { return CleanupArgs{}, nil },
			&river.PeriodicJobOpts{ID: "cleanup"}),
	}
}

// DailyAt is a schedule: every day at HH:MM UTC.
type DailyAt string

// Next implements river.PeriodicSchedule: the first such moment after now.
func (d DailyAt) Next(now time.Time) time.Time { return d.Last(now).AddDate(0, 0, 1) }

// Last is the latest such moment that is not after now.
func (d DailyAt) Last(now time.Time) time.Time {
	at, err := time.Parse("15:04", string(d))
	if err != nil {
		panic("BUG: Config.Check lets " + string(d) + " pass")
	}
	now = now.UTC()
	out := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
	if out.After(now) {
		out = out.AddDate(0, 0, -1)
	}
	return out
}

// endTimeout bounds the transaction that records the end of a run whose own context
// may have ended.
const endTimeout = 15 * time.Second

// RecordRun runs f as a periodic job of a kind and records its start, its end and the
// summary that it returns; within a handler the summary is kept with the job too.
func (q *Queue) RecordRun(ctx context.Context, kind string, f func(context.Context) (summary any, err error)) error {
	var id int64
	err := q.db.Update(ctx, "syncer: begin "+kind, func(x store.Session) (err error) {
		id, err = store.BeginRun(ctx, x, kind, q.now())
		return err
	})
	if err != nil {
		return err
	}
	summary, runErr := f(ctx)
	text, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	outcome := store.RunOK
	if q.cfg.Observe && kind != (ReconcileArgs{}).Kind() {
		outcome = store.RunObserved
	}
	if runErr != nil {
		outcome, text = store.RunFailed, []byte(runErr.Error())
	} else if recordErr := river.RecordOutput(ctx, summary); recordErr != nil {
		q.log.Debug("queue: summary not kept with the job", slog.Any("error", recordErr))
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	err = q.db.Update(ending, "syncer: end "+kind, func(x store.Session) error {
		return store.EndRun(ending, x, id, outcome, string(text), q.now())
	})
	return errors.Join(runErr, err)
}
