package media

import "context"

// traceKey is the context key of a traceparent.
type traceKey struct{}

// WithTraceparent returns ctx with the traceparent (W3C Trace Context) of what is done under
// it, which goes along with requests to origins and to Zoom. "" returns ctx.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// WithoutTraceparent returns ctx for requests to hosts that no setting names: they learn
// nothing that connects one request with another.
func WithoutTraceparent(ctx context.Context) context.Context {
	if TraceparentOf(ctx) == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, "")
}

// TraceparentOf is the traceparent of ctx; "" where nothing is traced.
func TraceparentOf(ctx context.Context) string {
	traceparent, _ := ctx.Value(traceKey{}).(string)
	return traceparent
}
