package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAdminGuard sends what web pages in an operator's browser can send, and what
// operators and monitoring send.
func TestAdminGuard(t *testing.T) {
	admin := NewAdmin("ops.internal:9090", NewRegistry("v1", "abc"), slog.New(slog.DiscardHandler), nil)
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	admin.Handle("POST /cache/purge", reached)
	admin.Handle("GET /cache/stats", reached)
	admin.HandlePage("/jobs/", reached)
	const own, jsonType = "127.0.0.1:9090", "application/json"
	for _, c := range []struct {
		name, method, host, path string
		header                   string // "Name: value; Name: value"
		status                   int
	}{
		{"a command", "POST", own, "/cache/purge", "Content-Type: " + jsonType, 202},
		{"a command over IPv6", "POST", "[::1]:9090", "/cache/purge", "Content-Type: application/json;charset=utf-8", 202},
		{"an address without a port", "GET", "[::1]", "/cache/stats", "", 202},
		{"localhost", "GET", "LocalHost:9090", "/cache/stats", "", 202},
		{"the listen name", "GET", "ops.internal:9090", "/cache/stats", "", 202},
		{"an address line in the browser", "GET", "localhost:9090", "/jobs/", "Sec-Fetch-Site: none", 202},
		{"the page's own request", "GET", "localhost:9090", "/jobs/api/jobs", "Sec-Fetch-Site: same-origin", 202},
		{"the page's own change", "POST", "localhost:9090", "/jobs/api/jobs/delete", "Sec-Fetch-Site: same-origin; Origin: http://localhost:9090; Content-Type: text/plain;charset=UTF-8", 202},
		{"the page's own change in an old browser", "PUT", "localhost:9090", "/jobs/api/queues/x/pause", "Origin: http://localhost:9090", 202},
		{"the page behind TLS", "POST", "ops.internal", "/jobs/api/jobs/delete", "Origin: https://ops.internal; Content-Type: " + jsonType, 202},

		{"DNS rebinding reads", "GET", "evil.example:9090", "/cache/stats", "Sec-Fetch-Site: same-origin", 403},
		{"DNS rebinding purges", "POST", "evil.example:9090", "/cache/purge", "Origin: http://evil.example:9090; Content-Type: " + jsonType, 403},
		{"DNS rebinding deletes jobs", "POST", "evil.example:9090", "/jobs/api/jobs/delete", "Sec-Fetch-Site: same-origin; Origin: http://evil.example:9090; Content-Type: " + jsonType, 403},
		{"DNS rebinding profiles", "GET", "evil.example:9090", "/debug/pprof/heap", "", 403},
		{"a name that begins like an address", "GET", "127.0.0.1.evil.example:9090", "/cache/stats", "", 403},
		{"a name that ends like localhost", "GET", "evil-localhost", "/cache/stats", "", 403},
		{"a number that resolvers accept", "GET", "2130706433:9090", "/cache/stats", "", 403},
		{"no Host", "GET", "", "/cache/stats", "", 403},
		{"a path that only looks open", "POST", "evil.example", "/metrics/../cache/purge", "Content-Type: " + jsonType, 403},

		{"a foreign page deletes jobs", "POST", own, "/jobs/api/jobs/delete", "Sec-Fetch-Site: cross-site; Origin: https://evil.example; Content-Type: text/plain", 403},
		{"a foreign page deletes jobs without a body's type", "POST", own, "/jobs/api/jobs/delete", "Origin: https://evil.example", 403},
		{"a form of an old browser", "POST", own, "/jobs/api/jobs/delete", "Content-Type: text/plain", 403},
		{"a form without any mark", "POST", own, "/cache/purge", "Content-Type: application/x-www-form-urlencoded", 403},
		{"its own mark opens only the page", "POST", own, "/cache/purge", "Sec-Fetch-Site: same-origin; Content-Type: text/plain", 403},
		{"another port of localhost", "POST", "localhost:9090", "/jobs/api/jobs/delete", "Sec-Fetch-Site: same-site; Content-Type: " + jsonType, 403},
		{"another port of localhost by its origin", "POST", "localhost:9090", "/jobs/api/jobs/delete", "Origin: http://localhost:3000; Content-Type: " + jsonType, 403},
		{"a sandboxed frame", "POST", own, "/cache/purge", "Origin: null; Content-Type: " + jsonType, 403},
		{"an image of a foreign page", "GET", own, "/debug/pprof/profile", "Sec-Fetch-Site: cross-site", 403},
		{"an unknown mark", "GET", own, "/cache/stats", "Sec-Fetch-Site: elsewhere", 403},
		{"a preflight of a foreign page", "OPTIONS", own, "/cache/purge", "Origin: https://evil.example; Access-Control-Request-Method: POST", 403},

		{"monitoring by a name", "GET", "lectern-gateway:9090", "/metrics", "", 200},
		{"a probe by a name", "GET", "lectern-gateway:9090", "/healthz", "Sec-Fetch-Site: cross-site", 200},
		{"readiness by a name", "GET", "lectern-gateway:9090", "/readyz", "Origin: null", 200},

		{"the command line", "GET", own, "/debug/pprof/cmdline", "", 404},
		{"a profile without an end", "GET", own, "/debug/pprof/profile?seconds=61", "", 400},
		{"a trace without an end", "GET", own, "/debug/pprof/trace?seconds=1e9", "", 400},
		{"a difference of heaps without an end", "GET", own, "/debug/pprof/heap?seconds=3600", "", 400},
		{"a profile of no number", "GET", own, "/debug/pprof/profile?seconds=NaN", "", 400},
		{"a heap profile", "GET", own, "/debug/pprof/heap", "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(`{}`))
			r.Host = c.host
			for field := range strings.SplitSeq(c.header, "; ") {
				if name, value, ok := strings.Cut(field, ": "); ok {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			admin.server.Handler.ServeHTTP(w, r)
			res := w.Result()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d: %.200s", res.StatusCode, c.status, body)
			}
			if res.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("may be framed: %v", res.Header)
			}
		})
	}
}
