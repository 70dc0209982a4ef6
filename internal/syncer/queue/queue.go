package queue

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"riverqueue.com/riverui"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
)

// Config of a Queue.
type Config struct {
	// ID names this process in the queue; it must be unique among all syncers.
	ID string
	// IngestWorkers is how many ingests run at once, at least 1. Half as many run for
	// backfills beside them, at least 1.
	IngestWorkers int
	// ReconcileEvery and UsageEvery are the periods of these jobs.
	ReconcileEvery, UsageEvery time.Duration
	// CleanupAt is when the daily clean-up is due, HH:MM in UTC.
	CleanupAt string
	// Observe: runs of periodic jobs, but for reconciliation, only say what they would do.
	Observe bool
	// RetryDelays are the waits after failed attempts; the last one repeats. None means
	// DefaultRetryDelays.
	RetryDelays []time.Duration
	// BusyPoll is how often a queue is asked while there is work; 0 means DefaultBusyPoll.
	BusyPoll time.Duration
	// IdlePoll is how often a queue without work is asked for jobs that others have
	// inserted; 0 means DefaultIdlePoll.
	IdlePoll time.Duration
	// Tracer traces the jobs; nil = none.
	Tracer *trace.Tracer
}

// DefaultRetryDelays are the waits after failed attempts; the last one repeats.
var DefaultRetryDelays = []time.Duration{5 * time.Second, 15 * time.Second, 45 * time.Second, 2 * time.Minute, 5 * time.Minute, 30 * time.Minute}

// startRetry is how long the start of the queue, or of its page, waits after a
// failure: the database may be away.
const startRetry = 2 * time.Second

// startPatience is how long Stop waits for a start that is under way before it ends it.
const startPatience = 5 * time.Second

// Queue is the job queue of one syncer.
type Queue struct {
	cfg     Config
	db      *catalog.Store
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	workers *river.Workers
	running *runningJobs
	pace    *pace
	limit   LimitBackfill          // nil = backfills have no limits
	client  *river.Client[*sql.Tx] // set by Open
	page    *riverui.Handler       // nil unless Page was called

	stop         context.CancelFunc // ends the jobs, the starts and the page
	stopStarting context.CancelFunc // ends the tries to start the client
	startEnded   chan struct{}      // closed after the last of them
	background   sync.WaitGroup
}

// New prepares a queue without handlers.
func New(cfg Config, db *catalog.Store, log *slog.Logger, reg prometheus.Registerer, now func() time.Time) *Queue {
	if len(cfg.RetryDelays) == 0 {
		cfg.RetryDelays = DefaultRetryDelays
	}
	cfg.BusyPoll, cfg.IdlePoll = cmp.Or(cfg.BusyPoll, DefaultBusyPoll), cmp.Or(cfg.IdlePoll, DefaultIdlePoll)
	return &Queue{cfg: cfg, db: db, log: log, now: now, metrics: newMetrics(reg), workers: river.NewWorkers(), running: newRunningJobs(), pace: newPace(cfg.IdlePoll)}
}

// Open connects the queue to its tables. All handlers have been added before.
func (q *Queue) Open() error {
	client, err := river.NewClient(newPacedDriver(q.db, q.pace), &river.Config{
		ID:     q.cfg.ID,
		Schema: schema.JobSchema(q.db),
		// The library logs each job; the handlers log what matters of them.
		Logger: slog.New(minLevel{slog.LevelWarn, q.log.With(slog.String("component", "jobs")).WithGroup("job").Handler()}),
		// Behind a transaction-mode pooler there is no LISTEN: polling works everywhere.
		PollOnly:          true,
		FetchPollInterval: min(q.cfg.BusyPoll, q.cfg.IdlePoll),
		Queues: map[string]river.QueueConfig{
			defaultQueue:   {MaxWorkers: 8},
			ingestQueue:    {MaxWorkers: q.cfg.IngestWorkers},
			backfillQueue:  {MaxWorkers: max(1, q.cfg.IngestWorkers/2)},
			companionQueue: {MaxWorkers: max(1, q.cfg.IngestWorkers/2)},
			deriveQueue:    {MaxWorkers: 1},
		},
		Workers:      q.workers,
		PeriodicJobs: q.periodicJobs(),
		Middleware:   []rivertype.Middleware{&jobObserver{metrics: q.metrics, running: q.running, pace: q.pace, tracer: q.cfg.Tracer}},
		JobTimeout:   time.Minute,
		// A long ingest is not a stuck one; the supervisor finds dead workers by their
		// heartbeat.
		RescueStuckJobsAfter:        7 * 24 * time.Hour,
		CompletedJobRetentionPeriod: 3 * 24 * time.Hour,
		CancelledJobRetentionPeriod: 90 * 24 * time.Hour,
		DiscardedJobRetentionPeriod: 90 * 24 * time.Hour,
	})
	if err != nil {
		return fmt.Errorf("job queue: %w", err)
	}
	q.client = client
	return nil
}

// DisablePeriodic makes a queue that enqueues no periodic jobs. It is called between
// Open and Start.
func (q *Queue) DisablePeriodic() { q.client.PeriodicJobs().Clear() }

// Start begins to work jobs, as soon as the database is there. It returns at once.
func (q *Queue) Start(ctx context.Context) {
	ctx, q.stop = context.WithCancel(context.WithoutCancel(ctx))
	starting, stopStarting := context.WithCancel(ctx)
	q.stopStarting, q.startEnded = stopStarting, make(chan struct{})
	q.background.Go(func() { defer close(q.startEnded); q.startClient(ctx, starting) })
	q.background.Go(func() { q.startPage(ctx) })
}

// startClient starts the client, again and again while the database is away, until
// starting ends. Jobs work under ctx.
func (q *Queue) startClient(ctx, starting context.Context) {
	for starting.Err() == nil {
		err := q.client.Start(ctx)
		if err == nil {
			return
		}
		q.log.Warn("queue: not started yet", slog.Any("error", err))
		select {
		case <-starting.Done():
		case <-time.After(startRetry):
		}
	}
}

// Stop cancels the context of every running job at once and waits for the jobs until
// ctx ends. An error says that jobs are still running then; they keep their rows.
func (q *Queue) Stop(ctx context.Context) error {
	defer q.stop()
	// A client that is being started cannot be stopped: its start is awaited, or ended.
	q.stopStarting()
	select {
	case <-q.startEnded:
	case <-time.After(startPatience):
		q.stop()
	case <-ctx.Done():
		q.stop()
	}
	select {
	case <-q.startEnded:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := q.client.StopAndCancel(ctx); err != nil && (ctx.Err() != nil || !errors.Is(err, context.Canceled)) {
		return err
	}
	q.stop()
	q.background.Wait()
	return nil
}

// Hurry makes the next polls reach the database: jobs were given back to the queue.
func (q *Queue) Hurry() { q.pace.busy() }

// Enqueue inserts a job within a transaction, to be run at once, or at a later
// moment when at is not zero. A job that is unfinished with the same arguments makes
// it do nothing.
func (q *Queue) Enqueue(ctx context.Context, x store.Session, args river.JobArgs, at time.Time) error {
	_, err := q.insert(ctx, x, args, at)
	return err
}

// EnqueueNow is Enqueue for a job that is to run now even where one of the same arguments
// waits for a later moment: that one is run now instead.
func (q *Queue) EnqueueNow(ctx context.Context, x store.Session, args river.JobArgs) error {
	result, err := q.insert(ctx, x, args, time.Time{})
	if err != nil || !result.UniqueSkippedAsDuplicate || result.Job.State == rivertype.JobStateRunning {
		return err
	}
	if _, err := q.client.JobRetryTx(ctx, x.Tx(), result.Job.ID); err != nil {
		return media.Fault(media.Unavailable, "syncer: run a job now", err)
	}
	return nil
}

// StoredEvent is a webhook's event whose job is to be enqueued.
type StoredEvent struct {
	ID int64
	// Traceparent is of its webhook, "" when that is not traced.
	Traceparent string
}

// EnqueueEvents inserts the jobs of events within a transaction, in their order and with
// one statement for all of them.
func (q *Queue) EnqueueEvents(ctx context.Context, x store.Session, events []StoredEvent) error {
	if len(events) == 0 {
		return nil
	}
	q.pace.busy()
	jobs := make([]river.InsertManyParams, len(events))
	for i, e := range events {
		metadata := traceMetadata(FromWebhook(media.WithTraceparent(ctx, e.Traceparent)))
		jobs[i] = river.InsertManyParams{Args: EventArgs{EventID: e.ID}, InsertOpts: &river.InsertOpts{Metadata: metadata}}
	}
	_, err := q.client.InsertManyFastTx(ctx, x.Tx(), jobs)
	return err
}

func (q *Queue) insert(ctx context.Context, x store.Session, args river.JobArgs, at time.Time) (*rivertype.JobInsertResult, error) {
	q.pace.busy()
	opts := &river.InsertOpts{Queue: queueFor(ctx, args), Metadata: traceMetadata(ctx)}
	if !at.IsZero() && at.After(q.now()) {
		opts.ScheduledAt = at
	}
	return q.client.InsertTx(ctx, x.Tx(), args, opts)
}

// EnqueueIngest inserts an ingest's job, due at a moment, and sees to it that what
// was requested just now is not overlooked: a job that waits for its next attempt
// after a fault is run now, since what has changed may be the cure; so is one that waits for
// a later moment, as for a part that is missing; and beside a job
// that is running although nobody holds the ingest's lease, a second one is inserted.
// That run has written down its result, and the queue is about to learn of it (or it
// has not begun, and one look more does no harm). requests is the ingest's present
// count of them.
func (q *Queue) EnqueueIngest(ctx context.Context, x store.Session, ingest, requests int64, leased bool, at time.Time) error {
	result, err := q.insert(ctx, x, IngestArgs{IngestID: ingest}, at)
	if err != nil {
		return err
	}
	if result.UniqueSkippedAsDuplicate && result.Job.Queue == backfillQueue && !InBackfill(ctx) {
		// It is not of the past alone any more: it no longer waits behind what is new.
		if err := store.MoveJob(ctx, x, result.Job.ID, ingestQueue); err != nil {
			return err
		}
	}
	switch {
	case !result.UniqueSkippedAsDuplicate:
	case result.Job.State == rivertype.JobStateRetryable, result.Job.State == rivertype.JobStateScheduled && at.Before(result.Job.ScheduledAt):
		if _, err := q.client.JobRetryTx(ctx, x.Tx(), result.Job.ID); err != nil {
			return media.Fault(media.Unavailable, "syncer: run an ingest now", err)
		}
	case result.Job.State == rivertype.JobStateRunning && !leased:
		if soon := q.now().Add(time.Second); at.Before(soon) {
			at = soon
		}
		return q.Enqueue(ctx, x, IngestArgs{IngestID: ingest, Again: requests}, at)
	}
	return nil
}

// EnqueueCaptions inserts the job that stores an ingest's captions. Beside one that is
// running, and may have read the database before this transaction, a second one is
// inserted to follow it; one that waits after a fault is run now.
func (q *Queue) EnqueueCaptions(ctx context.Context, x store.Session, ingest int64) error {
	return q.enqueueFollower(ctx, x, CaptionsArgs{IngestID: ingest}, func(again int64) Args { return CaptionsArgs{IngestID: ingest, Again: again} })
}

// EnqueueCompanions is EnqueueCaptions for the job that archives an ingest's companions.
func (q *Queue) EnqueueCompanions(ctx context.Context, x store.Session, ingest int64) error {
	return q.enqueueFollower(ctx, x, CompanionsArgs{IngestID: ingest}, func(again int64) Args { return CompanionsArgs{IngestID: ingest, Again: again} })
}

// EnqueueDerive is EnqueueCaptions for the job that makes files of a recording.
func (q *Queue) EnqueueDerive(ctx context.Context, x store.Session, recording int64) error {
	return q.enqueueFollower(ctx, x, DeriveArgs{RecordingID: recording}, func(again int64) Args { return DeriveArgs{RecordingID: recording, Again: again} })
}

// idlePriority is the priority of what others of its queue need not wait for, the library's
// lowest.
const idlePriority = 4

// EnqueueIdle is Enqueue for a job that is run after all others of its queue.
func (q *Queue) EnqueueIdle(ctx context.Context, x store.Session, args river.JobArgs) error {
	_, err := q.client.InsertTx(ctx, x.Tx(), args, &river.InsertOpts{Priority: idlePriority})
	return err
}

// EnqueueTrash is EnqueueCaptions for the job that trashes Zoom's copy of what an ingest has
// archived, to be run at a moment. One that waits is run now where that moment has come, and
// else as it is: it waits by itself where it is too early.
func (q *Queue) EnqueueTrash(ctx context.Context, x store.Session, ingest int64, at time.Time) error {
	return q.enqueueFollowerAt(ctx, x, ZoomTrashArgs{IngestID: ingest}, at, func(again int64) Args { return ZoomTrashArgs{IngestID: ingest, Again: again} })
}

func (q *Queue) enqueueFollower(ctx context.Context, x store.Session, args Args, second func(again int64) Args) error {
	return q.enqueueFollowerAt(ctx, x, args, time.Time{}, second)
}

func (q *Queue) enqueueFollowerAt(ctx context.Context, x store.Session, args Args, at time.Time, second func(again int64) Args) error {
	result, err := q.insert(ctx, x, args, at)
	switch {
	case err != nil || !result.UniqueSkippedAsDuplicate:
		return err
	case result.Job.State == rivertype.JobStateRunning:
		if soon := q.now().Add(time.Second); at.Before(soon) {
			at = soon
		}
		return q.Enqueue(ctx, x, second(at.Unix()), at)
	case at.After(q.now()):
	case result.Job.State == rivertype.JobStateRetryable, result.Job.State == rivertype.JobStateScheduled:
		if _, err := q.client.JobRetryTx(ctx, x.Tx(), result.Job.ID); err != nil {
			return media.Fault(media.Unavailable, "syncer: run a job of "+args.Kind()+" now", err)
		}
	}
	return nil
}

// minLevel drops records below a level.
type minLevel struct {
	level slog.Level
	slog.Handler
}

// Enabled implements slog.Handler.
func (h minLevel) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h minLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return minLevel{h.level, h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h minLevel) WithGroup(name string) slog.Handler {
	return minLevel{h.level, h.Handler.WithGroup(name)}
}
