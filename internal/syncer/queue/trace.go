package queue

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/riverqueue/river/rivertype"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
)

// jobTrace is what a job's metadata says of the work that enqueued it. It is in the
// database, so that links survive a restart and reach other syncers.
type jobTrace struct {
	// Traceparent is of the span that enqueued the job.
	Traceparent string `json:"traceparent,omitempty"`
	// Webhook is of the webhook that caused it, through however many jobs.
	Webhook string `json:"webhook_traceparent,omitempty"`
}

// webhookKey is the context key of the traceparent of the webhook that caused the work.
type webhookKey struct{}

// FromWebhook returns ctx for what a webhook causes, whose span is the one in ctx.
func FromWebhook(ctx context.Context) context.Context {
	return withWebhook(ctx, media.TraceparentOf(ctx))
}

func withWebhook(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, webhookKey{}, traceparent)
}

// Causes are the traceparents of the webhook that caused a job, and of the job itself, for
// the links of what it does. What is not known is left out.
func Causes(ctx context.Context) (links []string) {
	webhook, _ := ctx.Value(webhookKey{}).(string)
	for _, traceparent := range []string{webhook, media.TraceparentOf(ctx)} {
		if traceparent != "" {
			links = append(links, traceparent)
		}
	}
	return links
}

// traceMetadata is the metadata of a job that is enqueued under ctx; nil where nothing is
// traced.
func traceMetadata(ctx context.Context) []byte {
	t := jobTrace{Traceparent: media.TraceparentOf(ctx)}
	if t.Traceparent == "" {
		return nil
	}
	t.Webhook, _ = ctx.Value(webhookKey{}).(string)
	data, err := json.Marshal(t)
	if err != nil {
		panic("BUG: a trace that is no JSON: " + err.Error())
	}
	return data
}

// beginJob begins the span of a job's attempt, in the trace of what enqueued it. Where
// nothing is traced, ctx is returned as it is.
func beginJob(ctx context.Context, tracer *trace.Tracer, job *rivertype.JobRow) (context.Context, *trace.Span) {
	if !tracer.On() {
		return ctx, nil
	}
	var t jobTrace
	_ = json.Unmarshal(job.Metadata, &t) // without a trace it begins one
	return tracer.Begin(withWebhook(trace.WithParent(ctx, t.Traceparent, ""), t.Webhook), "job "+job.Kind, trace.Options{
		Kind: trace.Consumer,
		Attrs: []slog.Attr{
			slog.String("messaging.system", "river"), slog.String("messaging.destination.name", job.Queue),
			slog.Int64("lectern.job.id", job.ID), slog.String("lectern.job.kind", job.Kind), slog.Int("lectern.job.attempt", job.Attempt),
		},
	})
}

// endJob ends the span of a job's attempt. That a job waits, or is to be tried again, is
// no failure of a program.
func endJob(span *trace.Span, outcome string, err error) {
	span.Set(slog.String("lectern.outcome", outcome))
	if outcome == "snoozed" {
		err = nil
	}
	span.End(err)
}
