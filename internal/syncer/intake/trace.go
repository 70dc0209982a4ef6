package intake

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/lectiospace/lectern/internal/telemetry/trace"
	"github.com/lectiospace/lectern/internal/zoom"
)

// beginTrace begins the span of a webhook that is authentic: others must not fill a trace.
// It continues the trace that a proxy has begun.
func (in *Intake) beginTrace(ctx context.Context, r *http.Request, began time.Time, event zoom.Event) (context.Context, *trace.Span) {
	if !in.deps.Tracer.On() {
		return ctx, nil
	}
	ctx = trace.WithParent(ctx, r.Header.Get("Traceparent"), r.Header.Get("Tracestate"))
	return in.deps.Tracer.Begin(ctx, "webhook "+eventLabel(event.Name), trace.Options{
		Kind:  trace.Server,
		At:    began,
		Attrs: []slog.Attr{slog.String("http.request.method", r.Method), slog.String("lectern.event", eventLabel(event.Name))},
	})
}

// endTrace ends the span with what became of the event.
func endTrace(span *trace.Span, result string, err error) {
	span.Set(slog.String("lectern.outcome", result))
	span.End(err)
}
