// Package trace records what the programs do as OpenTelemetry traces and exports them by
// OTLP. It is off unless the standard OTEL_ variables name a collector; then nothing of it
// runs, and a nil *Tracer and a nil *Span, whose methods do nothing, stand for it.
//
// It is the only package that imports OpenTelemetry. Elsewhere a trace is a context: Begin
// and Step put a span into it, and media.TraceparentOf reads what goes along with outgoing
// requests.
//
// A span holds no tokens, no names, no titles and no addresses: only ids, counts, times and
// the kinds of errors.
package trace
