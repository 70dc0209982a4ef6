package proxy

import (
	"context"
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// readyz answers load balancers that reach the public listener only. The body says no
// more than the status: reasons are for the admin listener.
func (s *Server) readyz(ready func(context.Context) bool) func(*fasthttp.RequestCtx, accesslog.Record, int64) {
	return func(c *fasthttp.RequestCtx, rec accesslog.Record, _ int64) {
		up, status := !s.Draining() && (ready == nil || ready(s.base)), http.StatusOK
		if !up {
			status = http.StatusServiceUnavailable
		}
		respond.Headers(&c.Response.Header, "no-store")
		respond.JSON(&c.Response, status, map[string]bool{"ready": up})
		s.records.WriteAnswered(c, rec)
	}
}
