package proxy

import (
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// bases are the base paths of the API: the platform's, a short one, and the one that
// people write when they mix the two up.
var bases = [...]string{"/schedule/api", "/api", "/api/schedule"}

// handle is fasthttp's handler. fasthttp does not recover from a panic in it; handle
// does, so that one request cannot end the streams of all users.
func (s *Server) handle(c *fasthttp.RequestCtx) {
	var rec accesslog.Record
	defer func() {
		if p := recover(); p != nil {
			if rec.Began.IsZero() { // what a connection remembers was looked at
				rec = s.beginRecord(c)
			}
			s.records.WritePanic(rec.ID(), p)
			s.resetResponse(c)
			respond.Error(&c.Response, respond.ProblemOfRefusal(media.Refuse(respond.CodeInternal, "")))
			rec.Code, rec.Outcome = respond.CodeInternal, "panic"
			s.records.WriteAnswered(c, rec)
		}
	}()
	dropTrailers(&c.Request.Header)
	s.commonHeaders(c)
	draining := s.Draining()
	if !draining && s.streams.ServeRepeat(c) {
		return
	}
	rec = s.beginRecord(c)
	if draining {
		c.SetConnectionClose()
	}
	if p, refused := refuseMessage(&c.Request.Header); refused {
		c.SetConnectionClose()
		discardPending(c.Conn())
		respond.ErrorFor(c, p)
		rec.Code = p.Code
		s.records.WriteAnswered(c, rec)
		return
	}
	path, method := string(c.Path()), string(c.Method())
	if method == fasthttp.MethodOptions && string(c.Request.Header.RequestURI()) == "*" { // the server as a whole
		c.Response.Header.Set("Allow", corsMethods)
		c.SetStatusCode(http.StatusNoContent)
		s.records.WriteAnswered(c, rec)
		return
	}
	for i := range s.routes {
		r := &s.routes[i]
		id, ok := r.Match(path)
		if !ok {
			continue
		}
		rec.Route = r.Pattern
		switch {
		case !r.Allows(method):
			c.Response.Header.Set("Allow", r.Allow)
			respond.ErrorFor(c, respond.Problem{Status: http.StatusMethodNotAllowed, Detail: "Method \"" + method + "\" not allowed."})
			s.records.WriteAnswered(c, rec)
		case method == fasthttp.MethodOptions:
			c.Response.Header.Set("Allow", r.Allow)
			c.SetStatusCode(http.StatusNoContent)
			s.records.WriteAnswered(c, rec)
		default:
			r.Serve(c, rec, id)
		}
		return
	}
	respond.ErrorFor(c, respond.ProblemOfRefusal(media.Refuse(media.CodeNotFound, "Not found.")))
	rec.Code = media.CodeNotFound
	s.records.WriteAnswered(c, rec)
}

// dropTrailers removes what came behind a chunked body. fasthttp returns it as fields of the
// header section, and no field that is used here may come there (RFC 9110 section 6.5.1). A
// field that is in both sections is removed from both.
func dropTrailers(h *fasthttp.RequestHeader) {
	var names []string // removing one changes what PeekTrailerKeys has returned
	for _, name := range h.PeekTrailerKeys() {
		names = append(names, string(name))
	}
	for _, name := range names {
		h.Del(name)
	}
}

// beginRecord starts the access record of a request.
func (s *Server) beginRecord(c *fasthttp.RequestCtx) accesslog.Record {
	client, trusted := s.links.Client(c)
	return s.records.Begin(c, client, trusted)
}
