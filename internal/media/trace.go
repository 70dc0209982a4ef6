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

// TraceparentOf is the traceparent of ctx; "" where nothing is traced.
func TraceparentOf(ctx context.Context) string {
	traceparent, _ := ctx.Value(traceKey{}).(string)
	return traceparent
}
