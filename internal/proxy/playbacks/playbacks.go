// Package playbacks traces playbacks: one span for all that one viewer reads of one
// recording without a longer pause, however many ranges that takes.
package playbacks

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
)

const (
	// idleAfter ends a playback of which nothing is read: the viewer has paused for longer
	// than a player's buffer, or has gone. What follows is another playback.
	idleAfter = 30 * time.Second
	// longest ends a playback however it goes on, so that a collector sees it at last.
	longest = 4 * time.Hour
	// most is how many playbacks are traced at once, of some 500 bytes each.
	most = 20_000
	// sweepEvery is how often ended playbacks are looked for.
	sweepEvery = 5 * time.Second
	// maxLinks bounds the traces that one playback is linked with.
	maxLinks = 32
)

// key identifies a playback.
type key struct{ user, recording int64 }

// Tracker holds the spans of playbacks. Safe for concurrent use.
type Tracker struct {
	tracer *trace.Tracer
	log    *slog.Logger

	mu      sync.Mutex
	running map[key]*playback // guarded by mu
	stopped bool              // guarded by mu
	full    bool              // guarded by mu: that there are too many was logged

	stop  context.CancelFunc
	sweep sync.WaitGroup
}

// playback is one span. Its fields but span are guarded by Tracker.mu.
type playback struct {
	span    *trace.Span
	began   time.Time
	parents map[string]bool // traceparents of its requests
	reading int             // exchanges that have not ended
	last    time.Time       // when one ended last
	totals
}

// totals are what the span says at its end.
type totals struct {
	ranges, bytes                   int64
	cache                           [media.CacheStatuses]int64
	firstByte, slowestByte, waiting time.Duration
	outcome, failure                string
}

// NewTracker makes a Tracker. Start starts it.
func NewTracker(tracer *trace.Tracer, log *slog.Logger) *Tracker {
	return &Tracker{tracer: tracer, log: log, running: map[key]*playback{}}
}

// Start starts the search for ended playbacks, until Stop.
func (t *Tracker) Start() {
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	t.sweep.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				t.endIdle(time.Now())
			}
		}
	})
}

// Stop ends all playbacks: no exchange is begun any more. It may be called again.
func (t *Tracker) Stop() {
	if t.stop != nil {
		t.stop()
	}
	t.sweep.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for k, p := range t.running {
		t.end(k, p)
	}
}

// Join adds an exchange to the viewer's playback of a recording, which begins with the first.
// traceparent and tracestate are the request's own. The context has the playback's
// traceparent; leave is called once, with the access record of the exchange and the time to
// its first byte, 0 for none.
func (t *Tracker) Join(ctx context.Context, user int64, rec media.Recording, traceparent, tracestate string) (context.Context, func(*accesslog.Record, time.Duration)) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	k := key{user, rec.ID}
	p := t.running[k]
	if p == nil {
		if t.stopped || len(t.running) >= most {
			t.complain()
			return ctx, nil
		}
		_, span := t.tracer.Begin(trace.WithParent(context.Background(), traceparent, tracestate), "playback", trace.Options{
			Kind: trace.Server, At: now,
			Attrs: []slog.Attr{slog.Int64("lectern.recording.id", rec.ID), slog.String("lectern.provider", rec.Location.Provider)},
		})
		p = &playback{span: span, began: now, parents: map[string]bool{traceparent: true}}
		t.running[k] = p
	}
	if traceparent != "" && !p.parents[traceparent] && len(p.parents) < maxLinks {
		p.parents[traceparent] = true
		p.span.Link(traceparent)
	}
	p.reading++
	return media.WithTraceparent(ctx, p.span.Traceparent()), func(r *accesslog.Record, firstByte time.Duration) { t.leave(p, r, firstByte) }
}

func (t *Tracker) leave(p *playback, r *accesslog.Record, firstByte time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.reading--
	p.last = time.Now()
	p.add(r, firstByte)
}

// add counts an exchange that has ended.
func (s *totals) add(r *accesslog.Record, firstByte time.Duration) {
	s.ranges++
	s.bytes += r.Bytes
	s.cache[r.Cache]++
	s.waiting += r.Origin
	if s.firstByte == 0 {
		s.firstByte = firstByte
	}
	s.slowestByte = max(s.slowestByte, firstByte)
	s.outcome = r.Outcome
	if r.Err != nil {
		s.failure = media.KindOf(r.Err).String()
	}
}

// endIdle ends the playbacks that are over.
func (t *Tracker) endIdle(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, p := range t.running {
		if p.reading == 0 && now.Sub(p.last) >= idleAfter || now.Sub(p.began) >= longest {
			t.end(k, p)
		}
	}
}

// end ends a playback; mu is held. What its exchanges add later is lost.
func (t *Tracker) end(k key, p *playback) {
	delete(t.running, k)
	t.full = false
	p.span.Set(
		slog.Int64("lectern.playback.ranges", p.ranges), slog.Int64("lectern.playback.bytes", p.bytes),
		slog.Int64("lectern.cache.hits", p.cache[media.CacheHit]), slog.Int64("lectern.cache.misses", p.cache[media.CacheMiss]),
		slog.Int64("lectern.cache.partial", p.cache[media.CachePartial]), slog.Int64("lectern.cache.bypassed", p.cache[media.CacheBypass]),
		slog.Duration("lectern.first_byte_seconds", p.firstByte), slog.Duration("lectern.slowest_first_byte_seconds", p.slowestByte),
		slog.Duration("lectern.origin_seconds", p.waiting), slog.String("lectern.outcome", p.outcome),
	)
	if p.failure != "" {
		p.span.Fail(p.failure)
	}
	p.span.End(nil)
}

// complain logs once that there are too many; mu is held.
func (t *Tracker) complain() {
	if !t.full && !t.stopped {
		t.full = true
		t.log.Warn("playbacks: not every playback is traced", slog.Int("traced", len(t.running)))
	}
}
