package stream

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
)

// Access decides who may watch. Its methods are called from many goroutines; they
// return a *media.Refusal for a refusal, and another error when they cannot decide.
type Access interface {
	// Authenticate returns the user of the first of a request's tokens that is valid and,
	// where it is a playback token, for the recording; 0 is a request for no recording.
	// client is the client's address.
	Authenticate(ctx context.Context, client netip.Addr, tokens []media.Token, recordingID int64) (media.Viewer, error)
	// Authorize returns the recording when the viewer may watch it.
	Authorize(ctx context.Context, v media.Viewer, recordingID int64) (media.Recording, error)
	// Recheck is called for every running stream at every Config.Recheck; any
	// error ends the stream.
	Recheck(ctx context.Context, v media.Viewer, recordingID int64) error
	// Lasting is called for a viewer that Authenticate has returned for one token, and a
	// recording that Authorize has returned for the viewer. It returns a function that
	// reports, whenever it is called, whether both would return the same without waiting,
	// and that counts as both do; nil where that cannot be told.
	Lasting(token media.Token, v media.Viewer, rec media.Recording) func() bool
}

// Store opens objects. ctx bounds the reader's whole life.
type Store interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error)
}

// StartCounter counts playback starts, across all gateways of a database. A direct
// one, a stream with an access token, belongs to an earlier start of the same user
// and recording for a while.
type StartCounter interface {
	// Count counts a start. The error is a *media.Refusal when the limit is reached.
	// undo, where it is not nil, takes the count back; it is called at most once, when
	// the request is refused after all.
	Count(ctx context.Context, userID, recordingID int64, direct bool) (undo func(), err error)
	// Ready reports whether Count will answer for a direct stream without waiting.
	Ready(userID, recordingID int64) bool
}

// Config of the streams.
type Config struct {
	// Streams is how many streams all users together may have open, at least 1.
	Streams int
	// StreamsPerUser is how many streams one user may have open; 0 = no limit.
	StreamsPerUser int
	// StreamRate bounds each stream, in bytes per second, burst one second; 0 = no limit.
	StreamRate int64
	// WriteIdle is how long one write may make no progress before the stream is
	// aborted. It is renewed with every piece, never a limit on the whole body.
	WriteIdle time.Duration
	// KeepAlive is how long a connection may wait for its next request.
	KeepAlive time.Duration
	// OriginTimeout bounds the wait for the first byte of an answer, and later
	// the wait for each further piece of it.
	OriginTimeout time.Duration
	// Recheck is how often the access of a running stream is checked again.
	Recheck time.Duration
}

// Deps is what a Handler needs. All are required but Starts, Changed and Playbacks.
type Deps struct {
	Access  Access
	Origins Origins
	Store   Store
	Starts  StartCounter // nil: starts are not limited
	// Companions finds what accompanies recordings; nil = ServeCompanion and ServeDerived are
	// not used.
	Companions Companions
	// Links tells requests of our pages from others.
	Links forwarded.Resolver
	// Changed receives a value when somebody may have lost access: running streams
	// are then checked at once, and not only at every Config.Recheck.
	Changed <-chan struct{}
	// Playbacks traces playbacks; nil = none.
	Playbacks PlaybackTracer
	// Draining reports whether no further request is to be answered on a connection that is
	// open; nil: never.
	Draining func() bool
	// Base ends, with a cause, when all exchanges have to end.
	Base context.Context
	// ResetResponse empties a response after a panic, and sets again what every
	// response has.
	ResetResponse func(c *fasthttp.RequestCtx)
	// LimitedStreams and LimitedPerUser count the requests refused for Config.Streams
	// and Config.StreamsPerUser.
	LimitedStreams prometheus.Counter
	LimitedPerUser prometheus.Counter
	Records        *accesslog.Log
	Log            *slog.Logger
	Metrics        prometheus.Registerer
	Now            func() time.Time
}

// Handler serves streams. Its methods may be called from any goroutine.
type Handler struct {
	cfg           Config
	access        Access
	origins       Origins
	prefetcher    StatPrefetcher // nil: origins is not one
	invalidator   Invalidator    // nil: origins is not one
	store         Store
	starts        StartCounter
	companions    Companions
	links         forwarded.Resolver
	playbacks     PlaybackTracer // nil: not traced
	changed       <-chan struct{}
	base          context.Context
	draining      func() bool
	resetResponse func(c *fasthttp.RequestCtx)
	records       *accesslog.Log
	log           *slog.Logger
	now           func() time.Time
	metrics       *metrics

	metadata  metadataCache
	streams   admission
	users     *userSlots
	exchanges registry

	// started is the origin of exchange.deadline, on the monotonic clock.
	started time.Time

	watchers     sync.WaitGroup
	stopWatchers context.CancelFunc
}

// New builds a Handler. Start starts its watchers.
func New(cfg Config, deps Deps) (*Handler, error) {
	if deps.Access == nil || deps.Origins == nil || deps.Store == nil {
		return nil, fmt.Errorf("stream: access control, origins and a store are needed")
	}
	h := &Handler{
		cfg: cfg, access: deps.Access, origins: deps.Origins, store: deps.Store, starts: deps.Starts, companions: deps.Companions, links: deps.Links,
		playbacks: deps.Playbacks, changed: deps.Changed, base: deps.Base, draining: deps.Draining, resetResponse: deps.ResetResponse,
		records: deps.Records, log: deps.Log, now: deps.Now,
		streams:   admission{limit: int64(cfg.Streams)},
		users:     newUserSlots(cfg.StreamsPerUser),
		exchanges: registry{exchanges: map[*exchange]struct{}{}},
		started:   time.Now(),
	}
	if h.draining == nil {
		h.draining = func() bool { return false }
	}
	h.prefetcher, h.invalidator = optionalInterfaces(deps.Origins)
	var err error
	h.metrics, err = newMetrics(deps.Metrics, h.Active, deps.LimitedStreams, deps.LimitedPerUser)
	return h, err
}

// Start starts the two watchers: for hang-ups, and for access that was revoked. It
// is called once; Stop ends them.
func (h *Handler) Start() {
	ctx, stop := context.WithCancel(context.Background())
	h.stopWatchers = stop
	h.watchers.Go(func() { h.watchHangups(ctx) })
	h.watchers.Go(func() { h.watchAccess(ctx) })
}

// Stop ends the watchers and returns when they have ended. It may be called again.
func (h *Handler) Stop() {
	if h.stopWatchers != nil {
		h.stopWatchers()
	}
	h.watchers.Wait()
}

// Active is how many streams hold a slot.
func (h *Handler) Active() int { return int(h.streams.active.Load()) }

// Running is how many exchanges are registered. It waits for the registry's lock,
// which is held for map operations only.
func (h *Handler) Running() int { return h.exchanges.len() }

// Connections returns the connections of all running exchanges.
func (h *Handler) Connections() map[net.Conn]bool {
	conns := map[net.Conn]bool{}
	for _, x := range h.exchanges.appendTo(nil, all) {
		conns[x.conn] = true
	}
	return conns
}

// Abort ends all running exchanges with a cause, in the middle of a write if need be.
func (h *Handler) Abort(cause error) {
	for _, x := range h.exchanges.appendTo(nil, all) {
		x.abort(cause)
	}
}
