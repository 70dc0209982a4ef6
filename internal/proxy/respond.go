package proxy

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// writeJSON answers with v. Non-ASCII letters and <, >, & stay as they are, as
// Django REST framework writes them.
func writeJSON(resp *fasthttp.Response, status int, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("BUG: a body that is no JSON: " + err.Error())
	}
	resp.SetStatusCode(status)
	resp.Header.SetContentType("application/json")
	resp.SetBody(bytes.TrimRight(buf.Bytes(), "\n"))
}

// writeProblem answers with a problem. Nothing that went wrong may be cached.
func writeProblem(resp *fasthttp.Response, p problem) {
	h := &resp.Header
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if p.status == statusUnauthorized {
		h.SetCanonical([]byte("WWW-Authenticate"), []byte(`Bearer realm="api"`))
	}
	if p.retryAfter > 0 {
		seconds := max(1, int64((p.retryAfter+time.Second-1)/time.Second))
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if p.status == statusClosed {
		resp.SetStatusCode(statusClosed)
		resp.SetConnectionClose()
		return
	}
	writeJSON(resp, p.status, p)
}
