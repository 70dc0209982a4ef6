package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// Gate decides who may watch. Its methods are called from many goroutines; they
// return a *media.Refusal for a no, and a fault when they cannot tell.
type AccessControl interface {
	Authenticate(ctx context.Context, tok media.Token) (media.Viewer, error)
	Authorize(ctx context.Context, v media.Viewer, recordingID int64) (media.Recording, error)
	// Recheck is asked about every running stream at every Config.Recheck; any
	// error ends the stream.
	Recheck(ctx context.Context, v media.Viewer, recordingID int64) error
}

// Origins turns a place into the immutable identity of what lies there. One that
// also has Invalidate(media.Location) is told when an answer turned out to be old.
type Origins interface {
	Stat(ctx context.Context, loc media.Location) (media.Object, error)
}

// Store gives bytes. ctx rules the reader for as long as it lives.
type Store interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error)
}

// Invalidator is implemented by Origins that cache Stat.
type Invalidator interface{ Invalidate(loc media.Location) }

// StatPrefetcher is implemented by Origins that can open the bytes from off on while Stat
// runs. release must be called once the exchange's own reader is open or will not be.
type StatPrefetcher interface {
	StatPrefetch(ctx context.Context, loc media.Location, off int64) (obj media.Object, release func(), err error)
}

// bitrated is the optional power of a reader to read ahead by time: it is told how
// many bytes a second of the lesson has.
type BitrateSetter interface{ Bitrate(bytesPerSecond int64) }

// Deps is what the server needs of the house. Log, Metrics and Now may be nil.
// Without Grants there is no playback/, without Starts no limit of starts, and
// without Captions there are none. Without API only streams and pages are served.
// Changed, which may be nil too, tells by a value that somebody may have lost access:
// running streams are then looked at at once, and not only at every Config.Recheck.
type Deps struct {
	Access   AccessControl
	API      *API
	Origins  Origins
	Store    Store
	Grants   GrantSigner
	Starts   StartCounter
	Captions CaptionLister
	Changed  <-chan struct{}
	Pages    []Page
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Now      func() time.Time
	Version  string
}

// Server is the public listener. Its methods may be called from any goroutine.
type Server struct {
	cfg          Config
	access       AccessControl
	api          *API // nil when there is none
	origins      Origins
	store        Store
	grants       GrantSigner
	starts       StartCounter
	captions     CaptionLister
	changed      <-chan struct{}
	log          *slog.Logger
	now          func() time.Time
	routes       []route
	metrics      *metrics
	labels       metadataCache
	streams      admission
	users        *userSlots
	authFailures *authFailureLimiter
	exchanges    registry
	conns        *connTable
	fast         *fasthttp.Server

	started time.Time // of the clock that waits are measured by

	// base ends, with its cause, when exchanges have to end.
	base    context.Context
	endBase context.CancelCauseFunc

	mu        sync.Mutex     // guards listeners and the order of Serve and Shutdown
	listeners []net.Listener // closed by Shutdown
	draining  atomic.Bool
	stopped   chan struct{} // closed when Shutdown is through

	watchers     sync.WaitGroup
	stopWatchers context.CancelFunc
}

const (
	// headerRoom is for the header fields, requestLineRoom for what stands before
	// them. fasthttp reads both into one buffer and answers 431 beyond it.
	maxHeader      = 16 << 10
	maxRequestLine = 1 << 10
	// bodyRoom is more than any request to us carries.
	maxRequestBody = 64 << 10
	// connRoom is how many connections beyond the streams are taken: idle ones,
	// pages, probes.
	idleConns = 4096
	// borderGrace is how long streams have to reach a piece's border when a drain
	// is over, and as much again to end after their connection was closed.
	abortGrace = time.Second
)

// New builds a server and starts its two watchers; Shutdown ends them.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Access == nil || deps.Origins == nil || deps.Store == nil {
		return nil, fmt.Errorf("proxy: a gate, origins and a store are needed")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Metrics == nil {
		deps.Metrics = prometheus.NewRegistry()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	s := &Server{
		cfg: cfg, access: deps.Access, api: deps.API, origins: deps.Origins, store: deps.Store, log: deps.Log, now: deps.Now,
		grants: deps.Grants, starts: deps.Starts, captions: deps.Captions, changed: deps.Changed,
		streams:      admission{limit: int64(cfg.Limit.Streams)},
		users:        newUserSlots(cfg.Limit.StreamsPerUser),
		authFailures: newAuthFailureLimiter(cfg.Limit.AuthFailures),
		exchanges:    registry{exchanges: map[*exchange]struct{}{}},
		conns:        newConnTable(),
		stopped:      make(chan struct{}),
		started:      time.Now(),
	}
	var err error
	if s.metrics, err = newMetrics(deps.Metrics, s.Active); err != nil {
		return nil, err
	}
	if err := s.buildRoutes(deps.Pages); err != nil {
		return nil, err
	}
	s.fast = s.newFastServer()
	s.base, s.endBase = context.WithCancelCause(context.Background())
	watch, stop := context.WithCancel(context.Background())
	s.stopWatchers = stop
	s.watchers.Go(func() { s.watchHangups(watch) })
	s.watchers.Go(func() { s.recheckAccess(watch) })
	return s, nil
}

func (s *Server) newFastServer() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:      s.handle,
		ErrorHandler: s.handleBadRequest,
		ConnState: func(c net.Conn, state fasthttp.ConnState) {
			switch state {
			case fasthttp.StateNew:
				s.conns.add(c)
			case fasthttp.StateClosed, fasthttp.StateHijacked:
				s.conns.remove(c)
			}
		},
		Logger:         fasthttpLog{s.log},
		ReadBufferSize: maxHeader + maxRequestLine,
		// Headers of a stream are some 700 bytes; what is larger goes in parts.
		WriteBufferSize: 2 << 10,
		// Buffers are taken while a request is read or answered, not while a stream
		// runs or a connection is idle: they would be most of a slow viewer's memory.
		ReduceMemoryUsage: true,
		// The time to read one request, from its first byte on a kept connection
		// and from the start of a new one.
		ReadTimeout: s.cfg.HeaderTimeout,
		IdleTimeout: s.cfg.KeepAlive,
		// Set once when the handler returns: enough for headers and small answers.
		// A stream renews it with every piece.
		WriteTimeout:       s.cfg.WriteIdle,
		MaxRequestBodySize: maxRequestBody,
		Concurrency:        s.cfg.Limit.Streams + idleConns,
		// MaxConnsPerIP stays 0: it would wrap the connection, and sendfile with it.
		TCPKeepalive:                 true,
		CloseOnShutdown:              true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
	}
}

// Serve answers on ln until Shutdown, which makes it return nil. It may be
// called for several listeners at once; after Shutdown it closes ln and returns.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.Draining() {
		s.mu.Unlock()
		return ln.Close()
	}
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	err := s.fast.Serve(Listener{ln})
	if s.Draining() {
		return nil
	}
	return err
}

// Draining tells whether Shutdown has begun.
func (s *Server) Draining() bool { return s.draining.Load() }

// Active is how many streams hold a slot.
func (s *Server) Active() int { return int(s.streams.active.Load()) }

// Shutdown stops accepting, lets running streams go on until ctx ends, then cuts
// them at the border of a piece, and returns when all have ended. It is nil when
// nothing had to be cut, else ctx's error. A second call waits for the first and
// returns nil.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.draining.Swap(true) {
		s.mu.Unlock()
		<-s.stopped
		return nil
	}
	for _, ln := range s.listeners {
		ln.Close() // a second close by fasthttp is harmless
	}
	s.mu.Unlock()
	defer close(s.stopped)

	err := s.fast.ShutdownWithContext(ctx)
	if ctx.Err() == nil {
		err = nil // what is left is that the listeners were closed above
	}
	if err != nil {
		s.abortAll()
	}
	s.endBase(errDrained)
	s.stopWatchers()
	s.watchers.Wait()
	return err
}

// cutAll ends what a drain has left: first at the border of a piece, then, for
// those whose client takes no bytes, in the middle of a write.
func (s *Server) abortAll() {
	s.endBase(errDrained)
	if s.waitForConnections(abortGrace) {
		return
	}
	for _, x := range s.exchanges.appendTo(nil, func(*exchange) bool { return true }) {
		x.abort(errDrained)
	}
	for _, c := range s.conns.list() {
		c.Close()
	}
	if !s.waitForConnections(abortGrace) {
		s.log.Error("connections outlive the shutdown", slog.Int("connections", len(s.conns.list())))
	}
}

// emptied waits until no exchange runs; connections without one are closed.
func (s *Server) waitForConnections(patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	look := time.NewTicker(20 * time.Millisecond) // an exchange may end and its connection stay
	defer look.Stop()
	for {
		busy := map[net.Conn]bool{}
		for _, x := range s.exchanges.appendTo(nil, func(*exchange) bool { return true }) {
			busy[x.conn] = true
		}
		conns := s.conns.list()
		if len(conns) == 0 {
			return true
		}
		for _, c := range conns {
			if !busy[c] {
				c.Close()
			}
		}
		select {
		case <-s.conns.removed:
		case <-look.C:
		case <-timer.C:
			return false
		}
	}
}

// handleBadRequest answers what could not be read as a request. The texts say
// nothing of what was sent.
func (s *Server) handleBadRequest(c *fasthttp.RequestCtx, err error) {
	n := s.newNote(c)
	n.Route, n.Method = "", ""
	var netErr net.Error
	var small *fasthttp.ErrSmallBuffer
	p := problem{status: statusBadRequest, Detail: "The request cannot be understood.", Code: codeBadRequest}
	switch {
	case errors.As(err, &small):
		p = problem{status: statusHeadersTooLarge, Detail: "The request's headers are too large.", Code: codeHeadersTooLarge}
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p = problem{status: statusTooLarge, Detail: "The request's body is too large.", Code: codeTooLarge}
	case errors.As(err, &netErr) && netErr.Timeout():
		p = problem{status: statusTimeout, Detail: "The request did not arrive in time.", Code: codeRequestTimeout}
	}
	if p.status != statusTimeout {
		discardPending(c.Conn())
	}
	c.Conn().SetWriteDeadline(time.Now().Add(s.cfg.HeaderTimeout))
	writeProblem(&c.Response, p)
	n.Code = p.Code
	s.recordAnswered(c, n)
}

// discardPending takes what the client has already sent off the socket. Closing
// a connection with unread bytes sends a reset, which would overtake the answer.
func discardPending(conn net.Conn) {
	if conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)) != nil {
		return
	}
	buf := make([]byte, 16<<10)
	for taken := 0; taken < 1<<20; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		taken += n
	}
}

// fastLog takes what fasthttp has to say.
type fasthttpLog struct{ log *slog.Logger }

// Printf implements fasthttp.Logger. What went wrong on one connection is left
// out: it stands in the access log, and fasthttp's text quotes the request, with
// a token in it perhaps. What is left concerns the listener.
func (l fasthttpLog) Printf(format string, args ...any) {
	if strings.HasPrefix(format, "error when serving connection") {
		return
	}
	l.log.Warn("fasthttp", slog.String("message", fmt.Sprintf(format, args...)))
}
