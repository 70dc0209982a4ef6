package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/media"
)

// repeatFixture is a fixture whose decisions last until the next change.
type repeatFixture struct {
	*fixture
	decided   atomic.Int64 // how often a viewer was authenticated
	held      atomic.Int64 // how often a decision held
	changes   atomic.Int64 // decisions made before the last change hold no longer
	panics    atomic.Bool  // a look at a remembered decision panics
	mu        sync.Mutex
	forbidden map[int64]bool   // recordings; guarded by mu
	title     string           // guarded by mu
	version   string           // guarded by mu
	denied    map[string]int64 // tokens that are refused, and the number of the change; guarded by mu
}

func newRepeatFixture(t *testing.T, configure func(*Config)) *repeatFixture {
	r := &repeatFixture{title: "Lesson", version: "1", forbidden: map[int64]bool{}, denied: map[string]int64{}}
	r.fixture = newFixture(t, 1000, func(cfg *Config, h *fixture) {
		if configure != nil {
			configure(cfg)
		}
		cfg.Limit.StreamsPerUser = 0
		h.authenticate = func(_ context.Context, tok media.Token) (media.Viewer, error) {
			r.decided.Add(1)
			r.mu.Lock()
			defer r.mu.Unlock()
			if _, denied := r.denied[tok.Value]; denied || !strings.HasPrefix(tok.Value, goodToken) {
				return media.Viewer{}, media.Refuse(media.CodeTokenNotValid, "Given token not valid for any token type")
			}
			return media.Viewer{User: media.User{ID: int64(len(tok.Value)), Role: media.RoleStudent, Active: true}}, nil
		}
		h.authorize = func(_ context.Context, _ media.Viewer, id int64) (media.Recording, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.forbidden[id] {
				return media.Recording{}, media.Refuse(media.CodeNoAccess, "You do not have access to this recording.")
			}
			return media.Recording{ID: id, Title: r.title, Location: media.Location{Provider: "local", Key: "a.mp4"}}, nil
		}
		h.stat = func(context.Context, media.Location) (media.Object, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			obj := h.obj
			obj.Version = r.version
			return obj, nil
		}
		h.lasting = func(media.Token, media.Viewer, media.Recording) func() bool {
			at := r.changes.Load()
			return func() bool {
				if r.panics.Load() {
					panic("x")
				}
				holds := r.changes.Load() == at
				if holds {
					r.held.Add(1)
				}
				return holds
			}
		}
	})
	return r
}

// change makes a change under which no earlier decision holds.
func (r *repeatFixture) change(apply func()) {
	r.mu.Lock()
	apply()
	r.mu.Unlock()
	r.changes.Add(1)
}

// ask sends a request on a connection and returns the answer as it came, without what depends
// on the time.
func (r *repeatFixture) ask(conn net.Conn, request string) (answer string, err error) {
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	resp.Header.Del("Date")
	resp.Header.Del("Server-Timing")
	dump, err := httputil.DumpResponse(resp, true)
	return string(dump), err
}

func rangeRequest(headers ...string) string {
	return "GET " + streamPath + " HTTP/1.1\r\nHost: lms.example\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
}

// TestRepeatedRequestIsNotDecidedAgain: from the third on, requests that differ in the range
// alone are answered without a look at token or catalog, each with its own range and line.
func TestRepeatedRequestIsNotDecidedAgain(t *testing.T) {
	r := newRepeatFixture(t, func(cfg *Config) { cfg.AccessLog = "request" })
	conn := r.dial()
	for i := range 6 {
		request := rangeRequest("Authorization: Bearer "+goodToken, fmt.Sprintf("Range: bytes=%d-%d", i*100, i*100+9), "X-Request-Id: abc", "X-Forwarded-For: 198.51.100.7")
		answer, err := r.ask(conn, request)
		if err != nil || !strings.Contains(answer, fmt.Sprintf("Content-Range: bytes %d-%d/1000\r\n", i*100, i*100+9)) || !strings.HasSuffix(answer, string(r.content[i*100:i*100+10])) {
			t.Fatalf("answer %d: %v\n%s", i, err, answer)
		}
		r.wantLine(fmt.Sprint("line ", i), map[string]any{
			"range": fmt.Sprintf("bytes=%d-%d", i*100, i*100+9), "bytes": 10, "user": len(goodToken), "recording": 7, "status": 206,
			"client": "198.51.100.7", "request_id": "abc", "cache": "hit", "outcome": "complete", "method": "GET", "route": "/schedule/api/recordings/{id}/stream/",
		})
	}
	if n := r.decided.Load(); n != 2 {
		t.Errorf("decided %d times, want 2", n)
	}
	if n := r.metric("lectern_stream_requests_total", "code", "206", "cache", "hit"); n != 6 {
		t.Errorf("%v requests were counted", n)
	}
}

// TestRepeatedRequestIsDecidedAgain: whatever else changes, in the request or behind it, the
// request is decided anew, and answered as on a new connection.
func TestRepeatedRequestIsDecidedAgain(t *testing.T) {
	auth := "Authorization: Bearer " + goodToken
	for _, c := range []struct {
		name   string
		change func(r *repeatFixture)
		ask    string // "" = the same as before
		status string
	}{
		{"access is revoked", func(r *repeatFixture) { r.change(func() { r.forbidden[7] = true }) }, "", "403"},
		{"the token is refused", func(r *repeatFixture) { r.change(func() { r.denied[goodToken] = 1 }) }, "", "401"},
		{"the title changes", func(r *repeatFixture) { r.change(func() { r.title = "Renamed" }) }, "", "206"},
		{"another token", nil, rangeRequest(auth+"2", "Range: bytes=0-9"), "206"},
		{"a token that is a prefix", nil, rangeRequest(auth[:len(auth)-1], "Range: bytes=0-9"), "401"},
		{"no token", nil, rangeRequest("Range: bytes=0-9"), "401"},
		{"a second token", nil, rangeRequest(auth, "Authorization: Bearer x", "Range: bytes=0-9"), "401"},
		{"a cookie instead", nil, rangeRequest("Cookie: lectern_playback="+goodToken, "Range: bytes=0-9"), "206"},
		{"another recording", nil, strings.Replace(rangeRequest(auth, "Range: bytes=0-9"), "/7/", "/8/", 1), "206"},
		{"a query", nil, strings.Replace(rangeRequest(auth, "Range: bytes=0-9"), "stream/", "stream/?download=1", 1), "206"},
		{"HEAD", nil, strings.Replace(rangeRequest(auth, "Range: bytes=0-9"), "GET", "HEAD", 1), "200"},
		{"POST", nil, strings.Replace(rangeRequest(auth, "Range: bytes=0-9", "Content-Length: 0"), "GET", "POST", 1), "405"},
		{"If-Range of another version", nil, rangeRequest(auth, "If-Range: \"x\"", "Range: bytes=0-9"), "200"},
		{"If-Match", nil, rangeRequest(auth, "Range: bytes=0-9", "If-Match: \"x\""), "412"},
		{"If-None-Match", nil, rangeRequest(auth, "Range: bytes=0-9", "If-None-Match: *"), "304"},
		{"no range", nil, rangeRequest(auth), "200"},
		{"two ranges", nil, rangeRequest(auth, "Range: bytes=0-9", "Range: bytes=5-9"), "200"},
		{"HTTP/1.0", nil, strings.Replace(rangeRequest(auth, "Range: bytes=0-9"), "HTTP/1.1", "HTTP/1.0", 1), "206"},
		{"a user name in the host", nil, strings.Replace(rangeRequest(auth, "Range: bytes=0-9"), "lms", "x@lms", 1), "400"},
	} {
		r := newRepeatFixture(t, nil)
		conn := r.dial()
		for range 3 {
			if answer, err := r.ask(conn, rangeRequest(auth, "Range: bytes=0-9")); err != nil || !strings.Contains(answer, " 206 ") {
				t.Fatalf("%s: %v, %s", c.name, err, answer)
			}
		}
		before := r.decided.Load()
		if c.change != nil {
			c.change(r)
		}
		ask := c.ask
		if ask == "" {
			ask = rangeRequest(auth, "Range: bytes=0-9")
		}
		got, err := r.ask(conn, ask)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if noToken := c.name == "no token" || c.name == "a second token" || c.name == "POST" || c.name == "a user name in the host"; !noToken && r.decided.Load() != before+1 {
			t.Errorf("%s: decided %d times, want once", c.name, r.decided.Load()-before)
		}
		fresh, err := r.ask(r.dial(), ask)
		if err != nil || got != fresh || !strings.Contains(got, " "+c.status+" ") {
			t.Errorf("%s: %v\n%s\non a new connection\n%s", c.name, err, got, fresh)
		}
	}
}

// TestRepeatedRequestAfterTheRange: what follows the range counts as well.
func TestRepeatedRequestAfterTheRange(t *testing.T) {
	r := newRepeatFixture(t, nil)
	conn := r.dial()
	for range 3 {
		if _, err := r.ask(conn, rangeRequest("Range: bytes=0-9", "Authorization: Bearer "+goodToken)); err != nil {
			t.Fatal(err)
		}
	}
	other := "x" + goodToken[1:]
	if got, err := r.ask(conn, rangeRequest("Range: bytes=0-9", "Authorization: Bearer "+other)); err != nil || !strings.Contains(got, " 401 ") {
		t.Errorf("another token of the same length: %v, %s", err, got)
	}
}

// TestRepeatedRequestPanics: a panic while a remembered decision is checked is an answer of
// 500 and a record like another's. The next request of the connection is decided anew.
func TestRepeatedRequestPanics(t *testing.T) {
	r := newRepeatFixture(t, func(cfg *Config) { cfg.AccessLog = "request" })
	conn := r.dial()
	request := rangeRequest("Authorization: Bearer "+goodToken, "Range: bytes=0-9", "X-Request-Id: abc", "X-Forwarded-For: 198.51.100.7")
	for i := range 5 {
		broken, status := i == 3, 206
		r.panics.Store(broken)
		if broken {
			status = 500
		}
		if answer, err := r.ask(conn, request); err != nil || !strings.Contains(answer, fmt.Sprintf(" %d ", status)) {
			t.Fatalf("answer %d: %v\n%s", i, err, answer)
		}
		want := map[string]any{"status": status, "client": "198.51.100.7", "request_id": "abc", "method": "GET"}
		if broken {
			want["outcome"] = "panic"
		}
		r.wantLine(fmt.Sprint("line ", i), want)
	}
}

// TestRepeatedRequestSeesANewVersion: the origin is asked each time, so that a new version
// has its own headers though the decision holds.
func TestRepeatedRequestSeesANewVersion(t *testing.T) {
	r := newRepeatFixture(t, nil)
	conn := r.dial()
	request := rangeRequest("Authorization: Bearer "+goodToken, "Range: bytes=0-9")
	var last string
	for range 3 {
		last, _ = r.ask(conn, request)
	}
	r.mu.Lock()
	r.version = "2"
	r.mu.Unlock()
	before := r.decided.Load()
	got, err := r.ask(conn, request)
	if err != nil || got == last || r.decided.Load() != before {
		t.Errorf("%v, decided %d times:\n%s", err, r.decided.Load()-before, got)
	}
	if fresh, _ := r.ask(r.dial(), request); got != fresh {
		t.Errorf("%s\non a new connection\n%s", got, fresh)
	}
}

// TestRepeatedRequestsAgree: a connection that remembers answers any sequence of requests and
// changes like new connections, byte for byte.
func TestRepeatedRequestsAgree(t *testing.T) {
	r := newRepeatFixture(t, func(cfg *Config) {
		cfg.CORS.Origins = []string{"https://a.example"}
		cfg.PublicURL = "https://lms.example"
	})
	conn := r.dial()
	pick := func(rt *rapid.T, what string, options ...string) string {
		return rapid.SampledFrom(options).Draw(rt, what)
	}
	const authorization = "Authorization: Bearer " + goodToken + "\r\n"
	rapid.Check(t, func(rt *rapid.T) {
		var target, fields string
		for range rapid.IntRange(5, 20).Draw(rt, "steps") {
			switch pick(rt, "change", "", "", "", "", "", "", "", "", "revoke", "allow", "rename", "version", "token", "tokens") {
			case "revoke":
				r.change(func() { r.forbidden[7] = true })
			case "allow":
				r.change(func() { clear(r.forbidden) })
			case "rename":
				r.change(func() { r.title = pick(rt, "title", "Lesson", "Урок", "a/b") })
			case "version":
				r.mu.Lock()
				r.version = pick(rt, "version", "1", "2")
				r.mu.Unlock()
			case "token":
				r.change(func() { r.denied[goodToken] = 1 })
			case "tokens":
				r.change(func() { clear(r.denied) })
			}
			if target == "" || pick(rt, "same", "yes", "yes", "yes", "no") == "no" {
				path := strings.Replace(streamPath, "7", pick(rt, "recording", "7", "7", "7", "8"), 1) + pick(rt, "query", "", "", "?download=1")
				target = pick(rt, "method", "GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "OPTIONS") + " " + path + " HTTP/1.1\r\nHost: lms.example\r\n"
				fields = pick(rt, "token", authorization, authorization, "Authorization: Bearer "+goodToken+"2\r\n", "Cookie: lectern_playback="+goodToken+"\r\n", "") +
					pick(rt, "origin", "", "", "", "Origin: https://a.example\r\n", "Origin: https://b.example\r\n") +
					pick(rt, "condition", "", "", "", "", "If-Range: \"x\"\r\n", "If-Range: Sun, 01 Mar 2026 10:20:30 GMT\r\n", "If-None-Match: *\r\n", "Want-Digest: sha-256\r\n")
			}
			request := target + fields
			request += pick(rt, "range", "Range: bytes=0-9\r\n", "Range: bytes=5-\r\n", "Range: bytes=-3\r\n", "range:bytes=990-2000\r\n", "Range: bytes=2000-\r\n", "Range: bytes=1-2,5-6\r\n", "Range: lines=1-2\r\n", "Range: bytes=7-1\r\n", "Range: \r\n", "Range: bytes=0-0\r\nRange: bytes=1-1\r\n", "")
			request += "\r\n"
			got, err := r.ask(conn, request)
			if err != nil {
				rt.Fatal(err)
			}
			fresh := r.dial()
			want, err := r.ask(fresh, request)
			fresh.Close()
			if err != nil {
				rt.Fatal(err)
			}
			if got, want := withoutBoundary(got), withoutBoundary(want); got != want {
				rt.Fatalf("%s\n%s\non a new connection\n%s", request, got, want)
			}
		}
	})
	if r.held.Load() == 0 {
		t.Error("no request was repeated")
	}
}

// withoutBoundary replaces the random boundary of a multipart answer.
func withoutBoundary(answer string) string {
	_, rest, ok := strings.Cut(answer, "boundary=")
	if !ok {
		return answer
	}
	boundary, _, _ := strings.Cut(rest, "\r\n")
	return strings.ReplaceAll(answer, boundary, "BOUNDARY")
}
