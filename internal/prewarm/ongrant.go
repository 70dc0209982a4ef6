package prewarm

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// readAgainAfter is how long an object that was read for a grant is not read again. Grants
	// that are requested in a loop cost the origin no more than one player does.
	readAgainAfter = 30 * time.Second
	// concurrentReads bounds the reads for grants; further grants read nothing.
	concurrentReads = 16
)

// The values of lectern_grant_prefetches_total{outcome}.
const (
	outcomeRead    = "read"
	outcomeFailed  = "failed"
	outcomeRecent  = "recent"  // read for another grant a moment ago
	outcomeLimited = "limited" // too many are being read
)

// FirstFrameCache reads what a player asks for before its first frame, and nothing else.
type FirstFrameCache interface {
	WarmFirstFrame(ctx context.Context, obj media.Object) error
}

// OnGrant reads the beginning and the index of a recording into the cache while the grant to
// play it is on its way to the player, which asks for both next. Its methods may be called from
// any goroutine.
type OnGrant struct {
	cache    FirstFrameCache
	uncached func(provider string) bool
	outcomes *prometheus.CounterVec
	log      *slog.Logger
	now      func() time.Time

	base  context.Context
	stop  context.CancelFunc
	group sync.WaitGroup

	mu      sync.Mutex
	stopped bool                         // guarded by mu, as the rest
	began   map[media.Identity]time.Time // reads within readAgainAfter
	running int
}

// NewOnGrant registers its metric. Objects of the providers that uncached reports are not read.
func NewOnGrant(cache FirstFrameCache, uncached func(provider string) bool, log *slog.Logger, metrics prometheus.Registerer, now func() time.Time) (*OnGrant, error) {
	g := &OnGrant{cache: cache, uncached: uncached, log: log, now: now, began: map[media.Identity]time.Time{}}
	g.outcomes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_grant_prefetches_total",
		Help: "Playback grants by what was read of the recording before its player asked: read, failed, recent (read for another grant within 30 s), limited (16 are being read).",
	}, []string{"outcome"})
	if err := metrics.Register(g.outcomes); err != nil {
		return nil, fmt.Errorf("prewarm metrics: %w", err)
	}
	for _, outcome := range []string{outcomeRead, outcomeFailed, outcomeRecent, outcomeLimited} {
		g.outcomes.WithLabelValues(outcome)
	}
	g.base, g.stop = context.WithCancel(context.Background())
	return g, nil
}

// Stop ends the reads and waits for them. It may be called twice.
func (g *OnGrant) Stop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.stop()
	g.group.Wait()
}

// Prefetch starts to read an object and returns at once. release is called once, when nothing
// of it is being read or will be.
func (g *OnGrant) Prefetch(obj media.Object, release func()) {
	if g.uncached(obj.Provider) {
		release()
		return
	}
	if refused := g.start(obj, release); refused != "" {
		g.outcomes.WithLabelValues(refused).Inc()
		release()
	}
}

// start starts a read; refused says why it does not.
func (g *OnGrant) start(obj media.Object, release func()) (refused string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for id, began := range g.began {
		if now.Sub(began) >= readAgainAfter {
			delete(g.began, id)
		}
	}
	if g.stopped || g.running >= concurrentReads {
		return outcomeLimited
	}
	if _, there := g.began[obj.Identity()]; there {
		return outcomeRecent
	}
	g.began[obj.Identity()] = now
	g.running++
	g.group.Go(func() {
		defer release()
		outcome := outcomeRead
		if err := g.read(obj); err != nil {
			outcome = outcomeFailed
		}
		g.outcomes.WithLabelValues(outcome).Inc()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.running--
		if outcome == outcomeFailed {
			delete(g.began, obj.Identity()) // nothing was read: the next grant tries again
		}
	})
	return ""
}

// read has the cache fetch what the player asks for first. An error is the player's too, which
// reports it to the viewer.
func (g *OnGrant) read(obj media.Object) error {
	ctx, cancel := context.WithTimeout(g.base, readTimeout)
	defer cancel()
	err := g.cache.WarmFirstFrame(ctx, obj)
	if err != nil && g.base.Err() == nil {
		g.log.Debug("prewarm: recording not read for a grant", slog.Any("error", err))
	}
	return err
}
