package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// begin sends a GET and reads the headers only.
func (h *fixture) begin(headers ...string) (net.Conn, *http.Response) {
	h.t.Helper()
	conn := h.dial()
	h.send(conn, "GET", streamPath, append(headers, "Authorization: Bearer "+goodToken)...)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "GET"})
	if err != nil {
		h.t.Fatalf("no answer: %v", err)
	}
	return conn, resp
}

// wantLine waits for the next exchange and compares what it says.
func (h *fixture) wantLine(name string, want map[string]any) {
	h.t.Helper()
	line := h.line()
	for k, v := range want {
		if fmt.Sprint(line[k]) != fmt.Sprint(v) {
			h.t.Errorf("%s: the log says %s=%v, want %v, in %v", name, k, line[k], v, line)
		}
	}
}

// endless serves any span, a piece at a time.
func endless(most int64) func(context.Context, media.Object, media.Span) (media.Reader, error) {
	piece := pattern(int(most))
	return func(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
		return &zeroReader{piece: piece, left: span.Len}, nil
	}
}

type zeroReader struct {
	piece []byte
	left  int64
}

func (r *zeroReader) Next(_ context.Context, limit int64) (media.Piece, error) {
	n := min(limit, r.left, int64(len(r.piece)))
	r.left -= n
	return media.Piece{Data: r.piece[:n], Len: n, From: media.SourceCache}, nil
}
func (r *zeroReader) Status() media.CacheStatus { return media.CacheHit }
func (r *zeroReader) Close() error              { return nil }

const huge = 1 << 40 // more than any socket buffer

func newEndlessFixture(t *testing.T, change func(*Config, *fixture)) *fixture {
	return newFixture(t, 0, func(c *Config, h *fixture) {
		h.obj.Size = huge
		h.open = endless(64 << 10)
		if change != nil {
			change(c, h)
		}
	})
}

func TestHangupWhileTheOriginStalls(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    int // bytes left when the origin stalls
		where string
	}{
		{"before the first byte", 1000, "handler"},
		{"in the body", 500, "body"},
	} {
		var closed atomic.Int32
		stalled := make(chan struct{})
		h := newFixture(t, 1000, func(_ *Config, h *fixture) {
			h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
				wait := stall(c.at)
				return &memReader{data: h.content, most: 500, closed: func() { closed.Add(1) }, before: func(ctx context.Context, left int) error {
					if left <= c.at {
						close(stalled)
					}
					return wait(ctx, left)
				}}, nil
			}
		})
		conn := h.dial()
		h.send(conn, "GET", streamPath, "Authorization: Bearer "+goodToken)
		<-stalled
		if h.server.Active() != 1 {
			t.Errorf("%s: %d streams active", c.name, h.server.Active())
		}
		conn.Close() // nothing else would end the stall
		h.wantLine(c.name, map[string]any{"outcome": "hangup", "level": "INFO"})
		if h.server.Active() != 0 || closed.Load() != 1 {
			t.Errorf("%s: %d streams active, the reader was closed %d times", c.name, h.server.Active(), closed.Load())
		}
	}
}

func TestHangupWhileTheGateStalls(t *testing.T) {
	entered := make(chan struct{})
	h := newFixture(t, 10, func(_ *Config, h *fixture) {
		h.authorize = func(ctx context.Context, _ media.Viewer, _ int64) (media.Recording, error) {
			close(entered)
			<-ctx.Done()
			return media.Recording{}, ctx.Err()
		}
	})
	conn := h.dial()
	h.send(conn, "GET", streamPath, "Authorization: Bearer "+goodToken)
	<-entered
	conn.Close()
	h.wantLine("gate", map[string]any{"outcome": "hangup", "status": 499})
}

func TestHangupWhileWriting(t *testing.T) {
	h := newEndlessFixture(t, nil)
	conn, resp := h.begin()
	io.CopyN(io.Discard, resp.Body, 1<<20)
	conn.Close()
	h.wantLine("writing", map[string]any{"outcome": "hangup", "status": 200, "cache": "hit"})
	if h.server.Active() != 0 {
		t.Errorf("%d streams active", h.server.Active())
	}
}

func TestOriginTimeout(t *testing.T) {
	quick := func(c *Config, h *fixture) { c.OriginTimeout = 50 * time.Millisecond }
	h := newFixture(t, 1000, func(c *Config, h *fixture) {
		quick(c, h)
		h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
			return &memReader{data: h.content, before: stall(1000)}, nil
		}
	})
	if a := h.get(); a.StatusCode != 504 || a.problem(t).Code != media.CodeOriginTimeout {
		t.Errorf("first byte: %d %s", a.StatusCode, a.body)
	}
	h = newFixture(t, 1000, func(c *Config, h *fixture) {
		quick(c, h)
		h.authenticate = func(ctx context.Context, _ media.Token) (media.Viewer, error) {
			<-ctx.Done()
			return media.Viewer{}, ctx.Err()
		}
	})
	if a := h.get(); a.StatusCode != 503 || a.problem(t).Code != media.CodeCatalogDown {
		t.Errorf("gate: %d %s", a.StatusCode, a.body)
	}
	h = newFixture(t, 1000, func(c *Config, h *fixture) {
		quick(c, h)
		h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
			return &memReader{data: h.content, most: 400, before: stall(600)}, nil
		}
	})
	if a := h.get(); a.err == nil || len(a.body) != 400 {
		t.Errorf("later: %d bytes, %v", len(a.body), a.err)
	}
	h.wantLine("later", map[string]any{"outcome": "timeout", "bytes": 400})
}

// TestFaultsAfterTheHeaders wants the connection closed and nothing made up.
func TestFaultsAfterTheHeaders(t *testing.T) {
	short := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "short")
		if err := os.WriteFile(path, pattern(700), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name    string
		reader  func(h *fixture) media.Reader
		sent    int
		outcome string
	}{
		{"the version changes", func(h *fixture) media.Reader {
			return &memReader{data: h.content, most: 300, before: func(_ context.Context, left int) error {
				if left == 400 {
					return media.Fault(media.Changed, "test", nil)
				}
				return nil
			}}
		}, 600, "changed"},
		{"the bytes end early", func(h *fixture) media.Reader { return &memReader{data: h.content[:600], most: 300} }, 600, "corrupt"},
		{"a piece too long", func(h *fixture) media.Reader { return &greedyReader{memReader{data: h.content, most: 600}} }, 600, "corrupt"},
		{"a file ends early", func(h *fixture) media.Reader {
			r, err := openFileReader(short(h.t), media.Span{Len: 1000}, 1000)
			if err != nil {
				h.t.Error(err)
			}
			return r
		}, 700, "corrupt"},
		{"a panic", func(h *fixture) media.Reader {
			return &memReader{data: h.content, most: 300, before: func(_ context.Context, left int) error {
				if left == 400 {
					panic("in the body")
				}
				return nil
			}}
		}, 600, "panic"},
	} {
		h := newFixture(t, 1000, func(_ *Config, h *fixture) {
			h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) { return c.reader(h), nil }
		})
		a := h.get()
		if a.StatusCode != 200 || !errors.Is(a.err, io.ErrUnexpectedEOF) || string(a.body) != string(h.content[:c.sent]) {
			t.Errorf("%s: %d, %d bytes, %v", c.name, a.StatusCode, len(a.body), a.err)
		}
		h.wantLine(c.name, map[string]any{"outcome": c.outcome, "bytes": c.sent, "level": "WARN"})
		if c.outcome == "panic" && !strings.Contains(h.log.String(), "stream_test.go") {
			t.Errorf("%s: no stack in the log", c.name)
		}
	}
}

// greedyReader returns more than the limit, the second time.
type greedyReader struct{ memReader }

func (r *greedyReader) Next(ctx context.Context, limit int64) (media.Piece, error) {
	if limit < 600 {
		limit = 600
		r.data = pattern(600)
	}
	return r.memReader.Next(ctx, limit)
}

func TestPanicInTheHandler(t *testing.T) {
	for name, breakIt := range map[string]func(*fixture){
		"gate": func(h *fixture) {
			h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) { panic("x") }
		},
		"origin": func(h *fixture) { h.stat = func(context.Context, media.Location) (media.Object, error) { panic("x") } },
		"store": func(h *fixture) {
			h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) { panic("x") }
		},
		"reader": func(h *fixture) {
			h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
				return &memReader{before: func(context.Context, int) error { panic("x") }, closed: func() { panic("and again") }}, nil
			}
		},
	} {
		h := newFixture(t, 10, func(_ *Config, h *fixture) { breakIt(h) })
		conn := h.dial()
		for range 2 { // the connection lives as well
			h.send(conn, "GET", streamPath, "Authorization: Bearer "+goodToken)
			a := h.receive(conn, "GET")
			if a.StatusCode != 500 || string(a.body) != `{"detail":"Internal error.","code":"internal"}` {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
			}
			h.wantLine(name, map[string]any{"outcome": "panic", "status": 500})
		}
		if !strings.Contains(h.log.String(), "stream_test.go") {
			t.Errorf("%s: no stack in the log", name)
		}
	}
}

func TestWriteIdle(t *testing.T) {
	h := newEndlessFixture(t, func(c *Config, _ *fixture) { c.WriteIdle = 100 * time.Millisecond })
	_, resp := h.begin() // and then take nothing
	h.wantLine("idle", map[string]any{"outcome": "stalled"})
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the body ended as if it were whole")
	}
}

// TestWriteIdleIsRenewed streams for several deadlines.
func TestWriteIdleIsRenewed(t *testing.T) {
	h := newFixture(t, 2000, func(c *Config, h *fixture) {
		c.WriteIdle = 200 * time.Millisecond
		c.Limit.StreamRate = 2000 // one second's worth at once, then half a second for the rest
		h.content = pattern(3000)
		h.obj.Size = 3000
	})
	began := time.Now()
	a := h.get()
	if a.err != nil || string(a.body) != string(h.content) {
		t.Errorf("%d bytes, %v", len(a.body), a.err)
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("3000 bytes at 2000 B/s with a burst of a second took %s", took)
	}
	h.wantLine("renewed", map[string]any{"outcome": "complete", "bytes": 3000})
}

func TestPaceOfFiles(t *testing.T) {
	h := newFixture(t, 300_000, func(c *Config, h *fixture) {
		c.Limit.StreamRate = 200_000
		h.onDisk(pieceSize)
	})
	began := time.Now()
	a := h.get("Range: bytes=1-")
	if a.err != nil || string(a.body) != string(h.content[1:]) {
		t.Errorf("%d bytes, %v", len(a.body), a.err)
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("300 kB at 200 kB/s took %s", took)
	}
}

func TestRevoked(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		outcome string
	}{
		"refused": {media.Refuse(media.CodeNoAccess, "no longer"), "revoked"},
		"fault":   {media.Fault(media.Unavailable, "test", nil), "unavailable"},
		"panic":   {nil, "panic"},
	} {
		var revoked atomic.Bool
		h := newEndlessFixture(t, func(cfg *Config, h *fixture) {
			cfg.Recheck = 20 * time.Millisecond
			h.recheck = func(_ context.Context, v media.Viewer, id int64) error {
				if v.User.ID != 42 || id != 7 {
					t.Errorf("rechecked %+v and %d", v, id)
				}
				if !revoked.Load() {
					return nil
				}
				if c.err == nil {
					panic("recheck")
				}
				return c.err
			}
		})
		// One that reads, and one that takes nothing and so sits in a write.
		_, reading := h.begin()
		h.begin()
		io.CopyN(io.Discard, reading.Body, 1<<20)
		revoked.Store(true)
		for range 2 {
			h.wantLine(name, map[string]any{"outcome": c.outcome, "status": 200})
		}
		if _, err := io.Copy(io.Discard, reading.Body); err == nil {
			t.Errorf("%s: the body ended as if it were whole", name)
		}
	}
}

// TestRevokedAtOnce: a signalled change causes a round without waiting for the next
// one, and several at once cause one round.
func TestRevokedAtOnce(t *testing.T) {
	var revoked atomic.Bool
	var rounds atomic.Int64
	h := newEndlessFixture(t, func(cfg *Config, h *fixture) {
		cfg.Recheck = time.Hour
		h.changed = make(chan struct{}, 1)
		h.recheck = func(context.Context, media.Viewer, int64) error {
			if rounds.Add(1); revoked.Load() {
				return media.Refuse(media.CodeNoAccess, "no longer")
			}
			return nil
		}
	})
	_, reading := h.begin()
	io.CopyN(io.Discard, reading.Body, 1<<20)
	began := time.Now()
	for range 3 {
		h.changed <- struct{}{}
	}
	for rounds.Load() < 3 && time.Since(began) < testTimeout {
		time.Sleep(time.Millisecond)
	}
	if took := time.Since(began); rounds.Load() != 3 || took < 2*250*time.Millisecond {
		t.Errorf("%d rounds in %v, without rest", rounds.Load(), took)
	}
	revoked.Store(true)
	h.changed <- struct{}{}
	h.wantLine("revoked", map[string]any{"outcome": "revoked", "status": 200})
}

func TestTooManyStreams(t *testing.T) {
	h := newEndlessFixture(t, func(c *Config, _ *fixture) { c.Limit.StreamsPerUser = 2 })
	first, _ := h.begin()
	h.begin()
	a := h.get()
	if a.StatusCode != 429 || a.problem(t).Code != media.CodeTooManyStreams || a.Header.Get("Retry-After") == "" {
		t.Errorf("the third: %d %s", a.StatusCode, a.body)
	}
	h.wantLine("the third", map[string]any{"outcome": "refused", "code": "too_many_streams"})
	if n := h.metric("lectern_limited_total", "limit", "streams_per_user"); n != 1 {
		t.Errorf("%v limited", n)
	}
	if n := h.metric("lectern_streams_active"); n != 2 {
		t.Errorf("%v active", n)
	}
	if a := h.do("HEAD", streamPath, "Authorization: Bearer "+goodToken); a.StatusCode != 200 {
		t.Errorf("HEAD needs a slot: %d", a.StatusCode)
	}
	h.line()
	first.Close()
	h.wantLine("the first", map[string]any{"outcome": "hangup"})
	// 304, 412 and 416 hold nothing.
	for range 3 {
		if a := h.get("If-None-Match: *"); a.StatusCode != 304 {
			t.Errorf("%d", a.StatusCode)
		}
		h.line()
	}
	h.begin()
}

func TestOverloaded(t *testing.T) {
	h := newEndlessFixture(t, func(c *Config, _ *fixture) { c.Limit.Streams, c.Limit.StreamsPerUser = 1, 0 })
	h.begin()
	a := h.get()
	if a.StatusCode != 503 || a.problem(t).Code != media.CodeOverloaded || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if n := h.metric("lectern_limited_total", "limit", "streams"); n != 1 {
		t.Errorf("%v limited", n)
	}
}

func TestMultipartReadsPartAfterPart(t *testing.T) {
	var open, most atomic.Int32
	h := newFixture(t, 1000, func(_ *Config, h *fixture) {
		h.open = func(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
			most.Store(max(most.Load(), open.Add(1)))
			return &memReader{data: h.content[span.Off:span.End()], most: 7, closed: func() { open.Add(-1) }}, nil
		}
	})
	a := h.get("Range: bytes=0-9,500-599,-1")
	if a.err != nil || a.StatusCode != 206 || a.Header.Get("Content-Range") != "" || a.ContentLength != int64(len(a.body)) {
		t.Fatalf("%d %v %v", a.StatusCode, a.Header, a.err)
	}
	want := fmt.Sprintf("206 video/mp4 bytes 0-9/1000 %x\n206 video/mp4 bytes 500-599/1000 %x\n206 video/mp4 bytes 999-999/1000 %x\n",
		h.content[:10], h.content[500:600], h.content[999:])
	if got := flat(t, a.StatusCode, a.Header, a.body); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if most.Load() != 1 || open.Load() != 0 {
		t.Errorf("%d readers at once, %d left open", most.Load(), open.Load())
	}
	if b := h.get("Range: bytes=0-9,500-599,-1"); b.Header.Get("Content-Type") == a.Header.Get("Content-Type") {
		t.Error("the boundary is the same twice")
	}
}

func TestFaultInALaterPart(t *testing.T) {
	opened := 0
	h := newFixture(t, 1000, func(_ *Config, h *fixture) {
		h.open = func(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
			if opened++; opened == 2 {
				return nil, media.Fault(media.Unavailable, "test", nil)
			}
			return &memReader{data: h.content[span.Off:span.End()]}, nil
		}
	})
	if a := h.get("Range: bytes=0-9,500-599"); a.err == nil {
		t.Error("the body ended as if it were whole")
	}
	h.wantLine("later part", map[string]any{"outcome": "unavailable", "status": 206})
}

// TestSmallPiecesArriveAtOnce: what the origin gave must not lie in a buffer
// while more is waited for.
func TestSmallPiecesArriveAtOnce(t *testing.T) {
	release := make(chan struct{})
	h := newFixture(t, 20, func(_ *Config, h *fixture) {
		h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
			return &memReader{data: h.content, most: 10, before: func(_ context.Context, left int) error {
				if left == 10 {
					<-release
				}
				return nil
			}}, nil
		}
	})
	_, resp := h.begin()
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Errorf("the first ten bytes: %v", err)
	}
	close(release)
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 10 {
		t.Errorf("the rest: %d bytes, %v", len(rest), err)
	}
}

func TestKeepAliveAndPipelining(t *testing.T) {
	h := newFixture(t, 100_000, nil)
	conn := h.dial()
	for i := range 5 {
		h.send(conn, "GET", streamPath, fmt.Sprintf("Range: bytes=%d-%d", i, i*1000), "Authorization: Bearer "+goodToken)
		h.send(conn, "GET", "/", "Accept: text/html")
	}
	r := bufio.NewReader(conn)
	for i := range 5 {
		for _, want := range []string{string(h.content[i : max(i*1000, i)+1]), "<h1>library</h1>"} {
			if i == 0 && want != "<h1>library</h1>" {
				want = string(h.content[:1])
			}
			resp, err := http.ReadResponse(r, &http.Request{Method: "GET"})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != want {
				t.Fatalf("answer %d: %d bytes, want %d, %v", i, len(body), len(want), err)
			}
		}
	}
}

func TestAccessLog(t *testing.T) {
	h := newFixture(t, 1000, nil)
	h.do("GET", streamPath+"?token="+goodToken+"&x=SECRET2", "Range: bytes=0-99", "X-Forwarded-For: 6.6.6.6, 198.51.100.7", "X-Request-Id: abc-1")
	h.wantLine("range", map[string]any{
		"method": "GET", "route": "/schedule/api/recordings/{id}/stream/", "recording": 7, "user": 42, "status": 206,
		"range": "bytes=0-99", "bytes": 100, "cache": "hit", "outcome": "complete", "client": "198.51.100.7", "request_id": "abc-1",
	})
	h.do("GET", streamPath, "Cookie: lectern_playback="+goodToken, "Range: bytes=\"é")
	line := h.line()
	for _, k := range []string{"request_id", "client", "duration_us", "auth_us", "catalog_us", "origin_us"} {
		if _, ok := line[k]; !ok {
			t.Errorf("%s is missing in %v", k, line)
		}
	}
	h.do("GET", streamPath, "Authorization: Bearer bad-SECRET3")
	h.wantLine("refused", map[string]any{"status": 401, "code": "token_not_valid", "outcome": "refused"})
	h.do("GET", "/SECRET4/path?token=SECRET5")
	h.wantLine("unknown", map[string]any{"status": 404, "route": ""})
	for _, secret := range []string{goodToken, "SECRET2", "SECRET3", "SECRET4", "SECRET5", "lectern_playback"} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// TestAccessLogOfPlaybacks: the ranges of one connection have two lines, whether the client
// closes it or the server stops.
func TestAccessLogOfPlaybacks(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(h *fixture, conn net.Conn)
	}{
		{"closed", func(_ *fixture, conn net.Conn) { conn.Close() }},
		{"stopped", func(h *fixture, _ net.Conn) { h.server.Shutdown(t.Context()) }},
	} {
		h := newFixture(t, 1000, nil)
		conn := h.dial()
		for i := range 4 {
			h.send(conn, "GET", streamPath, "Authorization: Bearer "+goodToken, fmt.Sprintf("Range: bytes=%d-%d", i*100, i*100+99))
			h.receive(conn, "GET")
		}
		h.wantLine(c.name+", the first", map[string]any{"range": "bytes=0-99", "outcome": "complete"})
		c.end(h, conn)
		deadline := time.After(testTimeout)
		for !strings.Contains(h.log.String(), `"msg":"playback"`) {
			select {
			case <-deadline:
				t.Fatalf("%s: no line of the playback", c.name)
			case <-time.After(time.Millisecond):
			}
		}
		if log := h.log.String(); !strings.Contains(log, `"recording":7,"user":42,"requests":3,"bytes":300,`) || strings.Count(log, `"msg":"exchange"`) != 1 {
			t.Errorf("%s: %s", c.name, log)
		}
	}
}

// TestSlotsAreForViewers has requests without access wait for their authentication. They
// hold no slot that a viewer needs.
func TestSlotsAreForViewers(t *testing.T) {
	waiting, release := make(chan struct{}), make(chan struct{})
	h := newFixture(t, 100, func(c *Config, h *fixture) {
		c.Limit.Streams = 1
		authenticate := h.authenticate
		h.authenticate = func(ctx context.Context, tok media.Token) (media.Viewer, error) {
			if tok.Value == "made-up" {
				waiting <- struct{}{}
				<-release
				return media.Viewer{}, media.Refuse(media.CodeTokenNotValid, "no")
			}
			return authenticate(ctx, tok)
		}
	})
	attacker := make(chan int)
	go func() { attacker <- h.do("GET", streamPath, "Authorization: Bearer made-up").StatusCode }()
	<-waiting
	if a := h.get(); a.StatusCode != 200 {
		t.Errorf("a viewer beside a request without access: %d", a.StatusCode)
	}
	close(release)
	if status := <-attacker; status != 401 {
		t.Errorf("the request without access: %d", status)
	}
}
