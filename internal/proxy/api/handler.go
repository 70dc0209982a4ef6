// Package api serves the recordings API of the platform, playback grants and captions.
// The refusals of the recordings API have the platform's own texts and shape; their
// statuses are mapped in package respond.
package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// timeout bounds a request to the API; each of its queries has a bound of its own.
const timeout = 10 * time.Second

// Config of the API.
type Config struct {
	// StreamBase is the base path of the streams that recordings link to.
	StreamBase string
	// DirectStreamThreshold is the size, in bytes, above which a recording on Drive is
	// announced as the gateway's own stream; 0 = always.
	DirectStreamThreshold int64
	// OriginTimeout bounds a request for a playback grant, which asks the origin.
	OriginTimeout time.Duration
}

// Deps is what a Handler needs. Services, Grants, Starts and Captions may be nil.
type Deps struct {
	Access   Access
	Services *Services // nil: no recordings API
	Origins  Origins
	Grants   GrantSigner   // nil: no playback grants
	Starts   StartCounter  // nil: starts are not limited
	Captions CaptionLister // nil: grants list no captions
	Prefetch Prefetcher    // nil: nothing is read for a grant
	Links    forwarded.Resolver
	// Base ends, with a cause, when all requests have to end.
	Base    context.Context
	Records *accesslog.Log
	Now     func() time.Time
}

// Handler serves the API. Its methods may be called from any goroutine.
type Handler struct {
	Deps
	cfg Config
}

// New builds a Handler.
func New(cfg Config, deps Deps) *Handler { return &Handler{Deps: deps, cfg: cfg} }

// request is one request to the API.
type request struct {
	h      *Handler
	c      *fasthttp.RequestCtx
	ctx    context.Context
	id     int64 // in the path, or 0
	viewer media.Viewer
}

// response is a status and what is written as JSON, or a csvFile; nil = nothing.
type response struct {
	status int
	body   any
}

// methods are what a route does for each HTTP method, nil for those it lacks. HEAD is
// GET without its body.
type methods struct {
	get, post, put, patch, remove func(*request) (response, error)
	// embedded is whether an embedded player may send the requests of its user.
	embedded bool
}

func (a methods) allow() string {
	var methods []string
	for _, m := range []struct {
		name string
		does func(*request) (response, error)
	}{{"GET, HEAD", a.get}, {"POST", a.post}, {"PUT", a.put}, {"PATCH", a.patch}, {"DELETE", a.remove}} {
		if m.does != nil {
			methods = append(methods, m.name)
		}
	}
	return strings.Join(append(methods, "OPTIONS"), ", ")
}

func (a methods) of(method string) func(*request) (response, error) {
	switch method {
	case fasthttp.MethodPost:
		return a.post
	case fasthttp.MethodPut:
		return a.put
	case fasthttp.MethodPatch:
		return a.patch
	case fasthttp.MethodDelete:
		return a.remove
	default:
		return a.get
	}
}

// Routes are the routes below one base path, as "/schedule/api".
func (h *Handler) Routes(base string) []route.Route {
	var out []route.Route
	if h.Grants != nil {
		out = append(out, h.playbackRoute(base))
	}
	if h.Services == nil {
		return out
	}
	for _, r := range []struct {
		path string
		methods
	}{
		{"/recordings/", methods{get: (*request).studentList}},
		{"/recordings/teacher/", methods{get: (*request).teacherList}},
		{"/recordings/progress/", methods{get: (*request).progress}},
		{"/recordings/{id}/", methods{get: (*request).detail, patch: (*request).rename, remove: (*request).remove}},
		{"/recordings/{id}/delete/", methods{remove: (*request).remove}},
		{"/recordings/{id}/restore/", methods{post: (*request).restore}},
		{"/recordings/{id}/view/", methods{post: (*request).view, embedded: true}},
		{"/recordings/{id}/resync/", methods{post: (*request).resync}},
		{"/lessons/{id}/recording/", methods{get: (*request).lessonRecording}},
		{"/search/", methods{get: (*request).find}},
		{"/storage/quota/", methods{get: (*request).ownQuota}},
		{"/storage/quotas/", methods{get: (*request).quotaList}},
		{"/storage/quotas/{id}/", methods{get: (*request).quotaDetail}},
		{"/storage/quotas/{id}/increase/", methods{post: (*request).raiseQuota}},
		{"/storage/statistics/", methods{get: (*request).statistics}},
	} {
		out = append(out, route.Route{Pattern: base + r.path, OptionalSlash: true, Allow: r.allow(), Serve: h.serve(r.methods)})
	}
	if h.Services.Companions != nil {
		out = append(out, h.companionRoutes(base)...)
	}
	if h.Services.WatchStates != nil {
		out = append(out, h.watchStateRoutes(base)...)
	}
	if h.Services.Chapters != nil {
		out = append(out, h.chapterRoutes(base)...)
	}
	return append(out, route.Route{Pattern: base + "/recordings/{id}/captions/{lang}.vtt", Allow: "GET, HEAD, PUT, DELETE, OPTIONS", MaxBody: maxCaptions + 1, Serve: h.captionRoute()})
}

// serve answers a route of the recordings API.
func (h *Handler) serve(m methods) func(*fasthttp.RequestCtx, accesslog.Record, int64) {
	return func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
		ctx, cancel := context.WithTimeoutCause(h.Base, timeout, respond.ErrTimeout)
		defer cancel()
		x := &request{h: h, c: c, ctx: ctx, id: id}
		if strings.Contains(rec.Route, "/recordings/{id}/") {
			rec.Recording = id
		}
		respond.Headers(&c.Response.Header, "no-store")
		began := h.Now()
		err := x.authenticate(rec.Client, m.embedded)
		rec.Auth, rec.User = h.Now().Sub(began), x.viewer.User.ID
		var out response
		if err == nil {
			began = h.Now()
			out, err = m.of(string(c.Method()))(x)
			rec.Catalog = h.Now().Sub(began)
		}
		if err != nil {
			x.refuse(&rec, err)
		} else if out.body == nil {
			c.SetStatusCode(out.status)
		} else if file, ok := out.body.(csvFile); ok {
			file.write(&c.Response)
		} else {
			respond.JSON(&c.Response, out.status, out.body)
		}
		c.Response.SkipBody = c.IsHead()
		h.Records.WriteAnswered(c, rec)
	}
}

// entry is the recording of the path as the viewer may see it, or a refusal.
func (x *request) entry() (library.Entry, error) {
	e, m, err := x.h.Services.Recordings.Entry(x.ctx, x.id, x.viewer.User.ID)
	if media.KindOf(err) == media.NotFound {
		return e, media.Refuse(media.CodeNotFound, "There is no such recording.")
	}
	if err != nil {
		return e, err
	}
	return e, x.h.Services.Viewability.CheckViewable(x.viewer, e.Recording, m)
}

// requireRole refuses all roles but one, with a text of the platform's.
func (x *request) requireRole(role media.Role, otherwise string) error {
	if x.viewer.User.Role != role {
		return textError(http.StatusForbidden, otherwise)
	}
	return nil
}

// query is a parameter of the URL's query, which has to be valid UTF-8.
func (x *request) query(name string) (string, error) {
	text := string(x.c.QueryArgs().Peek(name))
	if strings.ToValidUTF8(text, "") != text || strings.ContainsRune(text, 0) {
		return "", textError(http.StatusBadRequest, fmt.Sprintf("Параметр %s не является текстом", name))
	}
	return text, nil
}
