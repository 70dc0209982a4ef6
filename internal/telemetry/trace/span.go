package trace

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/lectiospace/lectern/internal/media"
)

// Kind is the place of a span in an exchange between programs.
type Kind = oteltrace.SpanKind

// The kinds that are used.
const (
	Internal = oteltrace.SpanKindInternal
	Server   = oteltrace.SpanKindServer
	Consumer = oteltrace.SpanKindConsumer
)

// Options of a span that begins a piece of work.
type Options struct {
	Kind Kind
	// Root begins a trace of its own, whatever the context holds.
	Root bool
	// Links are the traceparents of what caused it, or belongs to it, without being its
	// parent. What is none is left out.
	Links []string
	// At is when it began; zero = now.
	At    time.Time
	Attrs []slog.Attr
}

// Span is a span that has begun. A nil Span records nothing. Safe for concurrent use.
type Span struct {
	span        oteltrace.Span
	traceparent string
}

// Begin begins a span. The context that it returns has the span for Step, and its
// traceparent for outgoing requests.
func (t *Tracer) Begin(ctx context.Context, name string, o Options) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	return begin(ctx, t.tracer, name, o)
}

// Step begins a child of the span in ctx; where there is none it does nothing.
func Step(ctx context.Context, name string, attrs ...slog.Attr) (context.Context, *Span) {
	return BeginFrom(ctx, name, Options{Attrs: attrs})
}

// BeginFrom is Begin with the tracer of the span in ctx; where there is none it does
// nothing.
func BeginFrom(ctx context.Context, name string, o Options) (context.Context, *Span) {
	span := oteltrace.SpanFromContext(ctx)
	if !span.SpanContext().IsValid() || span.SpanContext().IsRemote() {
		return ctx, nil
	}
	return begin(ctx, span.TracerProvider().Tracer(scope), name, o)
}

func begin(ctx context.Context, tracer oteltrace.Tracer, name string, o Options) (context.Context, *Span) {
	options := []oteltrace.SpanStartOption{oteltrace.WithSpanKind(o.Kind), oteltrace.WithAttributes(attributes(o.Attrs)...)}
	if o.Root {
		options = append(options, oteltrace.WithNewRoot())
	}
	for _, link := range o.Links {
		if linked := spanContext(link); linked.IsValid() {
			options = append(options, oteltrace.WithLinks(oteltrace.Link{SpanContext: linked}))
		}
	}
	if !o.At.IsZero() {
		options = append(options, oteltrace.WithTimestamp(o.At))
	}
	ctx, span := tracer.Start(ctx, name, options...)
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	s := &Span{span: span, traceparent: carrier["traceparent"]}
	return media.WithTraceparent(ctx, s.traceparent), s
}

// WithParent returns ctx with the remote span that a traceparent (W3C Trace Context) and a
// tracestate name. A traceparent that is none returns ctx.
func WithParent(ctx context.Context, traceparent, tracestate string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate})
}

func spanContext(traceparent string) oteltrace.SpanContext {
	return oteltrace.SpanContextFromContext(WithParent(context.Background(), traceparent, ""))
}

// Traceparent is what names the span to other programs.
func (s *Span) Traceparent() string {
	if s == nil {
		return ""
	}
	return s.traceparent
}

// Set sets attributes.
func (s *Span) Set(attrs ...slog.Attr) {
	if s != nil {
		s.span.SetAttributes(attributes(attrs)...)
	}
}

// Link links the span with another one.
func (s *Span) Link(traceparent string) {
	if s == nil {
		return
	}
	if linked := spanContext(traceparent); linked.IsValid() {
		s.span.AddLink(oteltrace.Link{SpanContext: linked})
	}
}

// Fail marks the span as failed, for a reason that is a name of a closed set.
func (s *Span) Fail(reason string) {
	if s != nil {
		s.span.SetAttributes(attribute.String("error.type", reason))
		s.span.SetStatus(codes.Error, reason)
	}
}

// End ends the span. An error marks it as failed, by its kind and reason: its text may
// hold a title.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.Fail(failure(err))
	}
	s.span.End()
}

// failure names an error without its text.
func failure(err error) string {
	if reason := media.ReasonOf(err); reason != "" {
		return reason
	}
	return media.KindOf(err).String()
}

// attributes are attributes as OpenTelemetry has them. Durations are in seconds.
func attributes(attrs []slog.Attr) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(attrs))
	for _, a := range attrs {
		switch v := a.Value.Resolve(); v.Kind() {
		case slog.KindInt64:
			out = append(out, attribute.Int64(a.Key, v.Int64()))
		case slog.KindBool:
			out = append(out, attribute.Bool(a.Key, v.Bool()))
		case slog.KindFloat64:
			out = append(out, attribute.Float64(a.Key, v.Float64()))
		case slog.KindDuration:
			out = append(out, attribute.Float64(a.Key, v.Duration().Seconds()))
		default:
			out = append(out, attribute.String(a.Key, v.String()))
		}
	}
	return out
}
