package syncer

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/backfill"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/ingest"
	"github.com/lectiospace/lectern/internal/syncer/intake"
	"github.com/lectiospace/lectern/internal/syncer/kinds"
	"github.com/lectiospace/lectern/internal/syncer/move"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/retention"
	"github.com/lectiospace/lectern/internal/syncer/secretbox"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
	"github.com/lectiospace/lectern/internal/zoom"
)

// Deps is what a syncer works with. All of it outlives the syncer.
type Deps struct {
	Store  *catalog.Store
	Zoom   *zoom.Client
	Zooms  zoom.Config
	Target archive.Archive // where new recordings go
	// Archives are all that are configured: what was stored in one stays there when the
	// target changes.
	Archives archive.Set
	Tool     ffmpeg.Tool
	// Parts probes and joins the parts of recordings; nil = Tool.
	Parts  ingest.Tool
	Alerts *alert.Sender
	// SecretsKey seals tenants' secrets; nil when there is none.
	SecretsKey []byte
	// PlatformRule is the access rule "platform": the lesson's group may always watch.
	PlatformRule bool
	Version      string        // the program's, which its heartbeat names
	Tracer       *trace.Tracer // nil = nothing is traced
	Log          *slog.Logger
	Metrics      prometheus.Registerer
	Now          func() time.Time
}

// Syncer is one syncing process. Make it with New; Start and Stop it once.
type Syncer struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	id      string
	address string // set before Start

	queue      *queue.Queue
	intake     *intake.Intake
	ingester   *ingest.Ingester
	reconciler *reconcile.Reconciler
	backfiller *backfill.Backfiller
	cleaner    *retention.Cleaner
	mover      *move.Mover
	deriver    *derive.Deriver
	observer   *observe.Observer // nil = acts
	rounds     *roundClock
	alive      *lockFile // while it is started

	stop    context.CancelFunc // ends the supervisor and the intake
	running sync.WaitGroup
	started bool
	// ingestsOnly: no periodic job is enqueued, and none that was missed.
	ingestsOnly bool
	// requestedObserved: what was observed before has been requested. Used by the supervisor only.
	requestedObserved bool
}

// New prepares a syncer. Nothing is asked of anybody, and nothing runs, until Start;
// jobs can be enqueued and listed before.
func New(cfg Config, deps Deps) (*Syncer, error) {
	cfg = cfg.withDefaults()
	s := &Syncer{cfg: cfg, deps: deps, log: deps.Log, now: deps.Now, metrics: newMetrics(deps.Metrics), id: newID(), rounds: newRoundClock()}
	if cfg.Observes() {
		// Beside what each part leaves out, nothing that changes the outside is possible.
		s.observer = observe.New(deps.Log)
		deps.Store, deps.Zoom = deps.Store.ProtectPlatform(), deps.Zoom.ReadOnly()
		deps.Target, deps.Archives = archive.ReadOnly(deps.Target), deps.Archives.ReadOnly()
		s.deps = deps
	}
	s.metrics.mode.WithLabelValues(cmp.Or(cfg.Mode, ModeActive)).Set(1)
	tokens, err := tokenBox(deps)
	if err != nil {
		return nil, err
	}
	s.queue = queue.New(queue.Config{
		ID: s.id, IngestWorkers: cfg.Workers, ReconcileEvery: cfg.ReconcileEvery, UsageEvery: cfg.UsageEvery, CleanupAt: cfg.CleanupAt, RetryDelays: cfg.RetryDelays, BusyPoll: cfg.BusyPoll, IdlePoll: cfg.IdlePoll, Observe: cfg.Observes(), Tracer: deps.Tracer,
	}, deps.Store, deps.Log, deps.Metrics, deps.Now)
	companions, err := kinds.ParseFilter(cfg.Companions, media.CompanionKinds())
	if err != nil {
		return nil, fmt.Errorf("sync-companions: %w", err)
	}
	if s.deriver, err = s.newDeriver(companions); err != nil {
		return nil, err
	}
	if deps.Parts == nil {
		deps.Parts = deps.Tool
	}
	alerts := newAlerts(deps.Alerts, s.queue, cfg.Observes(), deps.Log, deps.Now)
	s.ingester = ingest.New(ingest.Config{
		Match: cfg.matchRule(), Settle: cfg.Settle, DeleteFromZoom: cfg.DeleteFromZoom, ZoomTrashAfter: cfg.ZoomTrashAfter, GiveUpAfter: cfg.GiveUpAfter, RetakeEvery: cfg.ReconcileEvery, Reencode: cfg.Reencode, Companions: companions,
		WorkDir: cfg.WorkDir, WorkSize: int64(cfg.WorkSize), WorkMinFree: int64(cfg.WorkMinFree), PlatformRule: deps.PlatformRule,
	}, ingest.Deps{
		ID: s.id, Store: deps.Store, Queue: s.queue, Zoom: deps.Zoom, Target: deps.Target, Archives: deps.Archives, Tool: deps.Parts,
		Alerts: alerts, Tokens: tokens, Log: deps.Log, Metrics: deps.Metrics, Now: deps.Now, Observer: s.observer, Derived: s.deriver,
	})
	s.intake = intake.New(intake.Deps{
		Store: deps.Store, Queue: s.queue, Zoom: deps.Zooms, Ingests: s.ingester, Match: cfg.matchRule(), Tokens: tokens, TokenPurpose: ingest.DownloadTokenPurpose,
		SecretsKey: deps.SecretsKey, Tracer: deps.Tracer, Log: deps.Log, Metrics: deps.Metrics, Now: deps.Now, Observer: s.observer,
	})
	s.mover = move.New(move.Config{Workers: cfg.Workers, RetryDelays: cfg.moveRetryDelays()}, move.Deps{
		ID: s.id, Store: deps.Store, Archives: deps.Archives, Work: workdir.New(cfg.WorkDir, int64(cfg.WorkSize), int64(cfg.WorkMinFree)),
		Dead: func(id string) bool { return certainlyDead(cfg.WorkDir, id) }, OthersAlive: s.OthersAlive, Log: deps.Log, Now: deps.Now, Observer: s.observer,
	})
	s.reconciler = reconcile.New(reconcile.Config{
		Lookback: cfg.Lookback, Match: cfg.matchRule(), UnmatchedAfter: cfg.UnmatchedAfter, ArchiveUnmatched: cfg.Unmatched != UnmatchedWait,
	}, reconcile.Deps{
		Store: deps.Store, Queue: s.queue, Zoom: deps.Zoom, Archives: deps.Archives, Ingests: s.ingester, Copies: s.mover, Alerts: alerts,
		Log: deps.Log, Metrics: deps.Metrics, Now: deps.Now, Observer: s.observer,
	})
	s.backfiller = backfill.New(backfill.Deps{
		Store: deps.Store, Queue: s.queue, Zoom: deps.Zoom, Meetings: s.reconciler, Log: deps.Log, Now: deps.Now,
	})
	s.cleaner = retention.New(retention.Config{CleanupAt: cfg.CleanupAt, UsageEvery: cfg.UsageEvery, TrashGrace: cfg.TrashGrace}, retention.Deps{
		Store: deps.Store, Queue: s.queue, Archives: deps.Archives, Alerts: alerts, Log: deps.Log, Metrics: deps.Metrics, Now: deps.Now, Observer: s.observer,
	})
	return s, s.queue.Open()
}

// tokenBox seals download tokens, with a key of the webhook secrets where no key is
// configured.
func tokenBox(deps Deps) (secretbox.Box, error) {
	key := deps.SecretsKey
	if key == nil {
		var err error
		if key, err = secretbox.DeriveKey(strings.Join(deps.Zooms.Secrets(), ","), "download tokens"); err != nil {
			return secretbox.Box{}, err
		}
	}
	return secretbox.New(key)
}

// newID names this process in the database and the queue.
func newID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:8]))
}

// Handler serves the webhooks.
func (s *Syncer) Handler() http.Handler { return s.intake.Handler() }

// SetWebhookSecrets replaces the secret tokens of the Zoom app that all teachers share.
func (s *Syncer) SetWebhookSecrets(secrets zoom.Secrets) { s.intake.SetSecrets(secrets) }

// SetAddress sets the public address that the heartbeat names: that of the listener which
// Handler serves. It has to be called before Start.
func (s *Syncer) SetAddress(address string) { s.address = address }

// Start begins to work jobs and to supervise, until Stop.
func (s *Syncer) Start(ctx context.Context) error {
	if s.observer.On() {
		s.log.Info("syncer: observing, nothing is archived, changed or deleted", slog.String("mode", ModeObserve))
	}
	if err := s.ingester.Prepare(); err != nil {
		return err
	}
	alive, err := newLockFile(s.cfg.WorkDir, s.id)
	if err != nil {
		return err
	}
	s.alive = alive
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.running.Go(func() { s.intake.Run(ctx) })
	if err := s.heartbeat(ctx); err != nil {
		s.log.Warn("supervisor: database unavailable", slog.Any("error", err))
	}
	s.rounds.begin(time.Now())
	s.running.Go(func() { s.supervise(ctx) })
	s.queue.Start(ctx)
	s.started = true
	return nil
}

// Stop is Shutdown within Config.ShutdownGrace. It may be called twice, and after
// Shutdown.
func (s *Syncer) Stop() {
	limit, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownGrace)
	defer cancel()
	s.Shutdown(limit)
}

// Shutdown cancels all running jobs at once, since each of them can be continued later,
// and waits for them until limit ends. A job that is still running then keeps its lease,
// which another syncer takes over as that of a dead one. It may be called twice, not
// concurrently.
func (s *Syncer) Shutdown(limit context.Context) {
	if !s.started {
		return
	}
	s.started = false
	err := s.queue.Stop(limit)
	s.stop()
	if err == nil {
		err = s.waitBackground(limit)
	}
	if err == nil {
		err = s.deregister(limit)
	}
	if err != nil {
		s.log.Warn("syncer: not everything ended within the shutdown grace", slog.Any("error", err))
	}
	s.alive.Close()
}

// waitBackground waits for the supervisor and the intake until ctx ends.
func (s *Syncer) waitBackground(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { s.running.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
