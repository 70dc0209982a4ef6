package ingest

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
)

// beginTrace begins the span of a run. It is the root of a trace of its own: an ingest may
// take days and many jobs. Links lead to the job, and to the webhook that caused it.
func beginTrace(ctx context.Context, i store.Ingest) (context.Context, *trace.Span) {
	return trace.BeginFrom(ctx, "ingest", trace.Options{
		Root: true, Links: queue.Causes(ctx),
		Attrs: []slog.Attr{slog.Int64("lectern.ingest.id", i.ID), slog.Int64("lectern.lesson.id", i.LessonID), slog.Int64("lectern.recording.id", i.RecordingID)},
	})
}

// endTrace ends the span of a run that ended with err.
func (r *run) endTrace(span *trace.Span, err error) {
	span.Set(
		slog.Int64("lectern.recording.id", r.row.RecordingID), slog.String("lectern.provider", r.row.Provider),
		slog.Int64("lectern.ingest.bytes", r.row.Size), slog.Int("lectern.ingest.parts", len(r.plan.parts)), slog.String("lectern.outcome", outcomeOf(err)),
	)
	span.End(failureOf(err))
}

// outcomeOf names how a run ended.
func outcomeOf(err error) string {
	var (
		later *notYet
		seen  *observed
	)
	switch {
	case err == nil:
		return "complete"
	case errors.As(err, &later):
		return "waiting"
	case errors.As(err, &seen):
		return "observed"
	case errors.Is(err, errLeaseLost):
		return "lease_lost"
	case errors.Is(err, errGone):
		return store.ReasonGoneAtZoom
	default:
		return "failed"
	}
}

// failureOf is err where it is a failure; a run that waits has not failed.
func failureOf(err error) error {
	if outcome := outcomeOf(err); outcome == "waiting" || outcome == "observed" {
		return nil
	}
	return err
}

// step runs a step of an ingest as a child of its span.
func step(ctx context.Context, name string, do func(context.Context) error) error {
	ctx, span := trace.Step(ctx, name)
	err := do(ctx)
	span.End(failureOf(err))
	return err
}
