package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/pages"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/stream"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for Date lives as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Its worker pool's cleaner looks only every ten seconds whether it should end.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

const (
	goodToken   = "eyJ-good-SECRET-token"
	streamPath  = "/schedule/api/recordings/7/stream/"
	testTimeout = 10 * time.Second
)

var testModified = time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)

// fixture is a server on a real listener with fakes behind it. The
// function fields may be replaced before the server gets its first request.
type fixture struct {
	t       *testing.T
	server  *Server
	addr    string
	reg     *prometheus.Registry
	log     *logBook
	served  chan error
	obj     media.Object
	content []byte

	authenticate func(ctx context.Context, tok media.Token) (media.Viewer, error)
	authorize    func(ctx context.Context, v media.Viewer, id int64) (media.Recording, error)
	recheck      func(ctx context.Context, v media.Viewer, id int64) error
	stat         func(ctx context.Context, loc media.Location) (media.Object, error)
	open         func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error)
	invalidate   func(loc media.Location)
	listen       func() net.Listener
	grant        func(userID int64, rec media.Recording) (media.Grant, error)
	tracks       func(ctx context.Context, recordingID int64) ([]media.Caption, error)
	companion    func(ctx context.Context, id int64) (media.Companion, error)
	derived      func(ctx context.Context, recording int64, name string) (media.Companion, error)
	count        func(ctx context.Context, userID, recordingID int64, direct bool) (func(), error)
	prefetch     func(obj media.Object, release func())
	now          func() time.Time // nil: time.Now
	changed      chan struct{}    // nil: never
	playbacks    stream.PlaybackTracer
	lasting      func(tok media.Token, v media.Viewer, rec media.Recording) func() bool // nil: no decision lasts
}

func (h *fixture) Authenticate(ctx context.Context, tok media.Token) (media.Viewer, error) {
	return h.authenticate(ctx, tok)
}
func (h *fixture) Authorize(ctx context.Context, v media.Viewer, id int64) (media.Recording, error) {
	return h.authorize(ctx, v, id)
}
func (h *fixture) Recheck(ctx context.Context, v media.Viewer, id int64) error {
	return h.recheck(ctx, v, id)
}
func (h *fixture) Lasting(tok media.Token, v media.Viewer, rec media.Recording) func() bool {
	if h.lasting == nil {
		return nil
	}
	return h.lasting(tok, v, rec)
}
func (h *fixture) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	return h.stat(ctx, loc)
}
func (h *fixture) Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
	return h.open(ctx, obj, span)
}
func (h *fixture) Invalidate(loc media.Location) { h.invalidate(loc) }
func (h *fixture) Grant(userID int64, rec media.Recording) (media.Grant, error) {
	return h.grant(userID, rec)
}
func (h *fixture) Captions(ctx context.Context, recordingID int64) ([]media.Caption, error) {
	return h.tracks(ctx, recordingID)
}
func (h *fixture) DerivedFile(ctx context.Context, recording int64, name string) (media.Companion, error) {
	return h.derived(ctx, recording, name)
}

func (h *fixture) Companion(ctx context.Context, id int64) (media.Companion, error) {
	return h.companion(ctx, id)
}
func (h *fixture) Prefetch(obj media.Object, release func()) { h.prefetch(obj, release) }
func (h *fixture) Ready(int64, int64) bool                   { return false }

func (h *fixture) Count(ctx context.Context, userID, recordingID int64, direct bool) (func(), error) {
	return h.count(ctx, userID, recordingID, direct)
}

// pattern is content in which every offset differs from its neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16*7)
	}
	return b
}

// newHouse builds everything but does not listen yet.
func newFixture(t *testing.T, size int, change func(*Config, *fixture)) *fixture {
	t.Helper()
	h := &fixture{t: t, reg: prometheus.NewRegistry(), log: newLogBook(), content: pattern(size), served: make(chan error, 1)}
	h.obj = media.Object{Provider: "local", ID: "a.mp4", Version: "1", Size: int64(size), ModTime: testModified}
	h.authenticate = func(_ context.Context, tok media.Token) (media.Viewer, error) {
		if tok.Value != goodToken {
			return media.Viewer{}, media.Refuse(media.CodeTokenNotValid, "Given token not valid for any token type")
		}
		return media.Viewer{User: media.User{ID: 42, Role: media.RoleStudent, Active: true}}, nil
	}
	h.authorize = func(_ context.Context, _ media.Viewer, id int64) (media.Recording, error) {
		return media.Recording{ID: id, Title: "Lesson", Location: media.Location{Provider: "local", Key: "a.mp4"}}, nil
	}
	h.recheck = func(context.Context, media.Viewer, int64) error { return nil }
	h.stat = func(context.Context, media.Location) (media.Object, error) { return h.obj, nil }
	h.open = func(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
		return &memReader{data: h.content[span.Off:span.End()], status: media.CacheHit}, nil
	}
	h.invalidate = func(media.Location) {}
	h.grant = func(userID int64, rec media.Recording) (media.Grant, error) {
		return media.Grant{Token: fmt.Sprintf("eyJ-SECRET-grant-%d-%d", userID, rec.ID), Expires: time.Now().Add(2 * time.Hour)}, nil
	}
	h.tracks = func(context.Context, int64) ([]media.Caption, error) { return nil, nil }
	h.count = func(context.Context, int64, int64, bool) (func(), error) { return nil, nil }
	h.prefetch = func(_ media.Object, release func()) { release() }
	h.listen = func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg, h)
	}
	var err error
	h.server, err = New(cfg, Deps{
		Access: h, Origins: h, Store: h, Grants: h, Captions: h, Companions: h, Prefetch: h, Starts: h, Changed: h.changed, Playbacks: h.playbacks, Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: h.reg, Pages: testPages(), Now: h.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ln := h.listen()
	h.addr = ln.Addr().String()
	go func() { h.served <- h.server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nothing is worth waiting for
		h.server.Shutdown(ctx)
		select {
		case err := <-h.served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(testTimeout):
			t.Error("Serve does not return after Shutdown")
		}
		if n := h.server.Active(); n != 0 {
			t.Errorf("%d streams still hold a slot", n)
		}
		if n := h.server.streams.Running(); n != 0 {
			t.Errorf("%d exchanges are still registered", n)
		}
	})
	return h
}

func testPages() []pages.Page {
	return []pages.Page{
		{Path: "/", ContentType: "text/html; charset=utf-8", Body: []byte("<h1>library</h1>")},
		{Path: "/watch/{id}", ContentType: "text/html; charset=utf-8", Body: []byte("<h1>player</h1>"), Header: map[string]string{"X-Extra": "1"}},
		{Path: "/text", ContentType: "text/plain", Body: []byte(strings.Repeat("text ", 200)), Header: map[string]string{"Cache-Control": "immutable"}},
	}
}

// answer is what came back, read to its end.
type testResponse struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

func (a testResponse) problem(t *testing.T) (p respond.Problem) {
	t.Helper()
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%d: the body %q is no JSON: %v", a.StatusCode, a.body, err)
	}
	return p
}

// do sends one request. Headers come as "Name: value".
func (h *fixture) do(method, path string, headers ...string) testResponse {
	h.t.Helper()
	conn := h.dial()
	defer conn.Close()
	h.send(conn, method, path, headers...)
	res := h.receive(conn, method)
	isDescribed(h.t, method, path, res)
	return res
}

// get asks for the recording with a good token.
func (h *fixture) get(headers ...string) testResponse {
	h.t.Helper()
	return h.do("GET", streamPath, append(headers, "Authorization: Bearer "+goodToken)...)
}

func (h *fixture) dial() net.Conn {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(testTimeout))
	return conn
}

func (h *fixture) send(conn net.Conn, method, path string, headers ...string) {
	h.t.Helper()
	req := method + " " + path + " HTTP/1.1\r\nHost: lms.example\r\n"
	for _, line := range headers {
		req += line + "\r\n"
	}
	if _, err := io.WriteString(conn, req+"\r\n"); err != nil {
		h.t.Fatal(err)
	}
}

func (h *fixture) receive(conn net.Conn, method string) testResponse {
	h.t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		h.t.Fatalf("no answer: %v", err)
	}
	defer resp.Body.Close()
	a := testResponse{Response: resp}
	a.body, a.err = io.ReadAll(resp.Body)
	return a
}

// line waits for the access-log line of the next exchange.
func (h *fixture) line() map[string]any {
	h.t.Helper()
	select {
	case l := <-h.log.exchanges:
		return l
	case <-time.After(testTimeout):
		h.t.Fatal("no exchange was logged")
		return nil
	}
}

// metric reads one sample, 0 when there is none.
func (h *fixture) metric(name string, labels ...string) float64 {
	h.t.Helper()
	families, err := h.reg.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	next:
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			for i := 0; i < len(labels); i += 2 {
				if have[labels[i]] != labels[i+1] {
					continue next
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

// logBook keeps all that was logged and passes exchange lines on.
type logBook struct {
	mu        sync.Mutex
	text      bytes.Buffer
	exchanges chan map[string]any
}

func newLogBook() *logBook { return &logBook{exchanges: make(chan map[string]any, 1<<16)} }

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.text.Write(p)
	l.mu.Unlock()
	var line map[string]any
	if json.Unmarshal(p, &line) == nil && line["msg"] == "exchange" {
		l.exchanges <- line
	}
	return len(p), nil
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// memReader gives bytes from memory, at most most at a time.
type memReader struct {
	data   []byte
	most   int64
	status media.CacheStatus
	from   media.Source
	closed func()
	// before, when set, runs before each piece and may wait, fail or panic.
	before func(ctx context.Context, left int) error
}

func (r *memReader) Next(ctx context.Context, limit int64) (media.Piece, error) {
	if r.before != nil {
		if err := r.before(ctx, len(r.data)); err != nil {
			return media.Piece{}, err
		}
	}
	if len(r.data) == 0 {
		return media.Piece{}, io.EOF
	}
	n := min(limit, int64(len(r.data)))
	if r.most > 0 {
		n = min(n, r.most)
	}
	p := media.Piece{Data: r.data[:n], Len: n, From: r.from}
	r.data = r.data[n:]
	return p, nil
}

func (r *memReader) Status() media.CacheStatus { return r.status }

func (r *memReader) Close() error {
	if r.closed != nil {
		r.closed()
	}
	return nil
}

// fileReader gives pieces of a file, as a chunk cache would.
type fileReader struct {
	f    *os.File
	at   int64
	left int64
	most int64
}

func openFileReader(path string, span media.Span, most int64) (*fileReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &fileReader{f: f, at: span.Off, left: span.Len, most: most}, nil
}

func (r *fileReader) Next(_ context.Context, limit int64) (media.Piece, error) {
	if r.left == 0 {
		return media.Piece{}, io.EOF
	}
	n := min(limit, r.left, r.most)
	p := media.Piece{File: r.f, Off: r.at, Len: n, From: media.SourceCache}
	r.at, r.left = r.at+n, r.left-n
	return p, nil
}

func (r *fileReader) Status() media.CacheStatus { return media.CacheHit }
func (r *fileReader) Close() error              { return r.f.Close() }

// onDisk makes a fixture serve its content from a file.
func (h *fixture) onDisk(most int64) {
	path := filepath.Join(h.t.TempDir(), "content")
	if err := os.WriteFile(path, h.content, 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.open = func(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
		return openFileReader(path, span, most)
	}
}

// stall is a reader's before that waits for its context once left is reached.
func stall(at int) func(context.Context, int) error {
	return func(ctx context.Context, left int) error {
		if left > at {
			return nil
		}
		<-ctx.Done()
		return media.Fault(media.Canceled, "test: next", ctx.Err())
	}
}

func headerOf(a testResponse, names ...string) string {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "%s=%s;", n, a.Header.Get(n))
	}
	return b.String()
}
