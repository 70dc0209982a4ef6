package trace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
	"github.com/lectiospace/lectern/internal/telemetry/trace/tracetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a tracer with these variables, and returns what it logs and counts.
func start(t *testing.T, env ...string) (*trace.Tracer, error, *bytes.Buffer, *prometheus.Registry) {
	t.Helper()
	for _, name := range os.Environ() {
		if name, value, _ := strings.Cut(name, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, value) // restored at the end
			os.Unsetenv(name)
		}
	}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	log, reg := new(bytes.Buffer), prometheus.NewRegistry()
	tracer, err := trace.Start(t.Context(), "lectern-test", "1.2.3", slog.New(slog.NewTextHandler(log, nil)), reg)
	if err == nil {
		t.Cleanup(tracer.Stop)
	}
	return tracer, err, log, reg
}

func spansCounted(t *testing.T, reg *prometheus.Registry, outcome string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "lectern_trace_spans_total" && m.GetLabel()[0].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

// TestOff: without a collector, or with tracing switched off, there is no tracer, and what
// is called all the same does nothing.
func TestOff(t *testing.T) {
	for name, env := range map[string][]string{
		"nothing set":       nil,
		"an empty endpoint": {"OTEL_EXPORTER_OTLP_ENDPOINT= "},
		"no exporter":       {"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_TRACES_EXPORTER=none"},
		"the SDK disabled":  {"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_SDK_DISABLED=TRUE", "OTEL_TRACES_EXPORTER=otlp"},
	} {
		t.Run(name, func(t *testing.T) {
			tracer, err, log, reg := start(t, env...)
			if err != nil || tracer.On() || log.Len() > 0 {
				t.Fatalf("%v, %v, %s", tracer, err, log)
			}
			ctx, span := tracer.Begin(t.Context(), "nothing", trace.Options{Root: true})
			child, step := trace.Step(ctx, "nothing")
			span.Set(slog.Int("n", 1))
			step.Link("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			step.End(errors.New("x"))
			span.End(nil)
			if child != t.Context() || media.TraceparentOf(child) != "" || span.Traceparent() != "" {
				t.Error("a context is not what it was")
			}
			if n := testutil.CollectAndCount(reg, "lectern_trace_spans_total"); n != 0 {
				t.Errorf("%d series", n)
			}
		})
	}
}

// TestWrongVariables: each is named, with what would be right; a secret is never quoted.
func TestWrongVariables(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ env, want string }{
		{"OTEL_TRACES_EXPORTER=console", "OTEL_TRACES_EXPORTER: "},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT: "},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://user:SECRET@collector", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://SECRET:x:y", "OTEL_EXPORTER_OTLP_ENDPOINT: "},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "http/protobuf"},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json", "http/protobuf"},
		{"OTEL_EXPORTER_OTLP_HEADERS=authorization:SECRET", "OTEL_EXPORTER_OTLP_HEADERS: pair 1 "},
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS=a=b,c=%ZZSECRET", "OTEL_EXPORTER_OTLP_TRACES_HEADERS: pair 2 "},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=10s", "milliseconds"},
		{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd", "gzip"},
		{"OTEL_EXPORTER_OTLP_INSECURE=perhaps", "OTEL_EXPORTER_OTLP_INSECURE: "},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE=" + noPEM, "PEM"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE=/does/not/exist", "OTEL_EXPORTER_OTLP_CERTIFICATE: "},
		{"OTEL_EXPORTER_OTLP_CLIENT_KEY=/does/not/exist", "(OTEL_EXPORTER_OTLP_CLIENT_KEY) belong together"},
		{"OTEL_TRACES_SAMPLER=sometimes", "parentbased_traceidratio"},
		{"OTEL_TRACES_SAMPLER_ARG=1.5", "OTEL_TRACES_SAMPLER_ARG: "},
		{"OTEL_RESOURCE_ATTRIBUTES=nonsense", "OTEL_RESOURCE_ATTRIBUTES: pair 1 "},
		{"OTEL_BSP_MAX_QUEUE_SIZE=-1", "OTEL_BSP_MAX_QUEUE_SIZE: "},
	} {
		t.Run(c.env, func(t *testing.T) {
			_, err, log, _ := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_TRACES_SAMPLER=traceidratio", c.env)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error()+log.String(), "SECRET") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %q; logged %s", err, c.want, log)
			}
		})
	}
}

// TestExport: what a collector gets: parents, links, attributes, failures, the resource, and
// the configured headers, which no log shows.
func TestExport(t *testing.T) {
	collector := tracetest.New(t)
	tracer, err, log, reg := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20SECRET",
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test", "OTEL_SERVICE_NAME=named")
	if err != nil {
		t.Fatal(err)
	}
	const remote, remoteID, other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "b7ad6b7169203331", "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
	ctx, span := tracer.Begin(trace.WithParent(t.Context(), remote, "vendor=1"), "work", trace.Options{
		Kind: trace.Server, Links: []string{other, "nonsense", ""}, Attrs: []slog.Attr{slog.Int("n", 3), slog.Duration("took", 1500*time.Millisecond), slog.Bool("yes", true), slog.String("s", "text")},
	})
	if media.TraceparentOf(ctx) != span.Traceparent() || !strings.HasPrefix(span.Traceparent(), "00-0af7651916cd43dd8448eb211c80319c-") {
		t.Errorf("traceparent %q", span.Traceparent())
	}
	stepCtx, step := trace.Step(ctx, "step")
	_, root := trace.BeginFrom(stepCtx, "root", trace.Options{Root: true, Links: []string{step.Traceparent()}})
	root.End(nil)
	step.End(&media.Error{Kind: media.Quota, Op: "op", Reason: "quota_exceeded", Err: errors.New("the title of a SECRET lesson")})
	span.End(nil)
	tracer.Stop()
	tracer.Stop() // again
	if n := len(collector.Spans()); n != 3 || spansCounted(t, reg, "exported") != 3 {
		t.Fatalf("%d spans, %v counted", n, spansCounted(t, reg, "exported"))
	}
	work, child, alone := collector.Named("work")[0], collector.Named("step")[0], collector.Named("root")[0]
	if got := fmt.Sprint(work.Attrs); work.Parent != remoteID || work.Service != "named" || got != "map[n:3 s:text took:1.5 yes:true]" || fmt.Sprint(work.Links) != "[c7ad6b7169203331]" || work.Failed {
		t.Errorf("work: %+v", work)
	}
	if child.Parent != work.ID || child.TraceID != work.TraceID || !child.Failed || fmt.Sprint(child.Attrs) != "map[error.type:quota_exceeded]" {
		t.Errorf("step: %+v", child)
	}
	if alone.Parent != "" || alone.TraceID == work.TraceID || fmt.Sprint(alone.Links) != "["+child.ID+"]" {
		t.Errorf("root: %+v", alone)
	}
	if got := work.RequestHeaders.Get("Authorization"); got != "Bearer SECRET" || strings.Contains(log.String(), "SECRET") {
		t.Errorf("Authorization %q; logged %s", got, log)
	}
}

// TestSampling: what is not sampled is not exported, and says so to others.
func TestSampling(t *testing.T) {
	collector := tracetest.New(t)
	tracer, err, _, reg := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_TRACES_SAMPLER=parentbased_always_off")
	if err != nil {
		t.Fatal(err)
	}
	_, no := tracer.Begin(t.Context(), "no", trace.Options{})
	_, yes := tracer.Begin(trace.WithParent(t.Context(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""), "yes", trace.Options{})
	if !strings.HasSuffix(no.Traceparent(), "-00") || !strings.HasSuffix(yes.Traceparent(), "-01") {
		t.Errorf("traceparents %s, %s", no.Traceparent(), yes.Traceparent())
	}
	no.End(nil)
	yes.End(nil)
	tracer.Stop()
	if spans := collector.Spans(); len(spans) != 1 || spans[0].Name != "yes" || spansCounted(t, reg, "dropped") != 0 {
		t.Errorf("%+v", spans)
	}
}

// TestCollectorHangs: spans end without it all the same, those that find no place are counted,
// and a stop does not wait for it. No goroutine stays (TestMain).
func TestCollectorHangs(t *testing.T) {
	collector := tracetest.New(t)
	collector.Hold()
	tracer, err, log, reg := start(t, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+collector.URL+"/v1/traces", "OTEL_BSP_MAX_QUEUE_SIZE=100", "OTEL_BSP_SCHEDULE_DELAY=1",
		"OTEL_BSP_EXPORT_TIMEOUT=3600000", "OTEL_EXPORTER_OTLP_TIMEOUT=3600000") // who waits for an export waits an hour
	if err != nil {
		t.Fatal(err)
	}
	withoutExport(t, "the spans' end", func() {
		for range 1000 {
			_, span := tracer.Begin(context.Background(), "work", trace.Options{})
			span.End(nil)
		}
	})
	if n := spansCounted(t, reg, "dropped"); n != 900 {
		t.Errorf("%v dropped, want 900", n)
	}
	withoutExport(t, "the stop", tracer.Stop)
	if !strings.Contains(log.String(), "trace: ") || strings.Count(log.String(), "spans not exported") > 1 {
		t.Errorf("logged: %s", log)
	}
}

// withoutExport fails the test when do waits for the collector that hangs.
func withoutExport(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s waits for the collector", what)
	}
}

// TestCollectorIsAway: what cannot be exported is counted and logged once.
func TestCollectorIsAway(t *testing.T) {
	tracer, err, log, reg := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_BSP_EXPORT_TIMEOUT=200", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, span := tracer.Begin(context.Background(), "work", trace.Options{})
		span.End(nil)
	}
	tracer.Stop()
	if n := spansCounted(t, reg, "failed"); n != 3 || strings.Count(log.String(), "spans not exported") != 1 {
		t.Errorf("%v failed; logged: %s", n, log)
	}
}
