package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
)

var testModified = time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)

// oneRecording is access control, an origin and a store of one recording.
type oneRecording struct{ content []byte }

func (r oneRecording) Authenticate(context.Context, netip.Addr, []media.Token, int64) (media.Viewer, error) {
	return media.Viewer{User: media.User{ID: 42, Active: true}}, nil
}

func (r oneRecording) Authorize(_ context.Context, _ media.Viewer, id int64) (media.Recording, error) {
	return media.Recording{ID: id, Title: "Lesson", Location: media.Location{Provider: "local", Key: "a.mp4"}}, nil
}

func (r oneRecording) Lasting(media.Token, media.Viewer, media.Recording) func() bool { return nil }

func (r oneRecording) Recheck(context.Context, media.Viewer, int64) error { return nil }

func (r oneRecording) Stat(context.Context, media.Location) (media.Object, error) {
	return media.Object{Provider: "local", ID: "a.mp4", Version: "1", Size: int64(len(r.content)), ModTime: testModified}, nil
}

func (r oneRecording) Open(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
	return &bytesReader{r.content[span.Off:span.End()]}, nil
}

// bytesReader reads from memory.
type bytesReader struct{ data []byte }

func (r *bytesReader) Next(_ context.Context, limit int64) (media.Piece, error) {
	if len(r.data) == 0 {
		return media.Piece{}, io.EOF
	}
	n := min(limit, int64(len(r.data)))
	p := media.Piece{Data: r.data[:n], Len: n}
	r.data = r.data[n:]
	return p, nil
}

func (r *bytesReader) Status() media.CacheStatus { return media.CacheHit }
func (r *bytesReader) Close() error              { return nil }

// serveRecording serves one recording of size bytes, by a Handler alone, to every
// request.
func serveRecording(t *testing.T, size int) (addr string, content []byte) {
	t.Helper()
	content = pattern(size)
	h := newHandler(t, oneRecording{content})
	return serve(t, h, func(c *fasthttp.RequestCtx) { h.Serve(c, h.records.Begin(c, netip.Addr{}, false), 7) }), content
}

// recordings is all that a Handler needs of others.
type recordings interface {
	Access
	Origins
	Store
}

// newHandler is a Handler for them, started.
func newHandler(t *testing.T, of recordings) *Handler {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "limited_total"})
	h, err := New(Config{Streams: 100, StreamsPerUser: 100, WriteIdle: time.Minute, KeepAlive: time.Minute, OriginTimeout: time.Minute, Recheck: time.Minute}, Deps{
		Access: of, Origins: of, Store: of,
		Base: context.Background(), ResetResponse: func(c *fasthttp.RequestCtx) { c.Response.Reset() },
		LimitedStreams: counter, LimitedPerUser: counter,
		Records: accesslog.New(accesslog.PerRequest, log, time.Now), Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Start()
	t.Cleanup(h.Stop)
	return h
}

// serve serves with h until the test ends, when nothing may be left of it.
func serve(t *testing.T, h *Handler, handle fasthttp.RequestHandler) (addr string) {
	t.Helper()
	return serveWith(t, h, &fasthttp.Server{Handler: handle})
}

// serveWith serves with a server whose handler uses h.
func serveWith(t *testing.T, h *Handler, server *fasthttp.Server) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(corkedconn.NewListener(ln)) }()
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		<-served
		if n := h.Running(); n != 0 || h.Active() != 0 || len(h.users.inUse) != 0 {
			t.Errorf("%d exchanges run, %d streams and %d users hold slots", n, h.Active(), len(h.users.inUse))
		}
	})
	return ln.Addr().String()
}

// pattern is content in which every offset differs from its neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16*7)
	}
	return b
}

// TestGarbageRanges sends what no client should: any answer is fine as long as
// it is true.
func TestGarbageRanges(t *testing.T) {
	addr, content := serveRecording(t, 100)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	rapid.Check(t, func(rt *rapid.T) {
		rng := rapid.StringMatching(`[bB]ytes ?= ?[-+0-9 ,]{0,24}|[ -~]{0,30}`).Draw(rt, "range")
		req, _ := http.NewRequest("GET", "http://"+addr, nil)
		req.Header.Set("Range", rng)
		req.Header.Set("Authorization", "Bearer token")
		resp, err := client.Do(req)
		if err != nil {
			rt.Fatalf("%q: %v", rng, err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			rt.Fatalf("%q: the body ends early: %v", rng, err)
		}
		spans, result := selectRanges(strings.TrimSpace(rng), 100)
		want := "200  " + fmt.Sprintf("%x\n", content)
		switch {
		case result == rangeUnsatisfiable:
			want = "416 bytes */100 \n"
		case len(spans) == 1:
			want = fmt.Sprintf("206 %s %x\n", contentRange(spans[0], 100), at(content, spans[0]))
		case len(spans) > 1:
			want = ""
			for _, s := range spans {
				want += fmt.Sprintf("206 video/mp4 %s %x\n", contentRange(s, 100), at(content, s))
			}
		}
		if got := flat(rt, resp.StatusCode, resp.Header, body); got != want {
			rt.Fatalf("%q:\n got %s\nwant %s", rng, got, want)
		}
	})
}

func at(content []byte, s media.Span) []byte { return content[s.Off:s.End()] }

// flat makes an answer comparable: status, ranges and bytes, with the parts of a
// multipart body taken out of their frame.
func flat(t fataler, status int, header http.Header, body []byte) string {
	kind, params, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if status == 206 && kind == "multipart/byteranges" {
		var b strings.Builder
		parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		for {
			p, err := parts.NextPart()
			if err == io.EOF {
				return b.String()
			}
			if err != nil {
				t.Fatalf("the multipart body cannot be read: %v", err)
			}
			data, err := io.ReadAll(p)
			if err != nil {
				t.Fatalf("a part cannot be read: %v", err)
			}
			fmt.Fprintf(&b, "206 %s %s %x\n", p.Header.Get("Content-Type"), p.Header.Get("Content-Range"), data)
		}
	}
	if status >= 400 || status == 304 {
		body = nil // the words of a refusal are our own
	}
	return fmt.Sprintf("%d %s %x\n", status, header.Get("Content-Range"), body)
}

type fataler interface{ Fatalf(string, ...any) }

// serveContent is the oracle.
func serveContent(r *http.Request, etag string, content []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	w.Header().Set("Etag", etag)
	w.Header().Set("Content-Type", "video/mp4")
	http.ServeContent(w, r, "a.mp4", testModified, bytes.NewReader(content))
	return w
}
