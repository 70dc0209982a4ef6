package trace

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation in what is exported.
const scope = "github.com/lectiospace/lectern"

// flushWithin bounds how long Stop waits for the collector.
const flushWithin = 3 * time.Second

// defaultEndpoint is the standard's, of OTEL_TRACES_EXPORTER=otlp alone. The exporter's own is
// https.
const defaultEndpoint = "http://localhost:4318"

// Tracer begins spans. A nil Tracer traces nothing. Safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   oteltrace.Tracer
	log      *slog.Logger
}

// Start starts the export of traces to where the OTEL_ variables say; nil where they name
// no collector. program is the service's name unless OTEL_SERVICE_NAME gives another. An
// error names the variable that cannot be used. Nothing is sent before the first span ends.
func Start(ctx context.Context, program, version string, log *slog.Logger, reg prometheus.Registerer) (*Tracer, error) {
	env := readEnvironment()
	on, err := env.enabled()
	if err != nil || !on {
		return nil, err
	}
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_trace_spans_total",
		Help: "Spans that ended, by what became of them: exported, failed at the collector, or dropped because too many waited.",
	}, []string{"outcome"})
	if err := reg.Register(spans); err != nil {
		return nil, fmt.Errorf("trace metrics: %w", err)
	}
	endpoint := env.exporter("ENDPOINT").value
	var options []otlptracehttp.Option
	if endpoint == "" {
		endpoint = defaultEndpoint
		options = append(options, otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", program), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	// The SDK has one handler of errors for the process, and writes to stderr without it.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("trace: export", slog.Any("error", err)) }))
	waiting := new(atomic.Int64)
	batches := sdktrace.NewBatchSpanProcessor(&countedExporter{
		next: exporter, waiting: waiting, exported: spans.WithLabelValues("exported"), failed: spans.WithLabelValues("failed"), log: log,
	})
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(&boundedQueue{SpanProcessor: batches, waiting: waiting, limit: env.maxQueueSize(), dropped: spans.WithLabelValues("dropped")}),
		sdktrace.WithResource(about))
	log.Info("trace: exporting", slog.String("collector", hostOf(endpoint)))
	return &Tracer{provider: provider, tracer: provider.Tracer(scope, oteltrace.WithInstrumentationVersion(version)), log: log}, nil
}

// hostOf is the host of a URL that was checked; a query may hold a secret.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// Stop exports what has ended, for at most three seconds, and ends the export. It may be
// called again.
func (t *Tracer) Stop() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("trace: the last spans were not exported", slog.Any("error", err))
	}
}

// On reports whether anything is traced.
func (t *Tracer) On() bool { return t != nil }
