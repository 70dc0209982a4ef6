package proxy

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
	"github.com/lectiospace/lectern/internal/requestline"
)

var (
	problemLongTarget  = respond.Problem{Status: http.StatusRequestURITooLong, Detail: "The request target is too long.", Code: respond.CodeTargetTooLong}
	problemVersion     = respond.Problem{Status: http.StatusHTTPVersionNotSupported, Detail: "Only HTTP/1.1 and HTTP/1.0 are spoken here.", Code: respond.CodeVersion}
	problemMalformed   = respond.Problem{Status: http.StatusBadRequest, Detail: "The request cannot be understood.", Code: respond.CodeBadRequest}
	problemCoding      = respond.Problem{Status: http.StatusNotImplemented, Detail: "The only transfer coding is chunked.", Code: respond.CodeCoding}
	problemUserinfo    = respond.Problem{Status: http.StatusBadRequest, Detail: "The host has a user name.", Code: respond.CodeBadRequest}
	problemExpectation = respond.Problem{Status: http.StatusExpectationFailed, Detail: "Only 100-continue can be expected.", Code: respond.CodeExpectation}
	problemLargeBody   = respond.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The request's body is too large.", Code: respond.CodeTooLarge}
)

// refuseMessage is why a request that fasthttp parses is refused whatever it asks for.
// Userinfo in the authority can dress a name up as another (RFC 9110 section 4.2.4), and another
// major version has another syntax (RFC 9112 section 2.3).
func refuseMessage(h *fasthttp.RequestHeader) (_ respond.Problem, refused bool) {
	target := h.RequestURI()
	switch {
	case !strings.HasPrefix(string(h.Protocol()), "HTTP/1."):
		return problemVersion, true
	case len(h.Peek(malformed)) > 0:
		return problemMalformed, true
	case len(target) > requestline.MaxTarget:
		return problemLongTarget, true
	case requestline.HasUserinfo(string(h.Peek("Host")), string(target)):
		return problemUserinfo, true
	case !requestline.ValidTarget(string(target)):
		return problemMalformed, true
	}
	return respond.Problem{}, false
}

// malformed is set in a request whose framing another server may read in another way.
const malformed = "X-Lectern-Malformed"

// unknownExpectation is set in a request whose Expect is not 100-continue. fasthttp would
// read its body first; as an expectation of 100-continue it comes to expect without.
const unknownExpectation = "X-Lectern-Unknown-Expectation"

// headerReceived is called before a body is read.
func (s *Server) headerReceived(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if !requestline.WellFormed(h.RawHeaders()) || !requestline.ValidHost(string(h.Host())) {
		// Where the body ends is uncertain, so none is read, nor waited for.
		h.SetContentLength(0)
		h.Del("Expect")
		h.Set(malformed, "1")
		return fasthttp.RequestConfig{}
	}
	expected := h.Peek("Expect")
	if len(expected) > 0 && h.IsHTTP11() && !strings.EqualFold(string(expected), "100-continue") {
		h.Set("Expect", "100-continue")
		h.Set(unknownExpectation, "1")
	}
	config := fasthttp.RequestConfig{MaxRequestBodySize: s.bodyLimit(h, func() bool { return s.signedIn(h) })}
	if config.MaxRequestBodySize > maxRequestBody {
		config.ReadTimeout = max(largeBodyTimeout, s.cfg.HeaderTimeout)
	}
	return config
}

// largeBodyTimeout is the time that a large body may take: 2 MiB of captions at 300 kbit/s.
const largeBodyTimeout = time.Minute

// bodyLimit bounds a request's body, in bytes. What replaces a resource as a whole may be
// larger than what changes it, and some resources are larger than most. fasthttp holds the
// whole body before a handler sees the request. So a larger one is read only where there is
// something to replace, and of a user who is signed in, which signedIn reports.
func (s *Server) bodyLimit(h *fasthttp.RequestHeader, signedIn func() bool) int {
	if !h.IsPut() || h.ContentLength() >= 0 && h.ContentLength() <= maxRequestBody {
		return maxRequestBody
	}
	if limit := s.putLimit(h); limit > maxRequestBody && signedIn() {
		return limit
	}
	return maxRequestBody
}

// signedIn reports whether a request has a valid token of any kind, also in a cookie that a page of
// another site had the browser send. The handler decides what the token permits.
func (s *Server) signedIn(h *fasthttp.RequestHeader) bool {
	tokens := append(credentials.SessionCookies(h), credentials.EmbedCookies(h)...)
	if token, refusal := credentials.BearerOf(h); refusal == nil {
		tokens = []media.Token{token}
	}
	return slices.ContainsFunc(tokens, func(t media.Token) bool {
		_, err := s.access.Authenticate(s.base, t)
		return err == nil
	})
}

// putLimit is the largest body of the route that a PUT is for.
func (s *Server) putLimit(h *fasthttp.RequestHeader) int {
	if r := s.putRoute(h); r != nil {
		return max(maxPutBody, r.MaxBody)
	}
	return maxRequestBody
}

// putRoute is the route that a PUT is for, by the path that it means: in whatever form its
// target has, and however that is encoded. nil: there is none.
func (s *Server) putRoute(h *fasthttp.RequestHeader) *route.Route {
	var target fasthttp.URI
	if target.Parse(h.Host(), h.RequestURI()) != nil {
		return nil
	}
	path := string(target.Path())
	for i := range s.routes {
		r := &s.routes[i]
		if _, ok := r.Match(path); ok {
			if r.Allows(fasthttp.MethodPut) {
				return r
			}
			return nil
		}
	}
	return nil
}

// refuseLarge has the handler of a route that takes large bodies refuse one that is larger
// yet, and was not read. false: the request is for no such route.
func (s *Server) refuseLarge(c *fasthttp.RequestCtx) bool {
	if !c.IsPut() {
		return false
	}
	if r := s.putRoute(&c.Request.Header); r == nil || r.MaxBody == 0 {
		return false
	}
	c.Request.ResetBody()
	c.SetConnectionClose()
	route.SetBodyUnread(c)
	s.handle(c)
	return true
}

// expect answers a request that waits with its body (RFC 9110 section 10.1.1): 100 when
// the body is wanted, else the final status, with its answer in the response.
func (s *Server) expect(c *fasthttp.RequestCtx) int {
	h := &c.Request.Header
	signedIn := sync.OnceValue(func() bool { return s.signedIn(h) })
	switch {
	case len(h.Peek(unknownExpectation)) > 0:
		s.refuse(c, problemExpectation)
	case h.ContentLength() > s.bodyLimit(h, signedIn):
		if !s.refuseLarge(c) {
			s.refuse(c, problemLargeBody)
		}
	case s.wantsBody(c, signedIn):
		return http.StatusContinue
	default:
		s.handle(c) // refuses before it looks at a body
	}
	return c.Response.StatusCode()
}

// wantsBody reports whether a request is not refused by its headers. It counts no failure
// against the client: handle does.
func (s *Server) wantsBody(c *fasthttp.RequestCtx, signedIn func() bool) bool {
	if _, refused := refuseMessage(&c.Request.Header); refused {
		return false
	}
	path, method := string(c.Path()), string(c.Method())
	for i := range s.routes {
		r := &s.routes[i]
		if _, ok := r.Match(path); !ok {
			continue
		}
		if method == fasthttp.MethodGet || method == fasthttp.MethodHead || method == fasthttp.MethodOptions || !r.Allows(method) {
			return r.Allows(method)
		}
		return r.SignsIn || signedIn()
	}
	return false
}

// refuse answers a request that no handler saw.
func (s *Server) refuse(c *fasthttp.RequestCtx, p respond.Problem) {
	rec := s.beginRecord(c)
	s.commonHeaders(c)
	respond.Error(&c.Response, p)
	rec.Code = p.Code
	s.records.WriteAnswered(c, rec)
}
