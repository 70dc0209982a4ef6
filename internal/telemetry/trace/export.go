package trace

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// boundedQueue is a span processor that never blocks and counts what it drops. The SDK's
// batches, behind it, drop in silence; it lets no more spans through than they hold.
type boundedQueue struct {
	sdktrace.SpanProcessor // the SDK's batches
	waiting                *atomic.Int64
	limit                  int64
	dropped                prometheus.Counter
}

// OnEnd implements sdktrace.SpanProcessor.
func (q *boundedQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if q.waiting.Add(1) > q.limit {
		q.waiting.Add(-1)
		q.dropped.Inc()
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// complainEvery is how often the log says that traces cannot be exported.
const complainEvery = time.Minute

// countedExporter is an exporter that counts, and logs at most once a minute. It returns no
// errors: the SDK would hand them to a handler of the whole process.
type countedExporter struct {
	next             sdktrace.SpanExporter
	waiting          *atomic.Int64
	exported, failed prometheus.Counter
	log              *slog.Logger

	mu         sync.Mutex
	complained time.Time // guarded by mu
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *countedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.next.ExportSpans(ctx, spans)
	e.waiting.Add(-int64(len(spans)))
	if err == nil {
		e.exported.Add(float64(len(spans)))
		return nil
	}
	e.failed.Add(float64(len(spans)))
	if e.mayComplain(time.Now()) {
		e.log.Warn("trace: spans not exported", slog.Int("spans", len(spans)), slog.Any("error", err))
	}
	return nil
}

func (e *countedExporter) mayComplain(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Sub(e.complained) < complainEvery {
		return false
	}
	e.complained = now
	return true
}

// Shutdown implements sdktrace.SpanExporter.
func (e *countedExporter) Shutdown(ctx context.Context) error { return e.next.Shutdown(ctx) }
