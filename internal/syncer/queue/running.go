package queue

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
)

// lostEndAfter is how long the queue lists a job of this process as running that no
// worker of it runs, before its end counts as lost. The library tries for a few
// seconds to write an end down.
const lostEndAfter = 20 * time.Second

// RunningJob is a job that the queue lists as running.
type RunningJob struct {
	ID     int64
	Worker string    // the id of the syncer that runs it, "" when unknown
	Since  time.Time // when its attempt began, zero when unknown
}

// RunningJobs lists the jobs that the queue lists as running, of all syncers.
func (q *Queue) RunningJobs(ctx context.Context) ([]RunningJob, error) {
	list, err := q.client.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateRunning).First(1000))
	if err != nil {
		return nil, media.Fault(media.Unavailable, "syncer: running jobs", err)
	}
	out := make([]RunningJob, 0, len(list.Jobs))
	for _, row := range list.Jobs {
		job := RunningJob{ID: row.ID}
		if n := len(row.AttemptedBy); n > 0 {
			job.Worker = row.AttemptedBy[n-1]
		}
		if row.AttemptedAt != nil {
			job.Since = *row.AttemptedAt
		}
		out = append(out, job)
	}
	return out, nil
}

// LostEnds picks, of the jobs that the queue lists as running, those of this process
// whose end was lost: the database was away when it should have been written. They
// would keep others of their kind from beginning. It is called periodically, by one
// goroutine.
func (q *Queue) LostEnds(jobs []RunningJob) []int64 {
	var own []int64
	for _, job := range jobs {
		if job.Worker == q.cfg.ID {
			own = append(own, job.ID)
		}
	}
	// The library writes an end within real time, whatever the clock of the jobs says.
	return q.running.lostEnds(own, time.Now())
}

// runningJobs are the jobs that workers of this process run. Safe for concurrent use.
type runningJobs struct {
	mu      sync.Mutex
	running map[int64]string    // their kinds; guarded by mu
	suspect map[int64]time.Time // guarded by mu: since when a job runs in the queue only
}

func newRunningJobs() *runningJobs {
	return &runningJobs{running: map[int64]string{}, suspect: map[int64]time.Time{}}
}

func (r *runningJobs) begin(job int64, kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[job] = kind
}

// any reports whether a job of one of these kinds runs.
func (r *runningJobs) any(kinds ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kind := range r.running {
		if slices.Contains(kinds, kind) {
			return true
		}
	}
	return false
}

// Archiving reports whether this process archives something now: what can wait leaves the
// network, the disk and the processor to it.
func (q *Queue) Archiving() bool {
	return q.running.any(IngestArgs{}.Kind(), CompanionsArgs{}.Kind())
}

func (r *runningJobs) end(job int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, job)
}

// lostEnds picks, of the jobs that the queue lists as running in this process, those
// whose end was lost.
func (r *runningJobs) lostEnds(listed []int64, now time.Time) (lost []int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[int64]time.Time{}
	for _, job := range listed {
		if _, runs := r.running[job]; runs {
			continue
		}
		since, known := r.suspect[job]
		if !known {
			since = now
		}
		seen[job] = since
		if now.Sub(since) > lostEndAfter {
			lost = append(lost, job)
		}
	}
	r.suspect = seen
	return lost
}

// Responsive returns when the lock of the running jobs can be taken, or an error when
// it cannot before ctx ends.
func (q *Queue) Responsive(ctx context.Context) error {
	return LockWithin(ctx, &q.running.mu, "running jobs")
}

// jobObserver counts the outcomes of jobs and keeps track of those that run.
type jobObserver struct {
	river.WorkerMiddlewareDefaults
	metrics *metrics
	running *runningJobs
	pace    *pace
	tracer  *trace.Tracer // nil = nothing is traced
}

// Work implements rivertype.WorkerMiddleware.
func (o *jobObserver) Work(ctx context.Context, job *rivertype.JobRow, inner func(context.Context) error) error {
	o.running.begin(job.ID, job.Kind)
	o.pace.busy()
	defer o.pace.busy()
	defer o.running.end(job.ID)
	ctx, span := beginJob(ctx, o.tracer, job)
	err := inner(ctx)
	result := outcome(job, err)
	o.metrics.jobs.WithLabelValues(job.Kind, result).Inc()
	endJob(span, result, err)
	return err
}

// outcome is an attempt's as the metrics name it.
func outcome(job *rivertype.JobRow, err error) string {
	var (
		snoozed  *rivertype.JobSnoozeError
		canceled *rivertype.JobCancelError
	)
	switch {
	case err == nil:
		return "completed"
	case errors.As(err, &snoozed):
		return "snoozed"
	case errors.As(err, &canceled):
		return "failed"
	case job.Attempt >= job.MaxAttempts:
		return "exhausted"
	default:
		return "retried"
	}
}
