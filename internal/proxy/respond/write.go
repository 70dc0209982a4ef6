package respond

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// JSON answers with v. Non-ASCII letters and <, >, & stay as they are, as Django
// REST framework writes them.
func JSON(resp *fasthttp.Response, status int, v any) {
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

// Headers sets Cache-Control, and what every answer needs: no content sniffing,
// and no Referer, which would carry tokens of the query to other sites.
func Headers(h *fasthttp.ResponseHeader, cacheControl string) {
	h.Set("Cache-Control", cacheControl)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// Challenge sets WWW-Authenticate, which 401 requires (RFC 9110 section 15.5.2).
func Challenge(h *fasthttp.ResponseHeader) {
	h.SetCanonical([]byte("WWW-Authenticate"), []byte(`Bearer realm="api"`))
}

// Error answers with a problem, which no cache may keep.
func Error(resp *fasthttp.Response, p Problem) {
	h := &resp.Header
	Headers(h, "no-store")
	if p.Status == http.StatusUnauthorized {
		Challenge(h)
	}
	if p.RetryAfter > 0 {
		seconds := max(1, int64((p.RetryAfter+time.Second-1)/time.Second))
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if p.Status == StatusClientClosed {
		resp.SetStatusCode(StatusClientClosed)
		resp.SetConnectionClose()
		return
	}
	JSON(resp, p.Status, p)
}
