package proxy

import (
	"slices"

	"github.com/valyala/fasthttp"
)

// What a page of another origin may read and send (Fetch standard, CORS
// protocol). A range header counts among the safelisted ones in current
// browsers, older ones ask first.
const (
	corsExposed = "Accept-Ranges, Content-Range, Content-Length, ETag, Last-Modified, Repr-Digest, Cache-Status, Server-Timing, Content-Disposition, Retry-After"
	corsMethods = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
	corsHeaders = "Authorization, Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, Want-Repr-Digest, Content-Type"
	corsMaxAge  = "7200" // the longest Chromium keeps a preflight
)

// cors adds what lets a configured origin read the answer. The origin is echoed,
// because credentials forbid the star, and so every answer varies by it.
//
// Pages of other sites may not embed answers, unless origins are configured: a <video>
// of theirs sends no Origin by which it could be recognized.
func (s *Server) cors(c *fasthttp.RequestCtx) {
	h := &c.Response.Header
	if len(s.cfg.CORS.Origins) == 0 {
		h.Set("Cross-Origin-Resource-Policy", "same-site")
		return
	}
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Vary", "Origin")
	origin := string(c.Request.Header.Peek("Origin"))
	if !slices.Contains(s.cfg.CORS.Origins, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", corsExposed)
	if string(c.Method()) == fasthttp.MethodOptions && len(c.Request.Header.Peek("Access-Control-Request-Method")) > 0 {
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
}
