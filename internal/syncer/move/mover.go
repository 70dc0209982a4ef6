package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

const (
	// busyPause lies between two tries to move recordings that others work on.
	busyPause = time.Second
	// maxChanges bounds how often one recording is copied again because it changed meanwhile.
	maxChanges = 3
	// workKind is the kind of the directories of temporary files.
	workKind = "move"
	// sweepAfter is how long what a killed mover has left in its directory may still serve.
	sweepAfter = 24 * time.Hour
)

// Config of the moves.
type Config struct {
	// Workers is how many recordings are moved at the same time, at least 1.
	Workers int
	// RetryDelays are the pauses before what failed for a passing reason is tried again.
	RetryDelays []time.Duration
}

// Deps is what moves work with.
type Deps struct {
	ID       string // of this process
	Store    *catalog.Store
	Archives archive.Set
	Work     *workdir.Dir
	// Dead reports whether a process of this machine has certainly ended.
	Dead func(id string) bool
	// OthersAlive reports whether a syncer lives that ends the work of dead ones.
	OthersAlive func(ctx context.Context) (bool, error)
	Log         *slog.Logger
	Now         func() time.Time
	Observer    *observe.Observer // nil = acts
}

// Mover moves recordings. It is safe for concurrent use.
type Mover struct {
	cfg  Config
	deps Deps
	log  *slog.Logger
	now  func() time.Time
	mu   sync.Mutex
	dead map[string]bool // movers that have ended; guarded by mu
	// step is called after each step that a kill may follow; nil outside tests.
	step func(name string)
}

// New makes a Mover.
func New(cfg Config, deps Deps) *Mover {
	cfg.Workers = max(cfg.Workers, 1)
	return &Mover{cfg: cfg, deps: deps, log: deps.Log, now: deps.Now, dead: map[string]bool{}, step: func(string) {}}
}

// Options say what to move.
type Options struct {
	From      string // provider; "" = any other than To
	To        string // provider
	Teacher   int64  // 0 = all
	Recording int64  // 0 = all
	Rate      int64  // of reading, bytes per second of this process; 0 = unbounded
	DryRun    bool   // say what would be moved and do nothing
	// Progress is called with each result, not concurrently; nil = not at all.
	Progress func(Result)
}

// Summary is what a run came to.
type Summary struct {
	Moved   int   `json:"moved"`
	Skipped int   `json:"skipped"`
	Failed  int   `json:"failed"`
	Bytes   int64 `json:"bytes"` // of what was moved
}

// Outcome is what became of one recording.
type Outcome string

// The outcomes.
const (
	Moved   Outcome = "moved"
	Skipped Outcome = "skipped"
	Failed  Outcome = "failed"
)

// Result is what became of one recording, or in a dry run would.
type Result struct {
	Recording   int64
	Outcome     Outcome
	Reason      string // why it was skipped or failed
	From        string // where its own file was
	Files       int
	Bytes       int64
	Done, Total int // recordings
}

// errChanged ends a try whose recording changed while it was copied.
var errChanged = errors.New("the recording changed while it was copied")

// busyError ends a try of a recording that another process works on.
type busyError struct {
	why string
	// needsSyncer says that it stays so until a syncer serves.
	needsSyncer bool
}

func (e *busyError) Error() string { return e.why }

// Run moves recordings until each is moved, skipped or failed. One that fails stops no
// other. The error is the database's, or of the end of ctx: what was begun is continued by
// another Run. media.NotFound: there is no such recording. media.Unavailable: an archive is
// not configured.
func (m *Mover) Run(ctx context.Context, o Options) (Summary, error) {
	const op = "move"
	if !o.DryRun {
		if err := m.deps.Observer.Refuse(op); err != nil {
			return Summary{}, err
		}
	}
	for _, provider := range []string{o.From, o.To} {
		if _, err := m.deps.Archives.Get(provider); provider != "" && err != nil {
			return Summary{}, err
		}
	}
	todo, err := m.candidates(ctx, o)
	if err != nil {
		return Summary{}, err
	}
	r := &run{m: m, o: o, total: len(todo), limit: archive.NewLimiter(o.Rate)}
	ctx, stop := m.keepLeases(ctx)
	defer stop()
	for len(todo) > 0 {
		busy, err := r.pass(ctx, todo)
		if err == nil && len(busy) == len(todo) {
			err = pause(ctx, busyPause)
		}
		if err != nil {
			return r.summary, err
		}
		todo = busy
	}
	return r.summary, nil
}

// candidates are the recordings that a run looks at.
func (m *Mover) candidates(ctx context.Context, o Options) (ids []int64, err error) {
	err = m.deps.Store.View(ctx, "move: candidates", func(x store.Session) error {
		ids = nil
		if o.Recording != 0 {
			ids = []int64{o.Recording}
			_, err := store.LoadRecording(ctx, x, o.Recording, false)
			if catalog.IsNotFound(err) {
				return media.Faultf(media.NotFound, "move", "there is no recording %d", o.Recording)
			}
			return err
		}
		var err error
		ids, err = store.MovableRecordings(ctx, x, o.From, o.To, o.Teacher)
		return err
	})
	return ids, err
}

// run is one Run.
type run struct {
	m     *Mover
	o     Options
	limit *rate.Limiter // nil = unbounded
	total int

	mu      sync.Mutex
	summary Summary // guarded by mu
}

// pass tries each recording, and returns those that others are at work on.
func (r *run) pass(ctx context.Context, todo []int64) (busy []int64, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.m.cfg.Workers)
	var mu sync.Mutex
	for _, id := range todo {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			result, err := r.move(ctx, id)
			var wait *busyError
			switch {
			case errors.As(err, &wait):
				mu.Lock()
				busy = append(busy, id)
				mu.Unlock()
				return nil
			case err != nil && ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				result = Result{Recording: id, Outcome: Failed, Reason: err.Error()}
				r.m.log.Warn("move: recording not moved", slog.Int64("recording", id), slog.Any("error", err))
			}
			r.report(result)
			return nil
		})
	}
	return busy, group.Wait()
}

func (r *run) report(result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch result.Outcome {
	case Moved:
		r.summary.Moved++
		r.summary.Bytes += result.Bytes
	case Skipped:
		r.summary.Skipped++
	case Failed:
		r.summary.Failed++
	}
	result.Done, result.Total = r.summary.Moved+r.summary.Skipped+r.summary.Failed, r.total
	if r.o.Progress != nil {
		r.o.Progress(result)
	}
}

// move moves one recording, again when it changes meanwhile or fails for a passing reason.
func (r *run) move(ctx context.Context, id int64) (Result, error) {
	changes, tries := 0, 0
	for {
		result, err := r.try(ctx, id)
		var wait *busyError
		switch {
		case err == nil:
			return result, nil
		case errors.As(err, &wait):
			return result, r.mayWait(ctx, wait)
		case errors.Is(err, errLeaseLost):
			return result, &busyError{why: err.Error()}
		case errors.Is(err, errChanged) && changes < maxChanges:
			changes++
		case media.KindOf(err).Passing() && tries < len(r.m.cfg.RetryDelays):
			r.m.log.Info("move: tried again", slog.Int64("recording", id), slog.Any("error", err))
			if err := pause(ctx, max(r.m.cfg.RetryDelays[tries], media.RetryAfterOf(err))); err != nil {
				return result, err
			}
			tries++
		default:
			return result, err
		}
	}
}

// mayWait is the busyError, or another error where nobody would end what it waits for.
func (r *run) mayWait(ctx context.Context, wait *busyError) error {
	if !wait.needsSyncer {
		return wait
	}
	switch alive, err := r.m.deps.OthersAlive(ctx); {
	case err != nil:
		return err
	case alive:
		return wait
	default:
		return fmt.Errorf("%s, and no syncer serves that would end it: start one, then move again", wait.why)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// Sweep removes the temporary files of movers that were killed and that nobody continued.
func (m *Mover) Sweep(ctx context.Context) error {
	return m.deps.Work.Sweep(workKind, func(id int64) (bool, error) {
		used, err := m.deps.Work.LastUsed(workdir.Job{Kind: workKind, ID: id})
		return m.now().Sub(used) < sweepAfter, err
	}, func(unused *workdir.Lock) {
		if err := unused.AbortUpload(ctx, m.deps.Archives); err != nil {
			m.log.Warn("move: upload not aborted", slog.Any("error", err))
		}
	})
}
