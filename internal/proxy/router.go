package proxy

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// bases are where the API stands: the platform's place, a short one, and the
// one people write when they mix the two up.
var bases = [...]string{"/schedule/api", "/api", "/api/schedule"}

// route is one place of the public listener.
type route struct {
	// pattern is the path, in which one segment may be {id}: a positive decimal
	// number of 63 bits. A {lang} in the last one is any word.
	pattern string
	// slash tells that one final slash more or less makes no difference.
	slash bool
	// allow lists the methods, as the header Allow.
	allow string
	// serve answers; n is the account of the request so far, id that of the path
	// or 0. It sees to it that the account is recorded.
	serve func(c *fasthttp.RequestCtx, n Record, id int64)
}

// match tells whether path is this route's, and the id in it.
func (r *route) match(path string) (id int64, ok bool) {
	pattern := r.pattern
	if r.slash {
		path, pattern = strings.TrimSuffix(path, "/"), strings.TrimSuffix(pattern, "/")
	}
	before, after, variable := strings.Cut(pattern, "{id}")
	if !variable {
		return 0, path == pattern
	}
	if head, tail, two := strings.Cut(after, "{lang}"); two {
		return matchTwo(path, before, head, tail)
	}
	if len(path) <= len(before)+len(after) || !strings.HasPrefix(path, before) || !strings.HasSuffix(path, after) {
		return 0, false
	}
	return readID(path[len(before) : len(path)-len(after)])
}

// matchTwo matches a path with an id and a word without a slash.
func matchTwo(path, before, between, after string) (id int64, ok bool) {
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return 0, false
	}
	number, word, ok := strings.Cut(rest, between)
	if !ok || len(word) <= len(after) || !strings.HasSuffix(word, after) || strings.Contains(word, "/") {
		return 0, false
	}
	return readID(number)
}

// readID reads a positive decimal number, digits only.
func readID(s string) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id > 0
}

// allows looks for a method in allow.
func (r *route) allows(method string) bool {
	for m := range strings.SplitSeq(r.allow, ", ") {
		if m == method {
			return true
		}
	}
	return false
}

// routes builds the table: the API under every base, then the pages.
func (s *Server) buildRoutes(pages []Page) error {
	for _, base := range bases {
		s.routes = append(s.routes, route{
			pattern: base + "/recordings/{id}/stream/", slash: true,
			allow: "GET, HEAD, OPTIONS", serve: s.serveStream,
		})
		if s.grants != nil {
			s.routes = append(s.routes, s.playbackRoute(base))
		}
	}
	if s.api != nil {
		for _, base := range bases {
			s.routes = append(s.routes, s.apiRoutes(base)...)
		}
	}
	seen := map[string]bool{}
	for _, p := range pages {
		r, err := s.pageRoute(p)
		if err != nil {
			return err
		}
		if seen[p.Path] {
			return fmt.Errorf("page %q is there twice", p.Path)
		}
		seen[p.Path] = true
		s.routes = append(s.routes, r)
	}
	return nil
}

// handle is fasthttp's handler. fasthttp does not recover from a panic in it, so
// this does: one bad exchange must not end everybody's lesson.
func (s *Server) handle(c *fasthttp.RequestCtx) {
	n := s.newNote(c)
	defer func() {
		if p := recover(); p != nil {
			s.logPanic(n.RequestID, p)
			c.Response.Reset() // also closes a body that was set already
			s.cors(c)
			writeProblem(&c.Response, problemOfRefusal(media.Refuse(codeInternal, "")))
			n.Code, n.Outcome = codeInternal, "panic"
			s.recordAnswered(c, n)
		}
	}()
	if s.Draining() {
		c.SetConnectionClose()
	}
	s.cors(c)
	path, method := string(c.Path()), string(c.Method())
	for i := range s.routes {
		r := &s.routes[i]
		id, ok := r.match(path)
		if !ok {
			continue
		}
		n.Route = r.pattern
		switch {
		case !r.allows(method):
			c.Response.Header.Set("Allow", r.allow)
			writeProblem(&c.Response, problem{status: statusMethod, Detail: "Method \"" + method + "\" not allowed."})
			s.recordAnswered(c, n)
		case method == fasthttp.MethodOptions:
			c.Response.Header.Set("Allow", r.allow)
			c.SetStatusCode(statusNoContent)
			s.recordAnswered(c, n)
		default:
			r.serve(c, n, id)
		}
		return
	}
	writeProblem(&c.Response, problemOfRefusal(media.Refuse(media.CodeNotFound, "Not found.")))
	n.Code = media.CodeNotFound
	s.recordAnswered(c, n)
}

// recordAnswered logs an exchange whose whole answer stands in the response.
func (s *Server) recordAnswered(c *fasthttp.RequestCtx, n Record) {
	n.Status = c.Response.StatusCode()
	if n.Outcome == "" {
		n.Outcome = "complete"
		if n.Status >= statusBadRequest {
			n.Outcome = "refused"
		}
	}
	if !c.IsHead() {
		n.Bytes = int64(len(c.Response.Body()))
	}
	s.record(&n)
}

func (s *Server) logPanic(requestID string, p any) {
	s.log.Error("panic", slog.String("request_id", requestID), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
}
