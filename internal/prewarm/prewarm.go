// Package prewarm reads new recordings into the cache before the first viewer opens
// them. Every player asks for the two ends and the index of a file first, and a class
// opens a new lesson at once.
//
// In a fleet nothing is read ahead. Its proxy chooses the gateway of each recording, which
// the gateways do not know: every one of them would fetch and keep what only one serves.
package prewarm

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// pollInterval is the pause between two queries for new recordings.
	pollInterval = 5 * time.Second
	// overlap is how far each query reaches back behind the newest arrival seen: two
	// syncers' transactions may become visible in another order than their times have.
	overlap = 2 * time.Minute
	// readTimeout bounds the reading of one recording.
	readTimeout = 2 * time.Minute
)

// Arrival is a recording that has just been archived.
type Arrival struct {
	Recording int64
	Location  media.Location
	At        time.Time // when the archive was verified
}

// ListFunc returns the recordings that were archived after a time, oldest first.
type ListFunc func(ctx context.Context, after time.Time) ([]Arrival, error)

// Origin describes an object as it is now.
type Origin interface {
	Stat(ctx context.Context, loc media.Location) (media.Object, error)
}

// Cache reads the parts of an object that players ask for first.
type Cache interface {
	Warm(ctx context.Context, obj media.Object) error
}

// Deps are what a Prewarmer works with. All but Uncached are required.
type Deps struct {
	List   ListFunc
	Origin Origin
	Cache  Cache
	// Uncached reports providers whose objects are never cached; nil means none.
	Uncached func(provider string) bool
	// Others returns how many other gateways serve the same recordings; nil means none.
	Others func(ctx context.Context) (int, error)
	Log    *slog.Logger
	Now    func() time.Time
}

// Prewarmer polls for new recordings and has them read into the cache. A recording
// that fails is not tried again: its first viewer fetches it.
type Prewarmer struct {
	deps   Deps
	cancel context.CancelFunc
	group  sync.WaitGroup

	newest time.Time        // the newest arrival seen; used by run only
	seen   map[Arrival]bool // arrivals within overlap; used by run only
}

// New prepares a Prewarmer. Recordings that were archived before the call are left
// alone, except those within the overlap.
func New(deps Deps) *Prewarmer {
	if deps.Uncached == nil {
		deps.Uncached = func(string) bool { return false }
	}
	if deps.Others == nil {
		deps.Others = func(context.Context) (int, error) { return 0, nil }
	}
	return &Prewarmer{deps: deps, newest: deps.Now(), seen: map[Arrival]bool{}}
}

// Start begins to poll. The polling ends with Stop, not with ctx.
func (p *Prewarmer) Start(ctx context.Context) {
	ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.group.Go(func() { p.run(ctx) })
}

// Stop ends the polling and waits for it. It may be called twice, and without Start.
func (p *Prewarmer) Stop() {
	if p.cancel != nil {
		p.cancel()
	}
	p.group.Wait()
}

func (p *Prewarmer) run(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if err := p.poll(ctx); err != nil && ctx.Err() == nil {
			p.deps.Log.Debug("prewarm: new recordings not listed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// poll reads every arrival that has not been seen, unless this gateway is one of several. Its
// error is the listing's, that of counting the gateways, or ctx's.
func (p *Prewarmer) poll(ctx context.Context) error {
	arrivals, err := p.deps.List(ctx, p.newest.Add(-overlap))
	if err != nil {
		return err
	}
	arrivals = slices.DeleteFunc(arrivals, func(a Arrival) bool { return p.seen[a] })
	others := 0
	if len(arrivals) > 0 {
		if others, err = p.deps.Others(ctx); err != nil {
			return err
		}
	}
	for _, a := range arrivals {
		p.seen[a] = true
		if a.At.After(p.newest) {
			p.newest = a.At
		}
		if others > 0 || p.deps.Uncached(a.Location.Provider) {
			continue
		}
		if err := p.read(ctx, a); err != nil {
			if ctx.Err() != nil {
				return err
			}
			p.deps.Log.Warn("prewarm: recording not read", slog.Int64("recording", a.Recording), slog.Any("error", err))
			continue
		}
		p.deps.Log.Info("prewarm: recording read", slog.Int64("recording", a.Recording))
	}
	for a := range p.seen {
		if a.At.Before(p.newest.Add(-overlap)) {
			delete(p.seen, a)
		}
	}
	return nil
}

// read has the cache fetch what players ask for first.
func (p *Prewarmer) read(ctx context.Context, a Arrival) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	obj, err := p.deps.Origin.Stat(ctx, a.Location)
	if err != nil {
		return err
	}
	return p.deps.Cache.Warm(ctx, obj)
}
