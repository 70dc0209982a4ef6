package syncer

import (
	"context"
	"io"
	"net/http"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/backfill"
	"github.com/lectiospace/lectern/internal/syncer/ingest"
	"github.com/lectiospace/lectern/internal/syncer/move"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// StartIngests is Start for a command that works by itself until its own recordings
// are archived: it enqueues no periodic jobs, nor those that were missed.
func (s *Syncer) StartIngests(ctx context.Context) error {
	s.queue.DisablePeriodic()
	s.ingestsOnly = true
	return s.Start(ctx)
}

// Unfinished lists which ingests are under way, and which have failed, of lessons and of
// meetings without one.
func (s *Syncer) Unfinished(ctx context.Context, lessons []int64, meetings []string) (open, failed []store.Ingest, err error) {
	err = s.deps.Store.View(ctx, "syncer: unfinished ingests", func(x store.Session) error {
		open, failed = nil, nil
		sort := func(i store.Ingest, err error) error {
			switch {
			case catalog.IsNotFound(err):
				return nil
			case err != nil:
				return err
			case i.State() == store.Failed:
				failed = append(failed, i)
			case i.State() == store.Waiting, i.State() == store.Working, i.Lease != "":
				open = append(open, i)
			}
			return nil
		}
		for _, lesson := range lessons {
			if err := sort(store.IngestOfLesson(ctx, x, lesson)); err != nil {
				return err
			}
		}
		for _, meeting := range meetings {
			if err := sort(store.IngestOfMeeting(ctx, x, meeting)); err != nil {
				return err
			}
		}
		return nil
	})
	return open, failed, err
}

// Reconcile compares what Zoom lists with what is archived: see
// reconcile.Reconciler.Reconcile.
func (s *Syncer) Reconcile(ctx context.Context, scope reconcile.Scope) (reconcile.Report, error) {
	return s.reconciler.Reconcile(ctx, scope)
}

// Backfiller archives recordings of past years: see package backfill.
func (s *Syncer) Backfiller() *backfill.Backfiller { return s.backfiller }

// Move moves recordings to another archive: see move.Mover.Run.
func (s *Syncer) Move(ctx context.Context, o move.Options) (move.Summary, error) {
	if o.DryRun {
		return s.mover.Run(ctx, o)
	}
	if err := s.ingester.Prepare(); err != nil {
		return move.Summary{}, err
	}
	// Another mover on this machine sees by it that this one was killed.
	alive, err := newLockFile(s.cfg.WorkDir, s.id)
	if err != nil {
		return move.Summary{}, err
	}
	defer alive.Close()
	return s.mover.Run(ctx, o)
}

// RunPeriodic runs usage, cleanup or purge once, in this process, and says how many
// of what it looked at failed.
func (s *Syncer) RunPeriodic(ctx context.Context, kind string) (summary any, failed int, err error) {
	err = s.queue.RecordRun(ctx, kind, func(ctx context.Context) (any, error) {
		switch kind {
		case queue.UsageArgs{}.Kind():
			out, err := s.cleaner.RecomputeUsage(ctx)
			summary, failed = out, out.Failed
			return out, err
		case queue.CleanupArgs{}.Kind():
			out, err := s.cleaner.Cleanup(ctx)
			summary, failed = out, out.Failed
			return out, err
		case queue.PurgeArgs{}.Kind():
			out, err := s.cleaner.Purge(ctx)
			summary, failed = out, out.Failed
			return out, err
		default:
			return nil, media.Faultf(media.Invalid, "syncer: run", "%q is not a periodic job", kind)
		}
	})
	return summary, failed, err
}

// Assign files a recorded meeting with a lesson: see ingest.Ingester.Assign.
func (s *Syncer) Assign(ctx context.Context, meeting string, lesson int64) (ingest.Assignment, error) {
	return s.ingester.Assign(ctx, meeting, lesson)
}

// Jobs writes the jobs in a state, a line per job: see queue.Queue.List.
func (s *Syncer) Jobs(ctx context.Context, state string, w io.Writer) error {
	return s.queue.List(ctx, state, w)
}

// Retry runs a job again, now: see queue.Queue.Retry.
func (s *Syncer) Retry(ctx context.Context, job int64) error { return s.queue.Retry(ctx, job) }

// JobsPage is the queue's own page for operators, to be mounted at prefix. It is called
// before Start.
func (s *Syncer) JobsPage(prefix string) (http.Handler, error) { return s.queue.Page(prefix) }

// Replay takes in a webhook's body as if Zoom had sent it: see intake.Intake.Replay.
func (s *Syncer) Replay(ctx context.Context, body []byte) (string, error) {
	return s.intake.Replay(ctx, body)
}

// PutTenant gives a teacher a webhook path: see intake.Intake.PutTenant.
func (s *Syncer) PutTenant(ctx context.Context, teacher int64, account, secrets string) (string, error) {
	return s.intake.PutTenant(ctx, teacher, account, secrets)
}

// Tenants lists the tenants; their secrets stay sealed.
func (s *Syncer) Tenants(ctx context.Context) ([]store.Tenant, error) { return s.intake.Tenants(ctx) }

// DropTenant removes a tenant and its path: see intake.Intake.DropTenant.
func (s *Syncer) DropTenant(ctx context.Context, id string) error {
	return s.intake.DropTenant(ctx, id)
}
