package syncer

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"riverqueue.com/riverui"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// StartIngests is Start for a command that works by itself until its own recordings
// are archived: it enqueues no periodic jobs.
func (s *Syncer) StartIngests(ctx context.Context) error {
	s.client.PeriodicJobs().Clear()
	return s.Start(ctx)
}

// Unfinished says which lessons' recordings are still under way, and which have
// failed.
func (s *Syncer) Unfinished(ctx context.Context, lessons []int64) (open, failed []store.Ingest, err error) {
	err = s.deps.Store.View(ctx, "syncer: what is under way", func(x store.Session) error {
		open, failed = nil, nil
		for _, lesson := range lessons {
			i, err := store.IngestOfLesson(ctx, x, lesson)
			switch {
			case catalog.IsNotFound(err):
				continue
			case err != nil:
				return err
			case i.State == store.Failed:
				failed = append(failed, i)
			case i.State == store.Waiting, i.State == store.Working, i.Lease != "":
				open = append(open, i)
			}
		}
		return nil
	})
	return open, failed, err
}

// RunPeriodic runs usage, cleanup or purge once, in this process, and says how many
// of what it looked at failed.
func (s *Syncer) RunPeriodic(ctx context.Context, kind string) (summary any, failed int, err error) {
	err = s.periodicRun(ctx, kind, func(ctx context.Context) (any, error) {
		switch kind {
		case usageArgs{}.Kind():
			out, err := s.Usage(ctx)
			summary, failed = out, out.Failed
			return out, err
		case cleanupArgs{}.Kind():
			out, err := s.Cleanup(ctx)
			summary, failed = out, out.Failed
			return out, err
		case purgeArgs{}.Kind():
			out, err := s.Purge(ctx)
			summary, failed = out, out.Failed
			return out, err
		default:
			return nil, media.Faultf(media.Invalid, "syncer: run", "%q is not a periodic job", kind)
		}
	})
	return summary, failed, err
}

// JobsPage is the queue's own page for operators, to be mounted at prefix.
func (s *Syncer) JobsPage(prefix string) (http.Handler, error) {
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(s.client, nil), Logger: s.log.With(slog.String("room", "jobs page")), Prefix: prefix,
		// What a job is about may name people.
		JobListHideArgsByDefault: true,
	})
	if err != nil {
		return nil, err
	}
	s.page = handler
	return handler, nil
}

// startPage starts what the page needs behind it; it ends with ctx.
func (s *Syncer) startPage(ctx context.Context) {
	for s.page != nil && ctx.Err() == nil {
		if err := s.page.Start(ctx); err == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
}
