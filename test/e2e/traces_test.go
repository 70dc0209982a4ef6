package e2e

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/telemetry/trace/tracetest"
)

// traceparents forwards requests and keeps their traceparents.
type traceparents struct {
	url string

	mu   sync.Mutex
	seen map[string]bool // guarded by mu
}

func recordTraceparents(t *testing.T, target string) *traceparents {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	r := &traceparents{seen: map[string]bool{}}
	forward := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.seen[req.Header.Get("Traceparent")] = true
		r.mu.Unlock()
		forward.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// take returns the traceparents since the last call, sorted; "" of requests without one.
func (r *traceparents) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer clear(r.seen)
	return slices.Sorted(maps.Keys(r.seen))
}

// TestTraces: a webhook comes to one syncer, which is killed after Zoom has not listed the recording yet;
// another archives the lesson, which is then watched. The collector has a span of each, with
// their links; Drive and Zoom get their traceparents. Nothing of a person is in them.
func TestTraces(t *testing.T) {
	t.Parallel()
	const (
		proxyTrace, proxySpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
		traceparent           = "00-" + proxyTrace + "-" + proxySpan + "-01"
	)
	collector := tracetest.New(t)
	s := newZoomFixture(t, "", 1)
	drive := recordTraceparents(t, envValue(t, s.env, "LECTERN_ORIGIN_DRIVE_ENDPOINT"))
	api := recordTraceparents(t, s.zoom.APIURL())
	s.env = append(s.env, "LECTERN_ORIGIN_DRIVE_ENDPOINT="+drive.url, "LECTERN_ZOOM_API_URL="+api.url,
		"LECTERN_SYNC_DELETE_FROM_ZOOM=true", "LECTERN_SYNC_ZOOM_TRASH_AFTER=0s",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20a-secret-header", "OTEL_BSP_SCHEDULE_DELAY=20")
	lesson := mp4(t, 3)
	uuid := s.record(0, emulator.Bytes(lesson))
	s.zoom.SetFaults(zoomemu.Faults{AbsentCalls: 1})
	first := serveProgram(t, "syncer", s.env...)
	req, err := zoomemu.Request(t.Context(), first.url+"/schedule/api/zoom/webhook/", zoomSecret, s.zoom.Event("recording.completed", uuid), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Traceparent", traceparent)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", res, err)
	}
	res.Body.Close()
	ended := func(name, outcome string) func(tracetest.Span) bool {
		return func(s tracetest.Span) bool { return s.Name == name && s.Attrs["lectern.outcome"] == outcome }
	}
	webhook := collector.Await(t, "webhook", ended("webhook recording.completed", "accepted"))
	failed := collector.Await(t, "run that fails", ended("ingest", "failed"))
	jobOf := func(run tracetest.Span) tracetest.Span {
		return collector.Await(t, "job of a run", func(s tracetest.Span) bool { return s.Name == "job ingest" && slices.Contains(run.Links, s.ID) })
	}
	jobOf(failed)
	first.kill()
	second := serveProgram(t, "syncer", s.env...)
	ingest := collector.Await(t, "ingest", ended("ingest", "complete"))
	trash := collector.Await(t, "trash", func(s tracetest.Span) bool { return s.Name == "trash" && !s.Failed })
	second.stop(t, syscall.SIGTERM)

	if webhook.TraceID != proxyTrace || webhook.Parent != proxySpan || webhook.Service != "lectern-syncer" {
		t.Errorf("webhook: %+v", webhook)
	}
	// It runs again when the kill came before its end was stored.
	events := collector.Named("job event")
	if len(events) == 0 || slices.ContainsFunc(events, func(s tracetest.Span) bool { return s.TraceID != proxyTrace || s.Parent != webhook.ID }) {
		t.Errorf("the event's job: %+v", events)
	}
	for _, run := range []tracetest.Span{failed, ingest} {
		job := jobOf(run)
		if run.Parent != "" || run.TraceID == proxyTrace || !slices.Contains(run.Links, webhook.ID) || job.Attrs["lectern.job.id"] == "" || job.TraceID != proxyTrace || run.Failed != (run.ID == failed.ID) {
			t.Errorf("run %+v of job %+v, webhook %s", run, job, webhook.ID)
		}
	}
	var steps []string
	for _, s := range collector.Spans() {
		if s.Parent == ingest.ID && !strings.HasPrefix(s.Name, "job ") {
			steps = append(steps, s.Name)
			if s.Start.Before(ingest.Start) || s.End.After(ingest.End) || s.End.Before(s.Start) || s.Failed {
				t.Errorf("a step outside of its ingest: %+v", s)
			}
		}
	}
	if got := strings.Join(steps, " "); got != "download join checksum upload verify publish" {
		t.Errorf("steps: %s", got)
	}
	if trash.TraceID != ingest.TraceID {
		t.Errorf("Zoom's copy was trashed in another trace: %+v", trash)
	}
	for name, seen := range map[string][]string{"Drive": drive.take(), "Zoom": api.take()} {
		if !slices.ContainsFunc(seen, func(s string) bool { return strings.HasPrefix(s, "00-"+ingest.TraceID+"-") }) {
			t.Errorf("%s got none of the ingest's traceparents: %q", name, seen)
		}
	}

	g := serve(t, s.env...)
	g.stderr.find(t, "a warm recording", func(l string) bool { return strings.Contains(l, `"msg":"prewarm: recording read"`) })
	command(t, append(s.env, "LECTERN_ADMIN_LISTEN="+strings.TrimPrefix(g.admin, "http://")), 0, "gateway", "cache", "purge", "1")
	drive.take()
	access := token(t, "--user", "2")
	for _, byteRange := range []string{"bytes=0-99", "bytes=100-", "bytes=0-"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/schedule/api/recordings/1/stream/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + access}, "Range": {byteRange}, "Traceparent": {traceparent}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := got.ReadFrom(res.Body); err != nil || res.StatusCode != http.StatusPartialContent {
			t.Fatalf("%s: %s, %v", byteRange, res.Status, err)
		}
		res.Body.Close()
	}
	g.stop(t, syscall.SIGTERM)
	playbacks := collector.Named("playback")
	if len(playbacks) != 1 {
		t.Fatalf("%d spans of one playback: %+v", len(playbacks), playbacks)
	}
	p := playbacks[0]
	if p.TraceID != proxyTrace || p.Parent != proxySpan || p.Service != "lectern-gateway" || p.Attrs["lectern.recording.id"] != "1" || p.Attrs["lectern.playback.ranges"] != "3" ||
		p.Attrs["lectern.provider"] != "gdrive" || p.Attrs["lectern.outcome"] != "complete" || p.Attrs["lectern.first_byte_seconds"] == "0" {
		t.Errorf("playback: %+v", p)
	}
	// "" is of what no viewer waits for.
	if got := slices.DeleteFunc(drive.take(), func(s string) bool { return s == "" }); !slices.Equal(got, []string{p.Traceparent()}) {
		t.Errorf("Drive got %q, the playback is %s", got, p.Traceparent())
	}
	for _, s := range collector.Spans() {
		for key, value := range s.Attrs {
			for _, secret := range []string{"school.test", "Lesson", "127.0.0.1", access, "client-secret"} {
				if strings.Contains(value, secret) {
					t.Errorf("%s: %s is %q", s.Name, key, value)
				}
			}
		}
		if s.RequestHeaders.Get("Authorization") != "Bearer a-secret-header" {
			t.Errorf("%s came with Authorization %q", s.Name, s.RequestHeaders.Get("Authorization"))
		}
	}
	for _, program := range []*gateway{first, second, g} {
		if strings.Contains(program.stderr.String(), "a-secret-header") {
			t.Error("a header of the exporter is in the log")
		}
	}
	if _, stderr := command(t, append(s.env, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"), 2, "gateway", "serve"); !strings.HasPrefix(stderr, "gateway: OTEL_EXPORTER_OTLP_PROTOCOL: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("grpc: %q", stderr)
	}
}

// envValue is a variable of an environment.
func envValue(t *testing.T, env []string, name string) string {
	t.Helper()
	for _, e := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	t.Fatalf("%s is not set", name)
	return ""
}
