package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/ingest"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// concurrency is how many teachers are reconciled at once; each account's rate limits
// apply all the same.
const concurrency = 4

// Summary is what a reconciliation came to. Processed and failed are disjoint;
// synced counts the recordings that it newly requested.
type Summary struct {
	Processed int `json:"teachers_processed"`
	Failed    int `json:"teachers_failed"`
	Synced    int `json:"total_synced"`
	// Left are the teachers that the soft time limit left for the next one.
	Left int `json:"teachers_left,omitempty"`
}

// Scope says what to reconcile; the zero value is everything, as far back as is due.
type Scope struct {
	Teacher  int64     // 0 = all
	From, To time.Time // UTC dates; zero = what is due
	// DryRun writes nothing; Actions tell what would be done.
	DryRun bool
	// Now takes up what has failed without the pauses between such tries.
	Now bool
	// Progress is called after each teacher, from one goroutine at a time.
	Progress func(Progress)
}

// Progress is how far a reconciliation is.
type Progress struct {
	Done, Total int
	Teacher     store.Teacher
	Actions     []Action
	Err         error
}

// Action is one thing that was found to do.
type Action struct {
	Lesson  int64 // 0 = none known
	Meeting string
	What    string // ActionArchive, ActionWait
	Why     string
}

// Report is a reconciliation's whole result.
type Report struct {
	Summary
	Failures []Failure
	// Lessons whose recording was newly requested, and Meetings without a lesson whose
	// recording was, by uuid.
	Lessons  []int64
	Meetings []string
}

// add counts an action.
func (r *Report) add(a Action) {
	switch {
	case a.What != ActionArchive:
	case a.Lesson == 0:
		r.Synced++
		r.Meetings = append(r.Meetings, a.Meeting)
	default:
		r.Synced++
		r.Lessons = append(r.Lessons, a.Lesson)
	}
}

// Failure is a teacher whose recordings could not be listed.
type Failure struct {
	Teacher store.Teacher
	Reason  string
	Err     error
}

// timeout ends a reconciliation; softTimeout is when it begins no further teacher.
const (
	timeout     = 15 * time.Minute
	softTimeout = 10 * time.Minute
)

// Config of the reconciliation.
type Config struct {
	// Lookback is how far back from now, or from the last success, Zoom's lists are
	// compared.
	Lookback time.Duration
	// Match decides which lesson a meeting belongs to.
	Match store.MatchRule
	// UnmatchedAfter is how long after it was first seen a meeting without a lesson is
	// alerted, and archived as its teacher's own where ArchiveUnmatched.
	UnmatchedAfter   time.Duration
	ArchiveUnmatched bool
}

// Copies are the files that recordings were moved to.
type Copies interface {
	// Return returns a file of a recording, 0 for its own, to where it was before it was moved
	// to a location that has lost it. false: it cannot be.
	Return(ctx context.Context, recording, file int64, lost media.Location) (bool, error)
}

// Ingests are requested for what is missing.
type Ingests interface {
	// Request requests a lesson's recording; why is for the history.
	Request(ctx context.Context, x store.Session, lesson int64, why string) error
	// RequestMissing requests it when something of it is not archived, and says what.
	RequestMissing(ctx context.Context, x store.Session, lesson int64) (why string, err error)
	// RequestMissingOwn is RequestMissing for a meeting that belongs to no lesson, or is a
	// recording beside its lesson's.
	RequestMissingOwn(ctx context.Context, x store.Session, m store.Meeting) (why string, err error)
	// FileOwn files recordings that were archived as a teacher's own with the lessons
	// that their meetings belong to now.
	FileOwn(ctx context.Context) error
	// RetakeFailed takes up what has failed, after growing pauses.
	RetakeFailed(ctx context.Context) (lessons []int64, err error)
	// RetryJoins takes up recordings whose parts could not be joined and may be now.
	RetryJoins(ctx context.Context) error
	// EndPauses ends these pauses; teacher is whose, 0 = everybody's.
	EndPauses(ctx context.Context, teacher int64) error
	// RecordLoss follows the discovery that an archived file is gone.
	RecordLoss(ctx context.Context, i store.Ingest) error
	// RecordFileLoss is RecordLoss for a part or a companion, archived beside a recording.
	RecordFileLoss(ctx context.Context, f store.RecordingFile) error
}

// Alerts tells operators of trouble, within a transaction.
type Alerts interface {
	// Raise tells of trouble, once per state of it.
	Raise(ctx context.Context, x store.Session, a queue.AlertArgs) error
	// Resolve tells that it is over, if it was raised.
	Resolve(ctx context.Context, x store.Session, key, title, text string) error
}

// Deps is what the reconciliation works with.
type Deps struct {
	Store    *catalog.Store
	Queue    *queue.Queue
	Zoom     *zoom.Client
	Archives archive.Set
	Ingests  Ingests
	Copies   Copies
	Alerts   Alerts
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Now      func() time.Time
	Observer *observe.Observer // nil = acts
}

// Reconciler reconciles. It is safe for concurrent use.
type Reconciler struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
}

// New makes a Reconciler and adds its handlers to the queue.
func New(cfg Config, deps Deps) *Reconciler {
	r := &Reconciler{cfg: cfg, deps: deps, log: deps.Log, now: deps.Now, metrics: newMetrics(deps.Metrics)}
	q := deps.Queue
	queue.Handle(q, queue.HandlerOptions{Timeout: timeout, RetryDelay: q.ReconcileRetryDelay}, r.reconcileJob)
	queue.Handle(q, queue.HandlerOptions{Timeout: 5 * time.Minute, RetryDelay: q.RetryDelay}, r.resyncJob)
	return r
}

func (r *Reconciler) reconcileJob(ctx context.Context, job *queue.Job[queue.ReconcileArgs]) error {
	return r.deps.Queue.RecordRun(ctx, job.Args.Kind(), func(ctx context.Context) (any, error) {
		report, err := r.Reconcile(ctx, Scope{})
		return report.Summary, err
	})
}

// Reconcile compares what Zoom lists with what is archived and requests what is
// missing. A failing teacher never stops the others; an error means that it could
// not be done at all.
func (r *Reconciler) Reconcile(ctx context.Context, scope Scope) (Report, error) {
	began := r.now()
	var report Report
	teachers, err := r.teachersOf(ctx, scope)
	if err != nil {
		return report, err
	}
	if scope.Now && !scope.DryRun {
		if err := r.deps.Ingests.EndPauses(ctx, scope.Teacher); err != nil {
			return report, err
		}
	}
	var mu sync.Mutex // guards report and calls of Progress
	group, done := new(errgroup.Group), 0
	group.SetLimit(concurrency)
	for _, t := range teachers {
		if r.now().Sub(began) > softTimeout {
			report.Left++
			continue
		}
		group.Go(func() error {
			actions, err := r.reconcileTeacher(ctx, t, scope)
			mu.Lock()
			defer mu.Unlock()
			done++
			if err != nil && ctx.Err() == nil {
				report.Failed++
				report.Failures = append(report.Failures, Failure{t, cmp.Or(zoom.ReasonOf(err), ingest.ReasonOfZoomError(err)), err})
				r.log.Warn("reconcile: teacher failed", slog.Int64("teacher", t.ID), slog.Any("error", err))
			} else if err == nil {
				report.Processed++
			}
			for _, a := range actions {
				report.add(a)
			}
			if scope.Progress != nil {
				scope.Progress(Progress{done, len(teachers), t, actions, err})
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return report, media.Fault(media.KindOf(err), "syncer: reconcile", err)
	}
	if scope.DryRun {
		return report, nil
	}
	if err := r.reconcileUnlisted(ctx, scope, &report); err != nil {
		return report, err
	}
	slices.SortFunc(report.Failures, func(a, b Failure) int { return cmp.Compare(a.Teacher.ID, b.Teacher.ID) })
	r.report(ctx, scope, report, began)
	return report, nil
}

func (r *Reconciler) teachersOf(ctx context.Context, scope Scope) (out []store.Teacher, err error) {
	err = r.deps.Store.View(ctx, "syncer: teachers", func(x store.Session) (err error) {
		out, err = store.ZoomTeachers(ctx, x)
		return err
	})
	if err != nil || scope.Teacher == 0 {
		return out, err
	}
	out = slices.DeleteFunc(out, func(t store.Teacher) bool { return t.ID != scope.Teacher })
	if len(out) == 0 {
		return nil, media.Faultf(media.NotFound, "syncer: reconcile", "there is no teacher %d with all three Zoom credentials", scope.Teacher)
	}
	return out, nil
}

// report publishes the summary as metrics and in the log, and alerts of teachers that
// fail when their set has changed.
func (r *Reconciler) report(ctx context.Context, scope Scope, report Report, began time.Time) {
	r.metrics.synced.Add(float64(report.Synced))
	r.log.Info("reconciled", slog.Int("teachers_processed", report.Processed), slog.Int("teachers_failed", report.Failed), slog.Int("total_synced", report.Synced),
		slog.Int("teachers_left", report.Left), slog.String("took", r.now().Sub(began).Round(time.Millisecond).String()))
	if scope.Teacher != 0 {
		return
	}
	r.metrics.observe(report.Summary, r.now())
	var state, lines []string
	for _, f := range report.Failures {
		state = append(state, fmt.Sprintf("%d:%s", f.Teacher.ID, f.Reason))
		lines = append(lines, fmt.Sprintf("teacher %d: %s", f.Teacher.ID, f.Err))
	}
	err := r.deps.Store.Update(ctx, "syncer: failing teachers", func(x store.Session) error {
		const key = "reconcile.teachers"
		if len(state) == 0 {
			return r.deps.Alerts.Resolve(ctx, x, key, "All teachers' recordings can be looked through again", "Nothing is left to do.")
		}
		return r.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
			Key: key, State: strings.Join(state, " "), Severity: "warning",
			Title: fmt.Sprintf("The recordings of %d teacher(s) cannot be looked through at Zoom", len(state)),
			Text:  strings.Join(lines, "\n") + "\n" + store.Advice(store.ReasonNoAccess) + ".",
		})
	})
	if err != nil {
		r.log.Warn("reconcile: alert not stored", slog.Any("error", err))
	}
}

// What an action is.
const (
	ActionArchive = "archive" // newly requested
	ActionWait    = "wait"    // it matches no lesson yet
)

// window is which dates are due for a teacher: as far back as the setting says from
// now, or from when the last look succeeded.
func (r *Reconciler) window(ctx context.Context, t store.Teacher, scope Scope) (from, to time.Time, err error) {
	now := r.now()
	from, to = now.Add(-r.cfg.Lookback), now
	err = r.deps.Store.View(ctx, "syncer: cursor", func(x store.Session) error {
		reached, err := store.Cursor(ctx, x, t.ID)
		if !reached.IsZero() && reached.Before(now) {
			from = reached.Add(-r.cfg.Lookback)
		}
		return err
	})
	if !scope.From.IsZero() {
		from = scope.From
	}
	if !scope.To.IsZero() {
		to = scope.To
	}
	return from, to, err
}

// ObserveLastRun keeps the gauges true where another syncer has led the latest
// reconciliation, or this one has just been started.
func (r *Reconciler) ObserveLastRun(ctx context.Context, x store.Session) error {
	last, err := store.LastRun(ctx, x, queue.ReconcileArgs{}.Kind())
	var summary Summary
	if err == nil && !last.Finished.IsZero() && json.Unmarshal([]byte(last.Summary), &summary) == nil {
		r.metrics.observe(summary, last.Finished)
	}
	return err
}
