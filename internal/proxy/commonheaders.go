package proxy

import "github.com/valyala/fasthttp"

// hstsValue is a year, without subdomains: the gateway knows of its own host only (RFC
// 6797 section 6.1).
const hstsValue = "max-age=31536000"

// commonHeaders sets the headers that every answer has.
func (s *Server) commonHeaders(c *fasthttp.RequestCtx) {
	if s.httpsOnly {
		c.Response.Header.Set("Strict-Transport-Security", hstsValue)
	}
	s.cors(c)
}
