package syncer

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// The queues: ingests have one of their own, so that a long download holds up
// nothing else.
const (
	queueIngest = "ingest"
	queueRest   = river.QueueDefault
)

// unfinished are the states in which a second job of the same arguments is not
// wanted.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}

// once makes a job unique among the unfinished ones of its arguments.
func once(queue string) river.InsertOpts {
	return river.InsertOpts{Queue: queue, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished}}
}

// eventArgs looks at a stored webhook.
type eventArgs struct {
	EventID int64 `json:"event_id"`
}

func (eventArgs) Kind() string { return "event" }

// ingestArgs brings a lesson's recording into the archive.
type ingestArgs struct {
	IngestID int64 `json:"ingest_id"`
	// Again makes a job beside one that is just ending: see takeUp.
	Again int64 `json:"again,omitempty"`
}

func (ingestArgs) Kind() string { return "ingest" }
func (ingestArgs) InsertOpts() river.InsertOpts {
	o := once(queueIngest)
	o.MaxAttempts = 10_000
	return o
}

// captionArgs brings a lesson's transcripts beside its recording.
type captionArgs struct {
	IngestID int64 `json:"ingest_id"`
}

func (captionArgs) Kind() string                 { return "captions" }
func (captionArgs) InsertOpts() river.InsertOpts { return once(queueRest) }

// zoomTrashArgs puts Zoom's copy of what is archived into Zoom's trash.
type zoomTrashArgs struct {
	IngestID int64 `json:"ingest_id"`
}

func (zoomTrashArgs) Kind() string                 { return "zoom_trash" }
func (zoomTrashArgs) InsertOpts() river.InsertOpts { return once(queueRest) }

// reconcileArgs compares everything with what Zoom lists.
type reconcileArgs struct{}

func (reconcileArgs) Kind() string                 { return "reconcile" }
func (reconcileArgs) InsertOpts() river.InsertOpts { o := once(queueRest); o.MaxAttempts = 3; return o }

// usageArgs recomputes used storage.
type usageArgs struct{}

func (usageArgs) Kind() string                 { return "usage" }
func (usageArgs) InsertOpts() river.InsertOpts { o := once(queueRest); o.MaxAttempts = 3; return o }

// cleanupArgs removes what has expired.
type cleanupArgs struct{}

func (cleanupArgs) Kind() string                 { return "cleanup" }
func (cleanupArgs) InsertOpts() river.InsertOpts { o := once(queueRest); o.MaxAttempts = 5; return o }

// purgeArgs deletes the bytes of what was removed long enough ago.
type purgeArgs struct{}

func (purgeArgs) Kind() string                 { return "purge" }
func (purgeArgs) InsertOpts() river.InsertOpts { o := once(queueRest); o.MaxAttempts = 5; return o }

// resyncArgs looks for a lesson's recording at Zoom again, because somebody asked.
type resyncArgs struct {
	LessonID    int64 `json:"lesson_id"`
	RecordingID int64 `json:"recording_id"`
}

func (resyncArgs) Kind() string { return "resync" }
func (resyncArgs) InsertOpts() river.InsertOpts {
	o := once(queueRest)
	o.MaxAttempts = 5
	return o
}

// alertArgs tells operators something.
type alertArgs struct {
	Key      string    `json:"key"`
	State    string    `json:"state"`
	Severity string    `json:"severity"`
	Title    string    `json:"title"`
	Text     string    `json:"text"`
	Since    time.Time `json:"since"`
	At       time.Time `json:"at"`
}

func (alertArgs) Kind() string                 { return "alert" }
func (alertArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 12} }

// worker is a job's work with what its kind needs.
type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	work    func(context.Context, *river.Job[T]) error
	timeout time.Duration
	next    func(*river.Job[T]) time.Time
}

func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error { return w.work(ctx, job) }
func (w *worker[T]) Timeout(*river.Job[T]) time.Duration               { return w.timeout }

func (w *worker[T]) NextRetry(job *river.Job[T]) time.Time {
	if w.next == nil {
		return time.Time{} // the client's policy
	}
	return w.next(job)
}

// workers says what is done for each kind.
func (s *Syncer) workers() *river.Workers {
	all := river.NewWorkers()
	river.AddWorker(all, &worker[eventArgs]{work: s.workEvent, timeout: time.Minute, next: passing[eventArgs]})
	// No total limit: a download is watched for silence instead.
	river.AddWorker(all, &worker[ingestArgs]{work: s.workIngest, timeout: -1, next: passing[ingestArgs]})
	river.AddWorker(all, &worker[captionArgs]{work: s.workCaptions, timeout: 10 * time.Minute, next: passing[captionArgs]})
	river.AddWorker(all, &worker[zoomTrashArgs]{work: s.workZoomTrash, timeout: 30 * time.Minute, next: passing[zoomTrashArgs]})
	river.AddWorker(all, &worker[reconcileArgs]{work: s.workReconcile, timeout: reconcileHard, next: s.reconcileRetry})
	river.AddWorker(all, &worker[usageArgs]{work: s.workUsage, timeout: 30 * time.Minute})
	river.AddWorker(all, &worker[cleanupArgs]{work: s.workCleanup, timeout: 30 * time.Minute})
	river.AddWorker(all, &worker[purgeArgs]{work: s.workPurge, timeout: 30 * time.Minute})
	river.AddWorker(all, &worker[resyncArgs]{work: s.workResync, timeout: 5 * time.Minute, next: passing[resyncArgs]})
	river.AddWorker(all, &worker[alertArgs]{work: s.workAlert, timeout: 2 * time.Minute, next: passing[alertArgs]})
	return all
}

// passing is when a job that failed in passing is tried again.
func passing[T river.JobArgs](job *river.Job[T]) time.Time {
	wait := passingDelays[min(max(job.Attempt, 1), len(passingDelays))-1]
	return time.Now().Add(wait)
}

// reconcileRetry doubles from five minutes to half an hour, with jitter, and never
// waits longer than for the next regular run, which a waiting one keeps out.
func (s *Syncer) reconcileRetry(job *river.Job[reconcileArgs]) time.Time {
	wait := min(300*time.Second<<(max(job.Attempt, 1)-1), 1800*time.Second, s.cfg.ReconcileEvery)
	return time.Now().Add(wait - rand.N(wait/10))
}

// periodic are the jobs that the leading syncer enqueues.
func (s *Syncer) periodic() []*river.PeriodicJob {
	cleanup := dailyAt(s.cfg.CleanupAt)
	return []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(s.cfg.ReconcileEvery), func() (river.JobArgs, *river.InsertOpts) { return reconcileArgs{}, nil },
			&river.PeriodicJobOpts{ID: "reconcile", RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(s.cfg.UsageEvery), func() (river.JobArgs, *river.InsertOpts) { return usageArgs{}, nil },
			&river.PeriodicJobOpts{ID: "usage"}),
		river.NewPeriodicJob(cleanup, func() (river.JobArgs, *river.InsertOpts) { return cleanupArgs{}, nil },
			&river.PeriodicJobOpts{ID: "cleanup"}),
	}
}

// dailyAt is a schedule: every day at HH:MM UTC.
type dailyAt string

// Next implements river.PeriodicSchedule.
func (d dailyAt) Next(now time.Time) time.Time {
	next := d.last(now).AddDate(0, 0, 1)
	return next
}

// last is the latest such moment that is not after now.
func (d dailyAt) last(now time.Time) time.Time {
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

// observer counts what comes of each job.
type observer struct {
	river.WorkerMiddlewareDefaults
	metrics *metrics
	atWork  *atWork
}

// Work implements rivertype.WorkerMiddleware.
func (o *observer) Work(ctx context.Context, job *rivertype.JobRow, inner func(context.Context) error) error {
	o.atWork.begin(job.ID)
	defer o.atWork.end(job.ID)
	err := inner(ctx)
	var (
		snoozed  *rivertype.JobSnoozeError
		canceled *rivertype.JobCancelError
		outcome  string
	)
	switch {
	case err == nil:
		outcome = "completed"
	case errors.As(err, &snoozed):
		outcome = "snoozed"
	case errors.As(err, &canceled):
		outcome = "failed"
	case job.Attempt >= job.MaxAttempts:
		outcome = "exhausted"
	default:
		outcome = "retried"
	}
	o.metrics.jobs.WithLabelValues(job.Kind, outcome).Inc()
	return err
}

// enqueue puts a job into the transaction.
func (s *Syncer) enqueue(ctx context.Context, x store.Session, args river.JobArgs, at time.Time) error {
	_, err := s.insert(ctx, x.Tx(), args, at)
	return err
}

func (s *Syncer) insert(ctx context.Context, tx *sql.Tx, args river.JobArgs, at time.Time) (*rivertype.JobInsertResult, error) {
	var opts *river.InsertOpts
	if !at.IsZero() && at.After(s.now()) {
		opts = &river.InsertOpts{ScheduledAt: at}
	}
	return s.client.InsertTx(ctx, tx, args, opts)
}
