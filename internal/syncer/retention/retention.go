// Package retention ends recordings: it removes those whose time is over, deletes the
// bytes of those that were removed long enough ago, and recomputes what is stored per
// teacher. Each recording and each teacher has a transaction of its own, so that one
// that fails stops no other.
package retention

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// jobTimeout ends a run.
const jobTimeout = 30 * time.Minute

// Config of the retention.
type Config struct {
	// CleanupAt is when the daily clean-up is due, HH:MM in UTC.
	CleanupAt string
	// UsageEvery is how often the used storage is recomputed at least.
	UsageEvery time.Duration
	// TrashGrace is between a recording's removal and the deletion of its bytes.
	TrashGrace time.Duration
}

// Alerts tells operators of trouble, within a transaction.
type Alerts interface {
	// WarnQuota tells that a teacher's storage is nearly full.
	WarnQuota(ctx context.Context, x store.Session, q store.Quota) error
}

// Deps is what the retention works with.
type Deps struct {
	Store    *catalog.Store
	Queue    *queue.Queue
	Archives archive.Set
	Alerts   Alerts
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Now      func() time.Time
	Observer *observe.Observer // nil = acts
}

// Cleaner removes, purges and recomputes. It is safe for concurrent use.
type Cleaner struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
}

// New makes a Cleaner and adds its handlers to the queue.
func New(cfg Config, deps Deps) *Cleaner {
	c := &Cleaner{cfg: cfg, deps: deps, log: deps.Log, now: deps.Now, metrics: newMetrics(deps.Metrics)}
	queue.Handle(deps.Queue, queue.HandlerOptions{Timeout: jobTimeout}, c.usageJob)
	queue.Handle(deps.Queue, queue.HandlerOptions{Timeout: jobTimeout}, c.cleanupJob)
	queue.Handle(deps.Queue, queue.HandlerOptions{Timeout: jobTimeout}, c.purgeJob)
	return c
}

// Summary is what a clean-up or a purge came to, or would come to.
type Summary struct {
	Observed bool `json:"observed,omitempty"`
	Removed  int  `json:"removed"`
	Purged   int  `json:"purged"`
	Failed   int  `json:"failed"`
}

func (c *Cleaner) cleanupJob(ctx context.Context, job *queue.Job[queue.CleanupArgs]) error {
	d, err := c.due(ctx)
	if err != nil {
		return err
	}
	if !d.spared.IsZero() {
		c.log.Info("cleanup: first due at the next sync-cleanup-at", slog.Time("due", queue.DailyAt(c.cfg.CleanupAt).Next(c.now())))
		return nil
	}
	return c.deps.Queue.RecordRun(ctx, job.Args.Kind(), func(ctx context.Context) (any, error) { return c.Cleanup(ctx) })
}

// Cleanup removes recordings whose retention has ended, each in a transaction of its
// own: a failing one never stops the others. The bytes go later, by Purge.
func (c *Cleaner) Cleanup(ctx context.Context) (Summary, error) {
	var (
		out  = Summary{Observed: c.deps.Observer.On()}
		rows []store.Recording
	)
	err := c.deps.Store.View(ctx, "syncer: expired recordings", func(x store.Session) (err error) {
		rows, err = store.Expiring(ctx, x)
		return err
	})
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		if row.AvailableUntil.After(c.now()) {
			continue
		}
		if c.deps.Observer.On() {
			out.Removed++
			c.deps.Observer.Would(ctx, "remove an expired recording", slog.Int64("recording", row.ID), slog.Int64("lesson", row.LessonID), slog.Time("available_until", row.AvailableUntil), slog.Int64("bytes", row.Size))
			continue
		}
		if err := c.expire(ctx, row); err != nil {
			if ctx.Err() != nil {
				return out, err
			}
			out.Failed++
			c.metrics.cleanup.WithLabelValues("failed").Inc()
			c.log.Error("cleanup: recording not removed", slog.Int64("recording", row.ID), slog.Any("error", err))
			continue
		}
		out.Removed++
		c.metrics.cleanup.WithLabelValues("removed").Inc()
	}
	if out.Observed {
		c.log.Info("cleanup: observed", slog.Int("expired", out.Removed))
		return out, nil
	}
	c.log.Info("cleanup: done", slog.Int("removed", out.Removed), slog.Int("failed", out.Failed))
	return out, nil
}

func (c *Cleaner) expire(ctx context.Context, row store.Recording) error {
	return c.deps.Store.Update(ctx, "syncer: remove an expired recording", func(x store.Session) error {
		locked, err := store.LoadRecording(ctx, x, row.ID, true)
		if err != nil || locked.Deleted || locked.AvailableUntil.IsZero() || locked.AvailableUntil.After(c.now()) {
			return catalog.IgnoreNotFound(err)
		}
		if _, err := store.RemoveRecording(ctx, x, row.ID, "expired: available until "+row.AvailableUntil.UTC().Format(time.RFC3339), c.now()); err != nil {
			return err
		}
		teacher, err := store.OwnerOf(ctx, x, locked)
		if err != nil {
			return err
		}
		if err := store.Refund(ctx, x, row.ID, teacher, locked.Size, c.now()); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: c.now(), RecordingID: row.ID, What: "expired", Detail: "its bytes go after " + c.cfg.TrashGrace.String()})
	})
}

// purgeRetry is how long a purge that failed is left alone.
const purgeRetry = 10 * time.Minute

// purgeable are the removed recordings whose grace is over, without those that were
// removed before spared.
func (c *Cleaner) purgeable(ctx context.Context, spared time.Time) (due []store.Recording, err error) {
	err = c.deps.Store.View(ctx, "syncer: purgeable recordings", func(x store.Session) error {
		rows, err := store.Purgeable(ctx, x, c.now().Add(-purgeRetry))
		due = slices.DeleteFunc(rows, func(r store.Recording) bool {
			since := r.DeletedAt
			if since.IsZero() {
				since = r.UpdatedAt
			}
			return since.Before(spared) || since.Add(c.cfg.TrashGrace).After(c.now())
		})
		return err
	})
	return due, err
}

func (c *Cleaner) purgeJob(ctx context.Context, job *queue.Job[queue.PurgeArgs]) error {
	d, err := c.due(ctx)
	if err != nil {
		return err
	}
	return c.deps.Queue.RecordRun(ctx, job.Args.Kind(), func(ctx context.Context) (any, error) { return c.purgeAll(ctx, d.spared) })
}

// Purge deletes the bytes of recordings that were removed long enough ago, by us or
// by the platform.
func (c *Cleaner) Purge(ctx context.Context) (Summary, error) {
	return c.purgeAll(ctx, time.Time{})
}

// purgeAll is Purge without what was removed before spared.
func (c *Cleaner) purgeAll(ctx context.Context, spared time.Time) (Summary, error) {
	out := Summary{Observed: c.deps.Observer.On()}
	due, err := c.purgeable(ctx, spared)
	if err != nil {
		return out, err
	}
	if out.Observed {
		out.Purged = len(due)
		return out, c.observePurge(ctx, due)
	}
	for _, row := range due {
		if err := c.purge(ctx, row); err != nil {
			if ctx.Err() != nil {
				return out, err
			}
			out.Failed++
			c.metrics.cleanup.WithLabelValues("failed").Inc()
			c.log.Error("purge: recording not purged", slog.Int64("recording", row.ID), slog.Any("error", err))
			noted := c.deps.Store.Update(ctx, "syncer: a failed purge", func(x store.Session) error {
				return store.MarkPurged(ctx, x, row, c.now(), err.Error())
			})
			if noted != nil {
				return out, noted
			}
			continue
		}
		out.Purged++
		c.metrics.cleanup.WithLabelValues("purged").Inc()
	}
	if err := c.purgeReplaced(ctx, &out); err != nil {
		return out, err
	}
	if spared.IsZero() {
		if err := c.purgeCopies(ctx, &out); err != nil {
			return out, err
		}
	}
	if len(due) > 0 {
		c.log.Info("purge: done", slog.Int("purged", out.Purged), slog.Int("failed", out.Failed))
	}
	return out, nil
}

// observePurge says which bytes would be deleted.
func (c *Cleaner) observePurge(ctx context.Context, due []store.Recording) error {
	return c.deps.Store.View(ctx, "syncer: observe a purge", func(x store.Session) error {
		for _, row := range due {
			shared, err := store.SharesBytes(ctx, x, row)
			if err != nil {
				return err
			}
			at := row.Location()
			if !shared && at.Provider != media.ProviderZoom {
				c.deps.Observer.Would(ctx, "delete the bytes of a removed recording", slog.Int64("recording", row.ID), slog.String("provider", at.Provider), slog.String("key", at.Key), slog.Int64("bytes", row.Size))
			}
		}
		return nil
	})
}

func (c *Cleaner) purge(ctx context.Context, row store.Recording) error {
	shared := false
	// The purge and a restoration lock the same row: the second of them sees the first.
	err := c.deps.Store.Update(ctx, "syncer: before a purge", func(x store.Session) error {
		now, err := store.LoadRecording(ctx, x, row.ID, true)
		if err != nil {
			return err
		}
		if !now.Deleted {
			return errRestored
		}
		row = now // its bytes may have moved since it was listed
		if shared, err = store.SharesBytes(ctx, x, row); err != nil {
			return err
		}
		return store.BeginPurge(ctx, x, row)
	})
	if errors.Is(err, errRestored) {
		return nil
	}
	if err != nil {
		return err
	}
	at := row.Location()
	if !shared && at.Key != "" && at.Provider != media.ProviderZoom {
		a, err := c.deps.Archives.Get(at.Provider)
		if err != nil {
			return err
		}
		if err := a.Remove(ctx, at.Key); err != nil {
			return err
		}
	}
	if err := c.purgeBeside(ctx, row); err != nil {
		return err
	}
	return c.deps.Store.Update(ctx, "syncer: purged", func(x store.Session) error {
		if err := store.MarkPurged(ctx, x, row, c.now(), ""); err != nil {
			return err
		}
		// Its quota is refunded already: by us at its removal, or by the platform itself.
		if err := store.MarkRefunded(ctx, x, row.ID, c.now()); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: c.now(), RecordingID: row.ID, What: "purged", Detail: at.Provider + " " + at.Key})
	})
}

// errRestored says that a recording was restored between the list and its purge.
var errRestored = errors.New("restored meanwhile")
