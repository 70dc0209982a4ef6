package proxy

import (
	"context"
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
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/api"
	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
	"github.com/lectiospace/lectern/internal/proxy/oembed"
	"github.com/lectiospace/lectern/internal/proxy/openapi"
	"github.com/lectiospace/lectern/internal/proxy/pages"
	"github.com/lectiospace/lectern/internal/proxy/route"
	"github.com/lectiospace/lectern/internal/proxy/sessions"
	"github.com/lectiospace/lectern/internal/proxy/signin"
	"github.com/lectiospace/lectern/internal/proxy/stream"
)

// AccessControl decides who may watch. Its methods are called from many goroutines;
// they return a *media.Refusal for a refusal, and another error when they cannot
// decide.
type AccessControl interface {
	// Authenticate returns the user of a token.
	Authenticate(ctx context.Context, tok media.Token) (media.Viewer, error)
	// Authorize returns the recording when the viewer may watch it.
	Authorize(ctx context.Context, v media.Viewer, recordingID int64) (media.Recording, error)
	// Recheck is called for every running stream at every Config.Recheck; any
	// error ends the stream.
	Recheck(ctx context.Context, v media.Viewer, recordingID int64) error
}

// Deps is what the server needs. Access, Origins and Store are required.
type Deps struct {
	Access   AccessControl
	API      *api.Services       // nil: only streams, grants and pages are served
	Origins  stream.Origins      // see there for its optional interfaces
	Store    stream.Store        //
	Grants   api.GrantSigner     // nil: no playback/
	Starts   stream.StartCounter // nil: starts are not limited
	Captions api.CaptionLister   // nil: grants list no captions
	Sessions *sessions.Services  // nil: no /session
	SignIn   *signin.Services    // nil: no /signin
	Prefetch api.Prefetcher      // nil: nothing is read for a grant
	// Companions finds what accompanies recordings, as old as the access rule's facts may be;
	// nil: no companions are streamed.
	Companions stream.Companions
	// Changed receives a value when somebody may have lost access: running streams
	// are then checked at once, and not only at every Config.Recheck. May be nil.
	Changed <-chan struct{}
	// Playbacks traces playbacks; nil = none.
	Playbacks stream.PlaybackTracer
	Pages     []pages.Page
	// Ready is whether this gateway should get requests, as /readyz answers; nil: until
	// Shutdown. It is called for each probe, by anybody, and must be cheap.
	Ready   func(ctx context.Context) bool
	Log     *slog.Logger          // nil: discarded
	Metrics prometheus.Registerer // nil: not exposed
	Now     func() time.Time      // nil: time.Now
}

// Server is the public listener. Its methods may be called from any goroutine.
type Server struct {
	cfg     Config
	log     *slog.Logger
	records *accesslog.Log
	links   forwarded.Resolver
	// httpsOnly: the public URL is https, and browsers are to use no other.
	httpsOnly bool
	access    AccessControl
	streams   *stream.Handler
	routes    []route.Route
	conns     *connTable
	fast      *fasthttp.Server

	// base ends, with its cause, when all requests have to end.
	base    context.Context
	endBase context.CancelCauseFunc

	mu        sync.Mutex     // orders Serve and Shutdown
	listeners []net.Listener // closed by Shutdown; guarded by mu
	draining  atomic.Bool
	stopped   chan struct{} // closed at the end of Shutdown

	accepting acceptLoops
	locks     lockProbe
}

const (
	// maxHeader bounds the header fields, maxRequestLine what precedes them. fasthttp
	// reads both into one buffer and answers 431 beyond it.
	maxHeader      = 16 << 10
	maxRequestLine = 1 << 10
	// maxRequestBody is more than any request carries but for PUT, whose largest body are
	// 200 chapters with titles of 200 escaped characters.
	maxRequestBody = 64 << 10
	maxPutBody     = 512 << 10
	// idleConns is how many connections are accepted beyond the streams: idle ones,
	// pages, probes.
	idleConns = 4096
)

// New builds a server and starts the watchers of its streams; Shutdown ends them.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Access == nil || deps.Origins == nil || deps.Store == nil {
		return nil, fmt.Errorf("proxy: access control, origins and a store are needed")
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
		cfg: cfg, log: deps.Log, records: accesslog.New(accesslog.Lines(cfg.AccessLog), deps.Log, deps.Now),
		links:     forwarded.Resolver{PublicURL: cfg.PublicURL, TrustedProxies: cfg.TrustedProxies},
		conns:     newConnTable(),
		httpsOnly: strings.HasPrefix(strings.ToLower(cfg.PublicURL), "https://"),
		stopped:   make(chan struct{}),
	}
	s.access = deps.Access
	s.base, s.endBase = context.WithCancelCause(context.Background())
	s.fast = s.newFastServer()
	if err := s.wire(deps); err != nil {
		return nil, err
	}
	s.streams.Start()
	return s, nil
}

// wire builds the handlers and the table of their routes: the streams first, which are
// most of the requests, then the API, each under every base, then the pages.
func (s *Server) wire(deps Deps) error {
	limited, err := newLimitedCounter(deps.Metrics)
	if err != nil {
		return err
	}
	access := &requestAccess{
		AccessControl: deps.Access,
		failures:      newAuthFailureLimiter(s.cfg.Limit.AuthFailures),
		limited:       limited.WithLabelValues(limitFailures),
		now:           deps.Now,
	}
	starts := countedStarts(deps.Starts, limited.WithLabelValues(limitPlaybacks))
	s.streams, err = stream.New(stream.Config{
		Streams: s.cfg.Limit.Streams, StreamsPerUser: s.cfg.Limit.StreamsPerUser, StreamRate: int64(s.cfg.Limit.StreamRate),
		WriteIdle: s.cfg.WriteIdle, KeepAlive: s.cfg.KeepAlive, OriginTimeout: s.cfg.OriginTimeout, Recheck: s.cfg.Recheck,
	}, stream.Deps{
		Access: access, Origins: deps.Origins, Store: deps.Store, Starts: starts, Changed: deps.Changed, Playbacks: deps.Playbacks, Companions: deps.Companions, Links: s.links,
		Base: s.base, Draining: s.Draining, ResetResponse: s.resetResponse,
		LimitedStreams: limited.WithLabelValues(limitStreams), LimitedPerUser: limited.WithLabelValues(limitStreamsPerUser),
		Records: s.records, Log: s.log, Metrics: deps.Metrics, Now: deps.Now,
	})
	if err != nil {
		return err
	}
	limitedAccess := apiAccess{access, newUserRate(s.cfg.Limit.APIRate), limited.WithLabelValues(limitAPI)}
	recordings := api.New(api.Config{
		StreamBase: bases[0], DirectStreamThreshold: int64(s.cfg.DirectStreamThreshold), OriginTimeout: s.cfg.OriginTimeout,
	}, api.Deps{
		Access: limitedAccess, Services: deps.API, Origins: deps.Origins, Grants: deps.Grants, Starts: starts, Captions: deps.Captions, Prefetch: deps.Prefetch,
		Links: s.links, Base: s.base, Records: s.records, Now: deps.Now,
	})
	for _, base := range bases {
		s.routes = append(s.routes, route.Route{
			Pattern: base + "/recordings/{id}/stream/", OptionalSlash: true, Allow: "GET, HEAD, OPTIONS", Serve: s.streams.Serve,
		})
		if deps.Companions != nil {
			pattern := base + "/recordings/{id}/companions/{cid}/stream/"
			s.routes = append(s.routes, route.Route{Pattern: pattern, OptionalSlash: true, Allow: "GET, HEAD, OPTIONS", Serve: s.streams.ServeCompanion(pattern)})
			for _, name := range derivedNames {
				s.routes = append(s.routes, route.Route{Pattern: base + "/recordings/{id}/" + name, Allow: "GET, HEAD, OPTIONS", Serve: s.streams.ServeDerived})
			}
		}
	}
	for _, base := range bases {
		s.routes = append(s.routes, recordings.Routes(base)...)
	}
	if deps.Sessions != nil {
		s.routes = append(s.routes, sessions.New(sessions.Config{TTL: s.cfg.SessionTTL, PagesBase: bases[1], SignIn: s.cfg.SignIn, Embedding: len(s.cfg.Embed.Origins) > 0}, sessions.Deps{
			Services: *deps.Sessions, Access: limitedAccess, Links: s.links, Base: s.base, Records: s.records, Now: deps.Now,
		}).Routes()...)
	}
	if deps.SignIn != nil {
		s.routes = append(s.routes, signin.New(s.cfg.SessionTTL, signin.Deps{
			Services: *deps.SignIn, Limit: access.Limit, Links: s.links, Base: s.base, Records: s.records, Now: deps.Now,
		}).Routes()...)
	}
	if len(s.cfg.Embed.Origins) > 0 {
		s.routes = append(s.routes, oembed.Route(s.links, s.records))
	}
	s.routes = append(s.routes, route.Route{Pattern: "/readyz", Allow: "GET, HEAD, OPTIONS", Serve: s.readyz(deps.Ready)})
	description, err := descriptionPages()
	if err != nil {
		return err
	}
	documents, err := pages.Routes(append(description, deps.Pages...), s.records)
	s.routes = append(s.routes, documents...)
	return err
}

// descriptionPages are the description of the API, below every base. Its addresses never
// change, so it is revalidated like a page.
func descriptionPages() (out []pages.Page, err error) {
	body, err := openapi.Document()
	for _, base := range bases {
		out = append(out, pages.Page{Path: base + "/openapi.json", ContentType: openapi.ContentType, Body: body})
	}
	return out, err
}

// derivedNames are the files made of recordings that have addresses of their own.
var derivedNames = []string{media.PosterName, "storyboard.vtt", "storyboard.jpg", "storyboard-{lang}.jpg"}

func (s *Server) newFastServer() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:        s.handle,
		ErrorHandler:   s.handleUnreadable,
		HeaderReceived: s.headerReceived,
		ExpectHandler:  s.expect,
		ConnState: func(c net.Conn, state fasthttp.ConnState) {
			if corked, ok := c.(*corkedconn.Conn); ok {
				corked.BetweenMessages = state == fasthttp.StateIdle
			}
			switch state {
			case fasthttp.StateNew:
				s.conns.add(c)
			case fasthttp.StateClosed, fasthttp.StateHijacked:
				s.streams.ConnectionClosed(c)
				s.conns.remove(c)
			}
		},
		Logger:         fasthttpLog{s.log},
		ReadBufferSize: maxHeader + maxRequestLine,
		// Headers of a stream are some 700 bytes; larger ones are written in parts.
		WriteBufferSize: 1 << 10,
		// Buffers are held while a request is read or answered, not while a stream runs
		// or a connection is idle: they would be most of a slow viewer's memory.
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
		// MaxConnsPerIP stays 0: it would wrap the connection, and hide sendfile.
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
	if !s.register(ln) {
		return ln.Close()
	}
	s.accepting.begin()
	defer s.accepting.end()
	err := s.fast.Serve(corkedconn.NewListener(ln))
	if s.Draining() {
		return nil
	}
	return err
}

// register has Shutdown close ln; false when Shutdown has begun already.
func (s *Server) register(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Draining() {
		return false
	}
	s.listeners = append(s.listeners, ln)
	return true
}

// Draining reports whether Shutdown has begun.
func (s *Server) Draining() bool { return s.draining.Load() }

// Active is how many streams hold a slot.
func (s *Server) Active() int { return s.streams.Active() }

// resetResponse empties a response and sets again what every response has.
func (s *Server) resetResponse(c *fasthttp.RequestCtx) {
	c.Response.Reset() // also closes a body that was set already
	s.commonHeaders(c)
}

// fasthttpLog passes fasthttp's messages on.
type fasthttpLog struct{ log *slog.Logger }

// Printf implements fasthttp.Logger. Errors of one connection are left out: the access
// log has them, and fasthttp's text quotes the request, which may contain a token. The
// other messages concern the listener.
func (l fasthttpLog) Printf(format string, args ...any) {
	if strings.HasPrefix(format, "error when serving connection") {
		return
	}
	l.log.Warn("fasthttp", slog.String("message", fmt.Sprintf(format, args...)))
}
