package queue

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Job is one attempt of a job.
type Job[T river.JobArgs] struct {
	Args T
	row  *river.Job[T]
}

// LastAttempt reports whether a failure of this attempt ends the job.
func (j *Job[T]) LastAttempt() bool { return j.row.Attempt >= j.row.MaxAttempts }

// Complete ends the job well within a transaction of its handler, which returns nil
// after the commit.
func (j *Job[T]) Complete(ctx context.Context, x store.Session) error {
	_, err := river.JobCompleteTx[riverdriver.Driver[*sql.Tx]](ctx, x.Tx(), j.row)
	return err
}

// Snooze is the error with which a handler asks to be run again after a while; the
// attempt does not count.
func Snooze(d time.Duration) error { return river.JobSnooze(d) }

// Cancel is the error with which a handler ends its job for good.
func Cancel(err error) error { return river.JobCancel(err) }

// HandlerOptions say how the jobs of a kind are run.
type HandlerOptions struct {
	// Timeout ends an attempt; negative = never. A handler without one watches its own
	// progress.
	Timeout time.Duration
	// RetryDelay is the wait after failed attempt number n, from 1; nil = the library's.
	RetryDelay func(n int) time.Duration
	// AtOnce bounds how many of the kind work at a time in this process, below what its
	// queue allows; 0 = no bound of its own.
	AtOnce int
}

// Handle says what is done for the jobs of a kind. work returns nil for done, Snooze,
// Cancel, or an error after which the job is attempted again.
func Handle[T river.JobArgs](q *Queue, o HandlerOptions, work func(context.Context, *Job[T]) error) {
	river.AddWorker(q.workers, newWorker(q, o, work))
}

func newWorker[T river.JobArgs](q *Queue, o HandlerOptions, work func(context.Context, *Job[T]) error) *worker[T] {
	w := &worker[T]{queue: q, options: o, work: work}
	if o.AtOnce > 0 {
		w.slots = make(chan struct{}, o.AtOnce)
	}
	return w
}

// RetryDelay is the wait after failed attempt number n, from 1.
func (q *Queue) RetryDelay(n int) time.Duration {
	return q.cfg.RetryDelays[min(max(n, 1), len(q.cfg.RetryDelays))-1]
}

// ReconcileRetryDelay doubles from five minutes to half an hour, with jitter, and
// never waits longer than for the next regular run, which a waiting job prevents.
func (q *Queue) ReconcileRetryDelay(n int) time.Duration {
	wait := min(300*time.Second<<(max(n, 1)-1), 1800*time.Second, q.cfg.ReconcileEvery)
	return wait - rand.N(wait/10)
}

// worker implements river.Worker.
type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	queue   *Queue
	options HandlerOptions
	work    func(context.Context, *Job[T]) error
	slots   chan struct{} // taken by those that work; nil = no bound
}

func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error {
	if job.Queue == backfillQueue {
		limited, wait, err := w.queue.limitBackfill(ctx)
		if err != nil {
			return err
		}
		if wait > 0 {
			return Snooze(wait)
		}
		ctx = limited
	}
	if w.slots != nil {
		select {
		case w.slots <- struct{}{}:
			defer func() { <-w.slots }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return w.work(ctx, &Job[T]{Args: job.Args, row: job})
}

func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return w.options.Timeout }

func (w *worker[T]) NextRetry(job *river.Job[T]) time.Time {
	if w.options.RetryDelay == nil {
		return time.Time{} // the client's policy
	}
	return time.Now().Add(w.options.RetryDelay(job.Attempt))
}
