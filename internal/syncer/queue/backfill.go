package queue

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// LimitBackfill is called before each job of a backfill. It returns the context that the
// job runs with, or how long the job has to wait until it is called again.
type LimitBackfill func(ctx context.Context) (limited context.Context, wait time.Duration, err error)

// LimitBackfills sets what limits the jobs of backfills. It is called before Start.
func (q *Queue) LimitBackfills(limit LimitBackfill) { q.limit = limit }

func (q *Queue) limitBackfill(ctx context.Context) (context.Context, time.Duration, error) {
	ctx = ForBackfill(ctx)
	if q.limit == nil {
		return ctx, 0, nil
	}
	return q.limit(ctx)
}

// DueBackfillJobs counts the jobs of backfills that run or could.
func (q *Queue) DueBackfillJobs(ctx context.Context, x store.Session) (int, error) {
	return store.CountDueJobs(ctx, x, backfillQueue)
}

// backfillKey is the key of ForBackfill's mark.
type backfillKey struct{}

// ForBackfill marks what is done with a context as part of a backfill: ingests,
// captions and companions that are enqueued with it run in a queue of their own. A job of that queue
// has such a context.
func ForBackfill(ctx context.Context) context.Context {
	return context.WithValue(ctx, backfillKey{}, true)
}

// InBackfill reports whether a context is one of ForBackfill's.
func InBackfill(ctx context.Context) bool { return ctx.Value(backfillKey{}) != nil }

// queueFor is the queue in which a job is inserted, "" for the usual one of its kind.
func queueFor(ctx context.Context, args Args) string {
	switch args.(type) {
	case IngestArgs, CaptionsArgs, CompanionsArgs:
		if InBackfill(ctx) {
			return backfillQueue
		}
	}
	return ""
}
