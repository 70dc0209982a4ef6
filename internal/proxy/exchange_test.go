package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/pages"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
)

func TestHeadersOfAnAnswer(t *testing.T) {
	h := newFixture(t, 1000, func(_ *Config, h *fixture) { h.obj.ContentType = "application/octet-stream" })
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		want    map[string]string
	}{
		{"whole", nil, 200, map[string]string{"Content-Length": "1000", "Content-Range": "", "Content-Type": "video/mp4"}},
		{"range", []string{"Range: bytes=10-19"}, 206, map[string]string{"Content-Length": "10", "Content-Range": "bytes 10-19/1000", "Content-Type": "video/mp4"}},
	} {
		a := h.get(c.headers...)
		if a.StatusCode != c.status || a.err != nil {
			t.Fatalf("%s: %d %v", c.name, a.StatusCode, a.err)
		}
		for k, want := range map[string]string{
			"Accept-Ranges": "bytes", "ETag": h.obj.ETag(), "Last-Modified": "Sun, 01 Mar 2026 10:20:30 GMT",
			"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Disposition": `inline; filename="Lesson.mp4"`, "Cache-Status": "lectern; hit", "Server": "", "Vary": "Authorization, Cookie",
			"Cross-Origin-Resource-Policy": "same-site",
			"Content-Encoding":             "", "Transfer-Encoding": "",
		} {
			if got := a.Header.Get(k); got != want {
				t.Errorf("%s: %s is %q, want %q", c.name, k, got, want)
			}
		}
		for k, want := range c.want {
			if got := a.Header.Get(k); got != want {
				t.Errorf("%s: %s is %q, want %q", c.name, k, got, want)
			}
		}
		timing := a.Header.Get("Server-Timing")
		if !strings.HasPrefix(timing, "auth;dur=") || !strings.Contains(timing, ", catalog;dur=") || !strings.Contains(timing, ", origin;dur=") {
			t.Errorf("%s: Server-Timing is %q", c.name, timing)
		}
		if a.Header.Get("Date") == "" {
			t.Errorf("%s: no Date", c.name)
		}
	}
	a := h.do("HEAD", streamPath+"?download=1", "Range: bytes=10-19", "Authorization: Bearer "+goodToken)
	if a.StatusCode != 200 || a.ContentLength != 1000 || len(a.body) != 0 || a.Header.Get("Content-Disposition") != `attachment; filename="Lesson.mp4"` {
		t.Errorf("HEAD: %d %v", a.StatusCode, a.Header)
	}
	a = h.get("If-None-Match: " + h.obj.ETag())
	if a.StatusCode != 304 || len(a.body) != 0 || headerOf(a, "ETag", "Last-Modified", "Cache-Control", "Vary") !=
		"ETag="+h.obj.ETag()+";Last-Modified=Sun, 01 Mar 2026 10:20:30 GMT;Cache-Control=private, no-cache;Vary=Authorization, Cookie;" {
		t.Errorf("304: %v", a.Header)
	}
	a = h.get("Range: bytes=1000-")
	if a.StatusCode != 416 || a.Header.Get("Content-Range") != "bytes */1000" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("416: %d %v", a.StatusCode, a.Header)
	}
	a = h.get(`If-Match: "other"`)
	if a.StatusCode != 412 || a.Header.Get("ETag") != h.obj.ETag() || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("412: %d %v", a.StatusCode, a.Header)
	}
}

// TestSeriesStandAtTheStart: a rate over a series that appears with its first event
// misses that event.
func TestSeriesStandAtTheStart(t *testing.T) {
	h := newFixture(t, 10, nil)
	families, err := h.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, f := range families {
		series[f.GetName()] = len(f.GetMetric())
	}
	for name, want := range map[string]int{"lectern_stream_requests_total": 8, "lectern_stream_first_byte_seconds": 4, "lectern_stream_bytes_total": 2, "lectern_limited_total": 2, "lectern_streams_active": 1} {
		if series[name] < want {
			t.Errorf("%s has %d series before the first request, want %d", name, series[name], want)
		}
	}
}

func TestEmptyObject(t *testing.T) {
	h := newFixture(t, 0, nil)
	if a := h.get(); a.StatusCode != 200 || a.Header.Get("Content-Length") != "0" || a.Header.Get("Content-Type") != "video/mp4" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if a := h.get("Range: bytes=0-"); a.StatusCode != 416 || a.Header.Get("Content-Range") != "bytes */0" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
}

// TestPlayers replays what players are known to send.
func TestPlayers(t *testing.T) {
	const size = 100_000
	h := newFixture(t, size, nil)
	etag, modified := h.obj.ETag(), precondition.FormatDate(testModified)
	identity := "Accept-Encoding: identity;q=1, *;q=0"
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		crange  string
		off, n  int
	}{
		{"Chromium opens", []string{"Range: bytes=0-", identity}, 206, "bytes 0-99999/100000", 0, size},
		{"Chromium seeks", []string{"Range: bytes=65536-", identity}, 206, "bytes 65536-99999/100000", 65536, 34464},
		{"Chromium at the end", []string{"Range: bytes=100000-", identity}, 416, "bytes */100000", 0, 0},
		{"Firefox opens", []string{"Range: bytes=0-", "Accept-Encoding: identity"}, 206, "bytes 0-99999/100000", 0, size},
		{"Firefox seeks with If-Range", []string{"Range: bytes=500-", "If-Range: " + etag}, 206, "bytes 500-99999/100000", 500, 99500},
		{"Safari probes", []string{"Range: bytes=0-1", "Accept-Encoding: identity"}, 206, "bytes 0-1/100000", 0, 2},
		{"Safari reads the whole as a range", []string{"Range: bytes=0-99999"}, 206, "bytes 0-99999/100000", 0, size},
		{"Safari reads the tail", []string{"Range: bytes=98304-99999"}, 206, "bytes 98304-99999/100000", 98304, 1696},
		{"VLC opens", []string{"Range: bytes=0-"}, 206, "bytes 0-99999/100000", 0, size},
		{"VLC seeks with If-Match", []string{"Range: bytes=70000-", "If-Match: " + etag}, 206, "bytes 70000-99999/100000", 70000, 30000},
		{"VLC seeks with a date", []string{"Range: bytes=70000-", "If-Unmodified-Since: " + modified}, 206, "bytes 70000-99999/100000", 70000, 30000},
		{"VLC after a change", []string{"Range: bytes=70000-", `If-Match: "old"`}, 412, "", 0, 0},
		{"ExoPlayer opens", []string{"Accept-Encoding: identity"}, 200, "", 0, size},
		{"ExoPlayer seeks", []string{"Range: bytes=4096-", "Accept-Encoding: identity"}, 206, "bytes 4096-99999/100000", 4096, 95904},
		{"ExoPlayer reads a piece", []string{"Range: bytes=4096-8191"}, 206, "bytes 4096-8191/100000", 4096, 4096},
		{"ExoPlayer at the end", []string{"Range: bytes=100000-"}, 416, "bytes */100000", 0, 0},
		{"ffmpeg opens", []string{"Range: bytes=0-", "Icy-MetaData: 1"}, 206, "bytes 0-99999/100000", 0, size},
		{"ffmpeg looks for moov", []string{"Range: bytes=99990-"}, 206, "bytes 99990-99999/100000", 99990, 10},
		{"a last part by suffix", []string{"Range: bytes=-500"}, 206, "bytes 99500-99999/100000", 99500, 500},
	} {
		a := h.get(c.headers...)
		if a.err != nil || a.StatusCode != c.status || a.Header.Get("Content-Range") != c.crange {
			t.Errorf("%s: %d %q %v", c.name, a.StatusCode, a.Header.Get("Content-Range"), a.err)
			continue
		}
		if c.status < 300 && string(a.body) != string(h.content[c.off:c.off+c.n]) {
			t.Errorf("%s: the wrong bytes", c.name)
		}
		if c.status == 206 && a.Header.Get("Accept-Ranges") != "bytes" { // Firefox wants exactly this
			t.Errorf("%s: Accept-Ranges is %q", c.name, a.Header.Get("Accept-Ranges"))
		}
	}
}

func TestCredentials(t *testing.T) {
	h := newFixture(t, 10, nil)
	good := goodToken
	for _, c := range []struct {
		name, path string
		headers    []string
		want       string
	}{
		{"none", streamPath, nil, "401 not_authenticated"},
		{"header", streamPath, []string{"Authorization: Bearer " + good}, "200"},
		{"header with spaces", streamPath, []string{"Authorization:   Bearer    " + good + "  "}, "200"},
		{"query", streamPath + "?token=" + good, nil, "200"},
		{"cookie", streamPath, []string{"Cookie: a=b; lectern_playback=" + good}, "200"},
		{"header before query", streamPath + "?token=" + good, []string{"Authorization: Bearer bad"}, "401 token_not_valid"},
		{"query before cookie", streamPath + "?token=bad", []string{"Cookie: lectern_playback=" + good}, "401 token_not_valid"},
		{"empty query", streamPath + "?token=", []string{"Cookie: lectern_playback=" + good}, "200"},
		{"another scheme", streamPath + "?token=" + good, []string{"Authorization: Basic abc"}, "200"},
		{"the scheme in any case", streamPath, []string{"Authorization: bearer " + good}, "200"},
		{"the scheme in capitals", streamPath, []string{"Authorization: BEARER " + good}, "200"},
		{"a longer scheme", streamPath, []string{"Authorization: Bearers " + good}, "401 not_authenticated"},
		{"two values", streamPath + "?token=" + good, []string{"Authorization: Bearer " + good + " " + good}, "401 token_not_valid"},
		{"no value", streamPath + "?token=" + good, []string{"Authorization: Bearer"}, "401 token_not_valid"},
	} {
		a := h.do("GET", c.path, c.headers...)
		got := fmt.Sprint(a.StatusCode)
		if a.StatusCode != 200 {
			got += " " + string(a.problem(t).Code)
			if a.Header.Get("WWW-Authenticate") != `Bearer realm="api"` {
				t.Errorf("%s: WWW-Authenticate is %q", c.name, a.Header.Get("WWW-Authenticate"))
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if strings.Contains(h.log.String(), "SECRET") {
		t.Error("a token reached the log")
	}
}

func TestRoutes(t *testing.T) {
	h := newFixture(t, 10, nil)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/schedule/api/recordings/7/stream/", "200"},
		{"GET", "/schedule/api/recordings/7/stream", "200"},
		{"GET", "/api/recordings/7/stream/", "200"},
		{"GET", "/api/schedule/recordings/7/stream/", "200"},
		{"HEAD", "/api/recordings/7/stream/", "200"},
		{"OPTIONS", "/api/recordings/7/stream/", "204 GET, HEAD, OPTIONS"},
		{"PUT", "/api/recordings/7/stream/", `405 GET, HEAD, OPTIONS {"detail":"Method \"PUT\" not allowed."}`},
		{"BREW<é", "/api/recordings/7/stream/", "400"},
		{"GET", "/api/recordings/0/stream/", "404"},
		{"GET", "/api/recordings/-7/stream/", "404"},
		{"GET", "/api/recordings/+7/stream/", "404"},
		{"GET", "/api/recordings/7a/stream/", "404"},
		{"GET", "/api/recordings//stream/", "404"},
		{"GET", "/api/recordings/stream/", "404"},
		{"GET", "/api/recordings/9223372036854775807/stream/", "200"},
		{"GET", "/api/recordings/9223372036854775808/stream/", "404"},
		{"GET", "/api/recordings/7/stream/x", "404"},
		{"GET", "/api/recordings/7/8/stream/", "404"},
		{"POST", "/nowhere", "404"},
		{"GET", "/", "200"},
		{"GET", "/watch/7", "200"},
		{"GET", "/watch/x", "404"},
		{"GET", "/watch/", "404"},
		{"POST", "/watch/7", `405 GET, HEAD, OPTIONS {"detail":"Method \"POST\" not allowed."}`},
	} {
		a := h.do(c.method, c.path, "Authorization: Bearer "+goodToken)
		got := fmt.Sprint(a.StatusCode)
		if allow := a.Header.Get("Allow"); allow != "" {
			got += " " + allow
		}
		if a.StatusCode == 405 {
			got += " " + string(a.body)
		}
		if a.StatusCode == 404 && string(a.body) != `{"detail":"Not found.","code":"not_found"}` {
			t.Errorf("%s %s: %s", c.method, c.path, a.body)
		}
		if got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

func TestPages(t *testing.T) {
	h := newFixture(t, 10, nil)
	a := h.do("GET", "/watch/7")
	if string(a.body) != "<h1>player</h1>" || a.Header.Get("X-Extra") != "1" || a.Header.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'self'") || a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%s %v", a.body, a.Header)
	}
	if b := h.do("GET", "/watch/8", "If-None-Match: \"x\"", "If-None-Match: "+a.Header.Get("ETag")); b.StatusCode != 304 || len(b.body) != 0 {
		t.Errorf("%d %s", b.StatusCode, b.body)
	}
	if b := h.do("HEAD", "/"); b.StatusCode != 200 || b.ContentLength != int64(len("<h1>library</h1>")) {
		t.Errorf("%d %d", b.StatusCode, b.ContentLength)
	}
	for _, bad := range [][]pages.Page{{{Path: "x", ContentType: "a/b"}}, {{Path: "/x"}}, {{Path: "/x", ContentType: "a/b"}, {Path: "/x", ContentType: "a/b"}}} {
		if _, err := New(DefaultConfig(), Deps{Access: h, Origins: h, Store: h, Pages: bad}); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

// TestPageCodings: each content coding is a representation of its own, with its own tag, for
// GET, HEAD and conditional requests; all say that they vary.
func TestPageCodings(t *testing.T) {
	h := newFixture(t, 10, nil)
	tags := map[string]bool{}
	for _, accept := range []string{"gzip, deflate, br", "gzip", "identity"} {
		get := h.do("GET", "/text", "Accept-Encoding: "+accept)
		coding, tag := get.Header.Get("Content-Encoding"), get.Header.Get("ETag")
		if want := map[string]string{"gzip, deflate, br": "br", "gzip": "gzip"}[accept]; coding != want || (coding == "") != (len(get.body) == 1000) || len(get.body) == 0 {
			t.Errorf("%s: %q, %d bytes", accept, coding, len(get.body))
		}
		tags[tag] = true
		head := h.do("HEAD", "/text", "Accept-Encoding: "+accept)
		if head.ContentLength != int64(len(get.body)) || headerOf(head, "ETag", "Content-Encoding", "Vary") != headerOf(get, "ETag", "Content-Encoding", "Vary") || get.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: HEAD %d %v, GET %v", accept, head.ContentLength, head.Header, get.Header)
		}
		same := h.do("GET", "/text", "Accept-Encoding: "+accept, "If-None-Match: W/"+tag)
		if same.StatusCode != 304 || len(same.body) != 0 || headerOf(same, "ETag", "Cache-Control", "Vary") != headerOf(get, "ETag", "Cache-Control", "Vary") {
			t.Errorf("%s: %d %v", accept, same.StatusCode, same.Header)
		}
		if other := h.do("GET", "/text", "Accept-Encoding: deflate", "If-None-Match: "+tag); (other.StatusCode == 304) != (coding == "") {
			t.Errorf("%s: identity is %d", accept, other.StatusCode)
		}
		for condition, status := range map[string]int{tag: 200, "*": 200, `"other"`: 412, "W/" + tag: 412} {
			if a := h.do("GET", "/text", "Accept-Encoding: "+accept, "If-Match: "+condition); a.StatusCode != status || (status == 412) != (a.Header.Get("Cache-Control") == "no-store") {
				t.Errorf("%s, If-Match %s: %d %v", accept, condition, a.StatusCode, a.Header)
			}
		}
	}
	if len(tags) != 3 {
		t.Errorf("three representations have %d tags", len(tags))
	}
	if two := h.do("GET", "/text", "Accept-Encoding: deflate", "Accept-Encoding: gzip"); two.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("of two fields the first alone is read: %v", two.Header)
	}
}

// TestStrictTransportSecurity: where the public URL is https every answer, errors and
// unreadable requests included, has browsers use nothing else (RFC 6797 section 6.1).
func TestStrictTransportSecurity(t *testing.T) {
	for _, c := range []struct{ publicURL, want string }{
		{"https://lessons.example", "max-age=31536000"},
		{"HTTPS://lessons.example", "max-age=31536000"},
		{"http://lessons.example", ""},
		{"", ""},
	} {
		h := newFixture(t, 10, func(cfg *Config, _ *fixture) { cfg.PublicURL = c.publicURL })
		for what, a := range map[string]testResponse{
			"stream":     h.get(),
			"page":       h.do("GET", "/"),
			"refusal":    h.do("GET", streamPath),
			"no route":   h.do("GET", "/nowhere"),
			"method":     h.do("PUT", streamPath),
			"unreadable": h.do("GET", "/", "X: "+strings.Repeat("x", 64<<10)),
		} {
			if got := a.Header.Get("Strict-Transport-Security"); got != c.want {
				t.Errorf("public URL %q, %s (%d): %q, want %q", c.publicURL, what, a.StatusCode, got, c.want)
			}
		}
	}
}

func TestCORS(t *testing.T) {
	h := newFixture(t, 10, func(c *Config, _ *fixture) { c.CORS.Origins = []string{"https://lms.example"} })
	const names = "Access-Control-Allow-Origin"
	a := h.get("Origin: https://lms.example")
	if headerOf(a, names, "Access-Control-Allow-Credentials", "Vary") != names+"=https://lms.example;Access-Control-Allow-Credentials=true;Vary=Origin;" ||
		!slices.Equal(a.Header.Values("Vary"), []string{"Origin", "Authorization, Cookie"}) || a.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
		!strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "Content-Range") {
		t.Errorf("%v", a.Header)
	}
	for _, origin := range []string{"https://lms.example.evil", "https://LMS.example", "null", ""} {
		if a := h.get("Origin: " + origin); a.Header.Get(names) != "" || a.Header.Get("Vary") != "Origin" {
			t.Errorf("%q: %v", origin, a.Header)
		}
	}
	a = h.do("OPTIONS", streamPath, "Origin: https://lms.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: range")
	if a.StatusCode != 204 || !strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), "Range") ||
		!strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "HEAD") || a.Header.Get("Access-Control-Max-Age") == "" {
		t.Errorf("preflight: %d %v", a.StatusCode, a.Header)
	}
	// A page has to be able to read why it was refused.
	if a := h.do("GET", streamPath, "Origin: https://lms.example"); a.StatusCode != 401 || a.Header.Get(names) == "" {
		t.Errorf("refused: %d %v", a.StatusCode, a.Header)
	}
}

// TestRefusals goes through every code a gate can say and every kind an origin
// can fail with.
func TestRefusals(t *testing.T) {
	refuse := func(c media.Code) error { return fmt.Errorf("wrapped: %w", media.Refuse(c, "Für <dich> & mich.")) }
	fault := func(k media.Kind) error {
		return &media.Error{Kind: k, Op: "test: secret/path", Err: errors.New("secret")}
	}
	for _, c := range []struct {
		name   string
		at     string
		err    error
		status int
		code   media.Code
		retry  string
	}{
		{"no token", "authenticate", refuse(media.CodeNotAuthenticated), 401, "not_authenticated", ""},
		{"bad token", "authenticate", refuse(media.CodeTokenNotValid), 401, "token_not_valid", ""},
		{"no user", "authenticate", refuse(media.CodeUserNotFound), 401, "user_not_found", ""},
		{"inactive", "authenticate", refuse(media.CodeUserInactive), 401, "user_inactive", ""},
		{"catalog down", "authenticate", fault(media.Unavailable), 503, "catalog_unavailable", "5"},
		{"not found", "authorize", refuse(media.CodeNotFound), 404, "not_found", ""},
		{"no media", "authorize", refuse(media.CodeNoMedia), 404, "no_media", ""},
		{"no access", "authorize", refuse(media.CodeNoAccess), 403, "no_access", ""},
		{"wrong recording", "authorize", refuse(media.CodeWrongRecording), 403, "wrong_recording", ""},
		{"expired", "authorize", refuse(media.CodeExpired), 410, "expired", ""},
		{"processing", "authorize", refuse(media.CodeProcessing), 409, "processing", "30"},
		{"throttled", "authorize", &media.Refusal{Code: media.CodeThrottled, Detail: "x", RetryAfter: 86500 * time.Millisecond}, 429, "throttled", "87"},
		{"catalog slow", "authorize", fault(media.Timeout), 503, "catalog_unavailable", "5"},
		{"catalog gave up", "authorize", context.Canceled, 503, "catalog_unavailable", "5"},
		{"gate broken", "authorize", errors.New("secret"), 500, "internal", ""},
		{"unknown code", "authorize", refuse("novel"), 500, "internal", ""},
		{"gone", "stat", fault(media.NotFound), 404, "no_media", ""},
		{"denied", "stat", fault(media.Denied), 502, "origin_invalid", ""},
		{"invalid", "stat", fault(media.Invalid), 502, "origin_invalid", ""},
		{"corrupt", "stat", fault(media.Corrupt), 502, "origin_invalid", ""},
		{"unavailable", "stat", fault(media.Unavailable), 503, "origin_unavailable", "5"},
		{"quota", "stat", &media.Error{Kind: media.Quota, Op: "test", RetryAfter: 90 * time.Second}, 503, "origin_quota", "90"},
		{"quota unsaid", "stat", fault(media.Quota), 503, "origin_quota", "60"},
		{"slow", "stat", fault(media.Timeout), 504, "origin_timeout", ""},
		{"canceled by others", "stat", fault(media.Canceled), 503, "origin_unavailable", "5"},
		{"broken", "stat", errors.New("secret"), 500, "internal", ""},
		{"corrupt at open", "open", fault(media.Corrupt), 502, "origin_invalid", ""},
		{"down at open", "open", fault(media.Unavailable), 503, "origin_unavailable", "5"},
		{"down at the first piece", "next", fault(media.Unavailable), 503, "origin_unavailable", "5"},
		{"gone at the first piece", "next", fault(media.NotFound), 404, "no_media", ""},
	} {
		h := newFixture(t, 10, func(_ *Config, h *fixture) {
			switch c.at {
			case "authenticate":
				h.authenticate = func(context.Context, media.Token) (media.Viewer, error) { return media.Viewer{}, c.err }
			case "authorize":
				h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) { return media.Recording{}, c.err }
			case "stat":
				h.stat = func(context.Context, media.Location) (media.Object, error) { return media.Object{}, c.err }
			case "open":
				h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) { return nil, c.err }
			case "next":
				h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
					return &memReader{before: func(context.Context, int) error { return c.err }}, nil
				}
			}
		})
		a := h.get("Range: bytes=0-")
		p := a.problem(t)
		if a.StatusCode != c.status || p.Code != c.code || p.Detail == "" || a.Header.Get("Retry-After") != c.retry {
			t.Errorf("%s: %d %s Retry-After %q", c.name, a.StatusCode, a.body, a.Header.Get("Retry-After"))
		}
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Accept-Ranges") != "" {
			t.Errorf("%s: %v", c.name, a.Header)
		}
		if (a.StatusCode == 401) != (a.Header.Get("WWW-Authenticate") == `Bearer realm="api"`) {
			t.Errorf("%s: WWW-Authenticate is %q", c.name, a.Header.Get("WWW-Authenticate"))
		}
		if strings.Contains(string(a.body), "secret") {
			t.Errorf("%s: the body tells %s", c.name, a.body)
		}
		if c.name == "no access" && string(a.body) != `{"detail":"Für <dich> & mich.","code":"no_access"}` {
			t.Errorf("%s: the body is %s", c.name, a.body)
		}
		h.line()
		if n := h.metric("lectern_stream_requests_total", "code", fmt.Sprint(c.status), "cache", "none"); n != 1 {
			t.Errorf("%s: %v requests counted", c.name, n)
		}
	}
}

func TestTokenNotValidCarriesMessages(t *testing.T) {
	h := newFixture(t, 10, func(_ *Config, h *fixture) {
		h.authenticate = func(context.Context, media.Token) (media.Viewer, error) {
			r := media.Refuse(media.CodeTokenNotValid, "Given token not valid for any token type")
			r.Messages = []media.TokenMessage{{Class: "AccessToken", Type: "access", Message: "Token is expired"}}
			return media.Viewer{}, r
		}
	})
	const want = `{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token is expired"}]}`
	if a := h.get(); string(a.body) != want {
		t.Errorf("%s", a.body)
	}
}

// TestOrderOfRefusals makes everything wrong at once and mends it step by step.
func TestOrderOfRefusals(t *testing.T) {
	h := newFixture(t, 10, func(c *Config, h *fixture) {
		c.Limit.StreamsPerUser = 1
		h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
			return &memReader{data: h.content, most: 5, before: stall(5)}, nil
		}
	})
	running, _ := h.begin() // holds the user's only slot
	h.authenticate = func(context.Context, media.Token) (media.Viewer, error) {
		return media.Viewer{}, media.Refuse(media.CodeTokenNotValid, "no")
	}
	h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) {
		return media.Recording{}, media.Refuse(media.CodeNoAccess, "no")
	}
	h.stat = func(context.Context, media.Location) (media.Object, error) {
		return media.Object{}, media.Fault(media.Denied, "test", nil)
	}
	steps := []struct {
		mend func()
		want string
	}{
		{func() {}, "401 token_not_valid"},
		{func() {
			h.authenticate = func(context.Context, media.Token) (media.Viewer, error) {
				return media.Viewer{User: media.User{ID: 42}}, nil
			}
		}, "403 no_access"},
		{func() {
			h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) {
				return media.Recording{ID: 7}, nil
			}
		}, "404 no_media"},
		{func() {
			h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) {
				return media.Recording{ID: 7, Location: media.Location{Provider: "local", Key: "k"}}, nil
			}
		}, "429 too_many_streams"},
		{func() {
			running.Close()
			waitFor(t, "the running stream to end", func() bool { return h.server.Active() == 0 })
		}, "502 origin_invalid"},
		{func() {
			h.stat = func(context.Context, media.Location) (media.Object, error) { return h.obj, nil }
		}, "412 precondition_failed"},
	}
	for _, s := range steps {
		s.mend()
		a := h.get("Range: bytes=99-", `If-Match: "other"`)
		if got := fmt.Sprintf("%d %s", a.StatusCode, a.problem(t).Code); got != s.want {
			t.Errorf("%s, want %s", got, s.want)
		}
		h.line()
	}
	if a := h.get("Range: bytes=99-"); a.StatusCode != 416 {
		t.Errorf("at last the range: %d", a.StatusCode)
	}
}

// TestChangedObject wants the new version, whole, when the one resolved first is gone.
func TestChangedObject(t *testing.T) {
	for _, c := range []struct {
		name      string
		always    bool
		atOpen    bool
		status    int
		forgotten int
	}{
		{"once at open", false, true, 206, 1},
		{"once at the first piece", false, false, 206, 1},
		{"always", true, true, 503, 2},
	} {
		opened, forgotten := 0, 0
		h := newFixture(t, 100, func(_ *Config, h *fixture) {
			h.invalidate = func(media.Location) {
				forgotten++
				h.obj.Version, h.obj.Size = "2", 50
			}
			h.open = func(_ context.Context, obj media.Object, span media.Span) (media.Reader, error) {
				opened++
				changed := media.Fault(media.Changed, "test", nil)
				if opened > 1 && !c.always {
					return &memReader{data: h.content[span.Off:span.End()]}, nil
				}
				if c.atOpen {
					return nil, changed
				}
				return &memReader{before: func(context.Context, int) error { return changed }}, nil
			}
		})
		a := h.get("Range: bytes=0-")
		if a.StatusCode != c.status || forgotten != c.forgotten {
			t.Errorf("%s: %d, forgotten %d times: %s", c.name, a.StatusCode, forgotten, a.body)
		}
		if c.status == 206 && (a.Header.Get("Content-Range") != "bytes 0-49/50" || a.Header.Get("ETag") != h.obj.ETag() || len(a.body) != 50) {
			t.Errorf("%s: %v", c.name, a.Header)
		}
		if c.status == 503 && a.problem(t).Code != media.CodeOriginDown {
			t.Errorf("%s: %s", c.name, a.body)
		}
	}
}
