package retention

import (
	"context"
	"log/slog"

	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Usage is what a recomputation came to.
type Usage struct {
	Observed bool `json:"observed,omitempty"`
	Teachers int  `json:"teachers"`
	Changed  int  `json:"changed"`
	Failed   int  `json:"failed"`
}

func (c *Cleaner) usageJob(ctx context.Context, job *queue.Job[queue.UsageArgs]) error {
	return c.deps.Queue.RecordRun(ctx, job.Args.Kind(), func(ctx context.Context) (any, error) { return c.RecomputeUsage(ctx) })
}

// RecomputeUsage recomputes every teacher's used storage from what is stored.
func (c *Cleaner) RecomputeUsage(ctx context.Context) (Usage, error) {
	var (
		out      = Usage{Observed: c.deps.Observer.On()}
		teachers []int64
	)
	err := c.deps.Store.View(ctx, "syncer: teachers with storage", func(x store.Session) (err error) {
		teachers, err = store.QuotaTeachers(ctx, x)
		return err
	})
	if err != nil {
		return out, err
	}
	recompute := c.recomputeUsage
	if out.Observed {
		recompute = c.observeUsage
	}
	for _, id := range teachers {
		if err := recompute(ctx, id, &out); err != nil {
			if ctx.Err() != nil {
				return out, err
			}
			out.Failed++
			c.log.Error("usage: teacher failed", slog.Int64("teacher", id), slog.Any("error", err))
			continue
		}
		out.Teachers++
	}
	c.log.Info("usage: recomputed", slog.Int("teachers", out.Teachers), slog.Int("changed", out.Changed), slog.Int("failed", out.Failed))
	return out, nil
}

// recomputeUsage writes a teacher's account anew.
func (c *Cleaner) recomputeUsage(ctx context.Context, teacher int64, out *Usage) error {
	return c.deps.Store.Update(ctx, "syncer: usage", func(x store.Session) error {
		before, after, warn, err := store.RecomputeUsage(ctx, x, teacher, c.now())
		if err != nil {
			return err
		}
		if before.Used != after.Used || before.Recordings != after.Recordings {
			out.Changed++
			c.log.Info("usage: charged and stored bytes differed", slog.Int64("teacher", teacher), slog.Int64("charged", before.Used), slog.Int64("stored", after.Used))
		}
		if warn {
			return c.deps.Alerts.WarnQuota(ctx, x, after)
		}
		return nil
	})
}

// observeUsage says whether a teacher's account would change.
func (c *Cleaner) observeUsage(ctx context.Context, teacher int64, out *Usage) error {
	return c.deps.Store.View(ctx, "syncer: observe usage", func(x store.Session) error {
		before, err := store.ReadQuota(ctx, x, teacher)
		if err != nil {
			return err
		}
		after, err := store.StoredUsage(ctx, x, before)
		if err == nil && (before.Used != after.Used || before.Recordings != after.Recordings) {
			out.Changed++
			c.deps.Observer.Would(ctx, "correct a teacher's used storage", slog.Int64("teacher", teacher), slog.Int64("charged", before.Used), slog.Int64("stored", after.Used))
		}
		return err
	})
}
