package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/route"
	"github.com/lectiospace/lectern/internal/requestline"
)

// TestRefusedMessages sends what fasthttp alone answers by its content, or with another
// status.
func TestRefusedMessages(t *testing.T) {
	h := newFixture(t, 10, nil)
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\n\r\n", 200},
		{"an @ in the path", "GET /?a=b@c HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"an absolute target", "GET http://x/?a@b HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"userinfo in Host", "GET / HTTP/1.1\r\nHost: lms.example@evil.example\r\n\r\n", 400},
		{"an empty user in Host", "GET / HTTP/1.1\r\nHost: @evil.example\r\n\r\n", 400},
		{"userinfo in the target", "GET http://lms.example:x@evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
		{"HTTP/3.0", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
		{"a target of 8 KiB", "GET /?" + strings.Repeat("a", requestline.MaxTarget-2) + " HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"a longer one", "GET /?" + strings.Repeat("a", requestline.MaxTarget-1) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
		{"one beyond the buffer", "GET /?" + strings.Repeat("a", 3*requestline.MaxTarget) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
		{"long fields", "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 3*requestline.MaxTarget) + "\r\n\r\n", 431},
	} {
		conn := h.dial()
		io.WriteString(conn, c.text)
		if a := h.receive(conn, "GET"); a.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, a.StatusCode, c.want)
		}
	}
}

// TestAmbiguousMessages: what another server may read in another way is refused, first on a
// connection and behind another request, and nothing behind it is answered. Fields behind a
// chunked body are none of the header section.
func TestAmbiguousMessages(t *testing.T) {
	h := newFixture(t, 10, nil)
	const host, auth = "Host: x\r\n", "Authorization: Bearer " + goodToken + "\r\n"
	get := "GET " + streamPath + " HTTP/1.1\r\n" + host + auth
	const good = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"the coding identity", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\nContent-Length: 42\r\n\r\n" + good, 400},
		{"the coding gzip", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n" + good, 501},
		{"a space in a name", "POST / HTTP/1.1\r\n" + host + "Content Length: 5\r\n\r\n" + good, 400},
		{"LF in the fields", "POST / HTTP/1.1\r\n" + host + "A: b\nTransfer-Encoding: chunked\r\n\r\n" + good, 400},
		{"LF alone", "GET / HTTP/1.0\r\nA: b\n\n", 400},
		{"an expectation and identity", "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nTransfer-Encoding: identity\r\n\r\n" + good, 400},
		{"angle brackets in Host", "GET / HTTP/1.1\r\nHost: <x>\r\n\r\n", 400},
		{"another bad Host with a whole address", "GET http://x/ HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"a whole address without a host", "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"a fragment", "GET /#a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"an endless target", "GET /" + strings.Repeat("a", 3*requestline.MaxTarget), 414},
		{"the server as a whole", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204},
		{"a condition behind the body", get + "Transfer-Encoding: chunked\r\n\r\n0\r\nIf-None-Match: *\r\n\r\n", 200},
		{"two ranges", get + "Range: bytes=0-0\r\nRange: bytes=1-1\r\n\r\n", 200},
		{"two dates", get + "If-Modified-Since: Sun, 01 Mar 2026 10:20:30 GMT\r\nIf-Modified-Since: Sun, 01 Mar 2026 10:20:30 GMT\r\n\r\n", 200},
	} {
		for _, before := range []string{"", good} {
			if before != "" && c.name == "LF alone" {
				continue // not scanned there: more is waited for, and 408 the answer
			}
			conn := h.dial()
			go io.WriteString(conn, before+c.text)
			r := bufio.NewReader(conn)
			if before != "" {
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatalf("%s: the request before: %v", c.name, err)
				}
				io.Copy(io.Discard, resp.Body)
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != c.want {
				t.Errorf("%s behind %q: %v %v, want %d", c.name, before, resp, err, c.want)
				continue
			}
			if c.want >= 400 {
				if rest, err := io.ReadAll(r); err != nil || !resp.Close || bytes.Contains(rest, []byte("HTTP/1.1")) {
					t.Errorf("%s behind %q: close %v, then %q %v", c.name, before, resp.Close, rest, err)
				}
			}
		}
	}
}

// TestExpect: a client that waits with its body gets the final status at once when the
// body would be refused, and 100 when it is wanted. No body is sent before that.
func TestExpect(t *testing.T) {
	h := newFixture(t, 10, func(cfg *Config, _ *fixture) { cfg.HeaderTimeout = 10 * testTimeout })
	const playback = "POST /api/recordings/7/playback/ HTTP/1.1\r\nHost: x\r\n"
	authorized := playback + "Authorization: Bearer " + goodToken + "\r\n"
	for _, c := range []struct {
		name, head string
		length     int
		want       int
	}{
		{"no token", playback + "Expect: 100-continue\r\n", 10, 401},
		{"a forged token", playback + "Authorization: Bearer forged\r\nExpect: 100-continue\r\n", 10, 401},
		{"no such page", "POST /nothing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n", 10, 404},
		{"another method", "PUT /api/recordings/7/stream/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n", 10, 405},
		{"a large body", authorized + "Expect: 100-continue\r\n", maxRequestBody + 1, 413},
		{"another expectation", authorized + "Expect: tea\r\n", 10, 417},
		{"several", authorized + "Expect: 100-continue, tea\r\n", 10, 417},
		{"a body that is wanted", authorized + "Expect: 100-Continue\r\n", 10, 100},
		{"a session", playback + "Cookie: lectern_session=" + goodToken + "\r\nSec-Fetch-Site: same-origin\r\nExpect: 100-continue\r\n", 10, 100},
		{"a forged session", playback + "Cookie: lectern_session=forged\r\nSec-Fetch-Site: same-origin\r\nExpect: 100-continue\r\n", 10, 401},
	} {
		conn := h.dial() // with a deadline before the server's
		fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n", c.head, c.length)
		r := bufio.NewReader(conn)
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, fmt.Sprintf("HTTP/1.1 %d ", c.want)) {
			t.Errorf("%s: %q %v, want %d", c.name, line, err, c.want)
			continue
		}
		if c.want == 100 {
			io.WriteString(conn, strings.Repeat(" ", c.length))
			r.ReadString('\n')
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != http.StatusCreated {
				t.Errorf("%s: %v %v", c.name, resp, err)
			}
			continue
		}
		rest, err := io.ReadAll(r)
		if err != nil || !strings.Contains(string(rest), `"detail"`) || !strings.Contains(string(rest), "Connection: close") {
			t.Errorf("%s: %q %v", c.name, rest, err)
		}
	}
}

// TestBodyLimit: a body larger than most is read of those alone who are signed in, and where
// there is something to replace.
func TestBodyLimit(t *testing.T) {
	h := newFixture(t, 10, nil)
	h.server.routes = append(h.server.routes,
		route.Route{Pattern: "/api/recordings/{id}/captions/{lang}.vtt", Allow: "GET, PUT", MaxBody: 2<<20 + 1},
		route.Route{Pattern: "/api/recordings/{id}/chapters/", Allow: "GET, PUT"})
	const captions = "/api/recordings/7/captions/en.vtt"
	for _, c := range []struct {
		name, method, target, authorization string
		length, want                        int
	}{
		{"captions", "PUT", captions, "Bearer " + goodToken, 1 << 20, 2<<20 + 1},
		{"captions of unknown length", "PUT", captions, "Bearer " + goodToken, -1, 2<<20 + 1},
		{"an encoded path", "PUT", "/api/%72ecordings/7/captions/e%6E.vtt?x=1", "Bearer " + goodToken, 1 << 20, 2<<20 + 1},
		{"a whole address", "PUT", "http://lms.example" + captions, "Bearer " + goodToken, 1 << 20, 2<<20 + 1},
		{"small captions", "PUT", captions, "", 100, maxRequestBody},
		{"without a token", "PUT", captions, "", 1 << 20, maxRequestBody},
		{"a forged token", "PUT", captions, "Bearer forged", 1 << 20, maxRequestBody},
		{"another scheme", "PUT", captions, "x", 1 << 20, maxRequestBody},
		{"chapters", "PUT", "/api/recordings/7/chapters/", "Bearer " + goodToken, 1 << 20, maxPutBody},
		{"no such page", "PUT", "/nothing", "Bearer " + goodToken, 1 << 20, maxRequestBody},
		{"a page without PUT", "PUT", streamPath, "Bearer " + goodToken, 1 << 20, maxRequestBody},
		{"another method", "POST", captions, "Bearer " + goodToken, 1 << 20, maxRequestBody},
	} {
		var head fasthttp.RequestHeader
		head.SetMethod(c.method)
		head.SetRequestURI(c.target)
		head.SetContentLength(c.length)
		if c.authorization != "" {
			head.Set("Authorization", c.authorization)
		}
		if got := h.server.bodyLimit(&head, func() bool { return h.server.signedIn(&head) }); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestErrorPages: a browser that opens an address gets errors as a page, in its language,
// with the status and the other fields of the JSON; programs get JSON.
func TestErrorPages(t *testing.T) {
	h := newFixture(t, 10, nil)
	const chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
	for _, c := range []struct{ path, accept, languages, want string }{
		{streamPath, chromium, "", "You are not signed in"},
		{streamPath + "?token=forged", chromium, "ru-RU,ru;q=0.9,en-US;q=0.8", "Вы не вошли"},
		{"/nothing", chromium, "en;q=0.5,ru;q=0.4", "There is nothing here"},
		{"/api/recordings/7/playback/", chromium, "ru", "Не получилось"}, // 405
		{"/nothing", "text/html;q=0.5, application/json;q=0.4", "", "There is nothing here"},
		{"/nothing", "text/html, application/json", "", ""},
		{"/nothing", "application/json, text/html;q=0.9, */*;q=0.1", "", ""},
		{"/nothing", "text/html;q=0, */*", "", ""},
		{"/nothing", "text/html;q=x", "", ""},
		{"/nothing", "application/json, text/plain, */*", "ru", ""},
		{streamPath, "*/*", "ru", ""},
		{streamPath, "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5", "ru", ""},
		{streamPath, "", "ru", ""},
	} {
		conn := h.dial()
		h.send(conn, "GET", c.path)
		plain := h.receive(conn, "GET")
		conn = h.dial()
		h.send(conn, "GET", c.path, "Accept: "+c.accept, "Accept-Language: "+c.languages)
		a := h.receive(conn, "GET")
		if strings.Contains(c.path, "token=") {
			plain.StatusCode = http.StatusUnauthorized
		}
		if a.StatusCode != plain.StatusCode || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("WWW-Authenticate") != plain.Header.Get("WWW-Authenticate") || a.Header.Get("Allow") != plain.Header.Get("Allow") {
			t.Errorf("%s, %s: %d %v", c.path, c.accept, a.StatusCode, a.Header)
		}
		kind := "application/json"
		if c.want != "" {
			kind = "text/html; charset=utf-8"
		}
		if a.Header.Get("Content-Type") != kind || !strings.Contains(string(a.body), c.want) || strings.Contains(string(a.body), "forged") {
			t.Errorf("%s, %s: %s: %s", c.path, c.accept, a.Header.Get("Content-Type"), a.body)
		}
	}
}
