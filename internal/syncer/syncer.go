package syncer

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"riverqueue.com/riverui"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/zoom"
)

// Deps is what a syncer works with. All of it outlives the syncer.
type Deps struct {
	Store  *catalog.Store
	Zoom   *zoom.Client
	Zooms  zoom.Config
	Target archive.Archive // where new recordings go
	// Archives are all that are configured, by provider: what was stored in one stays
	// there when the target changes.
	Archives map[string]archive.Archive
	Tool     ffmpeg.Tool
	Alerts   *alert.Sender
	// SecretsKey seals tenants' secrets; nil when there is none.
	SecretsKey []byte
	// PlatformRule is the access rule "platform": the lesson's group may always watch.
	PlatformRule bool
	Log          *slog.Logger
	Metrics      prometheus.Registerer
	Now          func() time.Time
}

// Syncer is one syncing process: the intake of webhooks and the jobs. Make it with
// New; Start and Stop it once.
type Syncer struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	id      string
	client  *river.Client[*sql.Tx]
	tokens  seal // for webhooks' download tokens
	tenants *tenants
	intake  *writer
	space   *space
	claims  *claims
	atWork  *atWork
	alive   *lockFile
	page    *riverui.Handler // nil unless JobsPage was asked for

	stop context.CancelFunc
	// stopStarting ends the tries to start the queue; startEnded is closed after the last.
	stopStarting context.CancelFunc
	startEnded   chan struct{}
	running      sync.WaitGroup
	started      bool
}

// New prepares a syncer. Nothing is asked of anybody, and nothing runs, until Start;
// jobs can be enqueued and looked at before.
func New(cfg Config, deps Deps) (*Syncer, error) {
	if cfg.GiveUpAfter == 0 {
		cfg.GiveUpAfter = giveUpAfter
	}
	if cfg.UnmatchedAfter == 0 {
		cfg.UnmatchedAfter = unmatchedAfter
	}
	if cfg.reconcileSoft == 0 {
		cfg.reconcileSoft = reconcileSoft
	}
	if cfg.tick == 0 {
		cfg.tick = 2 * time.Second
	}
	s := &Syncer{cfg: cfg, deps: deps, log: deps.Log, now: deps.Now, metrics: newMetrics(deps.Metrics), id: newID()}
	key := deps.SecretsKey
	if key == nil {
		secret := strings.Join(deps.Zooms.Secrets(), ",")
		var err error
		if key, err = derivedKey(secret, "download tokens"); err != nil {
			return nil, err
		}
	}
	var err error
	if s.tokens, err = newSeal(key); err != nil {
		return nil, err
	}
	s.tenants = newTenants(deps.Store, deps.SecretsKey, deps.Now)
	s.claims = newClaims(s.id)
	s.atWork = newAtWork()
	s.space = newSpace(cfg.WorkDir, int64(cfg.WorkSize), int64(cfg.WorkMinFree))
	s.intake = newWriter(s)
	s.client, err = river.NewClient(schema.JobDriver(deps.Store), &river.Config{
		ID:     s.id,
		Schema: schema.JobSchema(deps.Store),
		// The queue tells of each job; what matters of that this package tells itself.
		Logger: slog.New(atLeast{slog.LevelWarn, deps.Log.With(slog.String("room", "jobs")).WithGroup("job").Handler()}),
		// Behind a transaction-mode pooler there is no LISTEN: polling serves everywhere.
		PollOnly:          true,
		FetchPollInterval: 500 * time.Millisecond,
		Queues: map[string]river.QueueConfig{
			queueRest:   {MaxWorkers: 8},
			queueIngest: {MaxWorkers: cfg.Workers},
		},
		Workers:          s.workers(),
		PeriodicJobs:     s.periodic(),
		Middleware:       nil,
		WorkerMiddleware: []rivertype.WorkerMiddleware{&observer{metrics: s.metrics, atWork: s.atWork}},
		JobTimeout:       time.Minute,
		// A long ingest is not a stuck one; the caretaker knows the dead by their heartbeat.
		RescueStuckJobsAfter:        7 * 24 * time.Hour,
		CompletedJobRetentionPeriod: 3 * 24 * time.Hour,
		CancelledJobRetentionPeriod: 90 * 24 * time.Hour,
		DiscardedJobRetentionPeriod: 90 * 24 * time.Hour,
	})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	return s, nil
}

// atLeast lets pass what has a level.
type atLeast struct {
	level slog.Level
	slog.Handler
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.level, h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.level, h.Handler.WithGroup(name)}
}

// newID names this process for the ledger and the queue.
func newID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:8]))
}

// Start begins to work jobs and to care for what others left behind, until Stop.
func (s *Syncer) Start(ctx context.Context) error {
	if err := s.space.prepare(); err != nil {
		return err
	}
	alive, err := newLockFile(s.cfg.WorkDir, s.id)
	if err != nil {
		return err
	}
	s.alive = alive
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.running.Go(func() { s.intake.run(ctx) })
	if err := s.beat(ctx); err != nil {
		s.log.Warn("the database cannot be reached yet", slog.Any("error", err))
	}
	s.running.Go(func() { s.care(ctx) })
	starting, stopStarting := context.WithCancel(ctx)
	s.stopStarting, s.startEnded = stopStarting, make(chan struct{})
	s.running.Go(func() { defer close(s.startEnded); s.startClient(ctx, starting) })
	s.running.Go(func() { s.startPage(ctx) })
	s.started = true
	return nil
}

// startClient starts the queue, again and again while the database is away, until
// starting ends. Jobs work under ctx.
func (s *Syncer) startClient(ctx, starting context.Context) {
	for starting.Err() == nil {
		err := s.client.Start(ctx)
		if err == nil {
			return
		}
		s.log.Warn("the job queue does not start yet", slog.Any("error", err))
		select {
		case <-starting.Done():
		case <-time.After(2 * time.Second):
		}
	}
}

// startPatience is how long Stop waits for a start of the queue that is under way.
const startPatience = 5 * time.Second

// Stop ends the work: what runs is told to stop at once, since all of it can be
// taken up again, and goes back into the queue. It may be called twice.
func (s *Syncer) Stop() {
	if !s.started {
		return
	}
	s.started = false
	limit, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	// The queue cannot be stopped while it starts.
	s.stopStarting()
	select {
	case <-s.startEnded:
	case <-time.After(startPatience):
		s.stop()
		<-s.startEnded
	}
	if err := s.client.StopAndCancel(limit); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("jobs did not end in time", slog.Any("error", err))
	}
	s.stop()
	s.running.Wait()
	if err := s.leave(limit); err != nil {
		s.log.Warn("leaving", slog.Any("error", err))
	}
	s.alive.Close()
}

// teacherAccount is a teacher's Zoom app.
func teacherAccount(accountID, clientID, secret, user string) zoom.Account {
	return zoom.Account{ID: accountID, ClientID: clientID, ClientSecret: secret, UserID: user}.Trimmed()
}

// archiveOf finds the archive of a provider.
func (s *Syncer) archiveOf(provider string) (archive.Archive, error) {
	if a, ok := s.deps.Archives[provider]; ok {
		return a, nil
	}
	return nil, media.Faultf(media.Unavailable, "archive", "the archive %q is not configured", provider)
}
