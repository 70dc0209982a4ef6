package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

const (
	// leastLapse is how long copies that no mover continues are left alone at least.
	leastLapse = 24 * time.Hour
	// moverAlive is the age of a mover's lease until which it counts as alive.
	moverAlive = time.Minute
)

// obsolete are the copies of which purgeCopies removes something now. lapsed are those
// that no mover continues, and that are given up.
func (c *Cleaner) obsolete(ctx context.Context) (due, lapsed []store.Copy, err error) {
	err = c.deps.Store.View(ctx, "syncer: obsolete copies", func(x store.Session) error {
		now := c.now()
		var err error
		if lapsed, err = store.LapsedCopies(ctx, x, now.Add(-max(c.cfg.TrashGrace, leastLapse)), now.Add(-moverAlive)); err != nil {
			return err
		}
		due, err = store.ObsoleteCopies(ctx, x, now.Add(-c.cfg.TrashGrace), now.Add(-purgeRetry))
		return err
	})
	return due, lapsed, err
}

// purgeCopies removes the files that recordings were moved away from, once their grace is
// over, and copies that were abandoned. One that fails stops no other.
func (c *Cleaner) purgeCopies(ctx context.Context, out *Summary) error {
	_, lapsed, err := c.obsolete(ctx)
	for _, one := range lapsed {
		if err == nil {
			err = c.deps.Store.Update(ctx, "syncer: abandon a copy", func(x store.Session) error { return store.AbandonCopy(ctx, x, one.ID, c.now()) })
		}
	}
	if err != nil {
		return err
	}
	due, _, err := c.obsolete(ctx)
	if err != nil {
		return err
	}
	for _, one := range due {
		fault := c.purgeCopy(ctx, one)
		if ctx.Err() != nil {
			return fault
		}
		if fault == nil {
			continue
		}
		out.Failed++
		c.metrics.cleanup.WithLabelValues("failed").Inc()
		at := one.Obsolete()
		c.log.Error("purge: moved file not removed", slog.Int64("recording", one.RecordingID), slog.String("provider", at.Provider), slog.String("key", at.Key), slog.Any("error", fault))
		err := c.deps.Store.Update(ctx, "syncer: a failed purge", func(x store.Session) error {
			return store.MarkCopyRemoveFailed(ctx, x, one.ID, fault.Error(), c.now())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// purgeCopy removes what is obsolete of one copy, unless something names it. What a
// recording was moved away from stays while the copy that it names cannot be found.
func (c *Cleaner) purgeCopy(ctx context.Context, one store.Copy) error {
	at := one.Obsolete()
	var (
		named   bool
		current media.Location // what replaces at, zero for nothing
	)
	err := c.deps.Store.View(ctx, "syncer: who names a moved file", func(x store.Session) (err error) {
		if named, err = store.LocationNamed(ctx, x, at, one.ID); err != nil || named {
			return err
		}
		current, err = locationOf(ctx, x, one)
		return err
	})
	if err != nil {
		return err
	}
	detail := "something else names it"
	if !named {
		detail = ""
		if err := c.confirm(ctx, current, one); err != nil {
			return err
		}
		a, err := c.deps.Archives.Get(at.Provider)
		if err != nil {
			return err
		}
		if err := a.Remove(ctx, at.Key); err != nil {
			return err
		}
	}
	return c.deps.Store.Update(ctx, "syncer: moved file removed", func(x store.Session) error {
		if err := store.MarkCopyRemoved(ctx, x, one.ID, detail, c.now()); err != nil || named {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: c.now(), RecordingID: one.RecordingID, What: "former file removed", Detail: at.Provider + " " + at.Key})
	})
}

// locationOf is where the file of a copy is now; zero for a recording that was removed.
func locationOf(ctx context.Context, x store.Session, one store.Copy) (media.Location, error) {
	row, err := store.LoadRecording(ctx, x, one.RecordingID, false)
	if err != nil || row.Deleted {
		return media.Location{}, ignoreNotFound(err)
	}
	if one.FileID == 0 {
		return row.Location(), nil
	}
	files, err := store.UnpurgedFiles(ctx, x, one.RecordingID)
	for _, f := range files {
		if f.ID == one.FileID && f.RemovedAt.IsZero() {
			return f.Location(), err
		}
	}
	return media.Location{}, err
}

// confirm checks that the archive has what a recording was switched to.
func (c *Cleaner) confirm(ctx context.Context, current media.Location, one store.Copy) error {
	if current == (media.Location{}) || !one.AbandonedAt.IsZero() {
		return nil
	}
	a, err := c.deps.Archives.Get(current.Provider)
	if err != nil {
		return err
	}
	if i, ok := a.(archive.Identifier); ok {
		_, err = i.Identify(ctx, current.Key)
	} else {
		_, err = a.Stat(ctx, current.Key)
	}
	if err != nil {
		return fmt.Errorf("the former file stays, the recording's present one cannot be found: %w", err)
	}
	return nil
}
