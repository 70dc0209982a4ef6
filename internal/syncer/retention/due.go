package retention

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// due is what of the retention's work is due.
type due struct {
	// cleanup: the latest daily clean-up was missed.
	cleanup bool
	// usage: the used storage was not recomputed for Config.UsageEvery. The job queue counts
	// a period from its own start, so that syncers that are restarted within one would never
	// recompute it.
	usage bool
	// spared is when a syncer first started here, zero once a daily clean-up has been due
	// since. Nothing expires before that, and what was removed before is not purged: an
	// operator who starts a syncer beside a platform finds out by then what it will do.
	spared time.Time
}

// due finds out what is due. It marks the first start of a syncer that acts on a database on
// which no clean-up has ever run, or the latest only observed. A syncer that observes has no
// reason to spare anything.
func (c *Cleaner) due(ctx context.Context) (due, error) {
	kind := queue.CleanupArgs{}.Kind()
	var last, usage store.Run
	err := c.deps.Store.View(ctx, "syncer: latest clean-up", func(x store.Session) (err error) {
		if last, err = store.LastRunOrStart(ctx, x, kind); err != nil {
			return err
		}
		usage, err = store.LastRunOrStart(ctx, x, queue.UsageArgs{}.Kind())
		return err
	})
	if err != nil {
		return due{}, err
	}
	stale := c.now().Sub(usage.Started) >= c.cfg.UsageEvery
	missed := last.Started.Before(queue.DailyAt(c.cfg.CleanupAt).Last(c.now()))
	if c.deps.Observer.On() {
		return due{cleanup: missed, usage: stale}, nil
	}
	if last.Started.IsZero() || last.Outcome == store.RunObserved {
		now := c.now()
		return due{spared: now}, c.deps.Store.Update(ctx, "syncer: first start", func(x store.Session) error {
			return store.MarkFirstStart(ctx, x, kind, now)
		})
	}
	d := due{cleanup: missed}
	if last.Outcome == store.RunFirstStart && !d.cleanup {
		d.spared = last.Started
	}
	d.usage = stale && d.spared.IsZero()
	return d, nil
}

// EnqueueMissed enqueues the daily clean-up and the recomputation of the used storage when
// the latest one was missed, and a purge when something is due.
func (c *Cleaner) EnqueueMissed(ctx context.Context) error {
	d, err := c.due(ctx)
	if err != nil {
		return err
	}
	purge, err := c.purgeable(ctx, d.spared)
	if err != nil {
		return err
	}
	replaced, err := c.replaced(ctx)
	if err != nil {
		return err
	}
	copies, lapsed, err := c.obsolete(ctx)
	if err != nil {
		return err
	}
	moved := d.spared.IsZero() && len(copies)+len(lapsed) > 0
	switch {
	case c.deps.Observer.On():
		if err := c.observePurge(ctx, purge); err != nil {
			return err
		}
	case len(purge) > 0 || len(replaced) > 0 || moved:
		if err := c.enqueue(ctx, queue.PurgeArgs{}); err != nil {
			return err
		}
	}
	if d.usage {
		if err := c.enqueue(ctx, queue.UsageArgs{}); err != nil {
			return err
		}
	}
	if !d.cleanup {
		return nil
	}
	return c.enqueue(ctx, queue.CleanupArgs{})
}

func (c *Cleaner) enqueue(ctx context.Context, args queue.Args) error {
	return c.deps.Store.Update(ctx, "syncer: enqueue "+args.Kind(), func(x store.Session) error {
		return c.deps.Queue.Enqueue(ctx, x, args, time.Time{})
	})
}
