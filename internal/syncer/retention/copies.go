package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
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
		current present // what replaces at
	)
	err := c.deps.Store.View(ctx, "syncer: who names a moved file", func(x store.Session) (err error) {
		if named, err = store.LocationNamed(ctx, x, at, one.ID); err != nil || named {
			return err
		}
		current, err = presentOf(ctx, x, one)
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

// present is a recording's file as it is known now; the zero value for none.
type present struct {
	media.Location
	size int64
	md5  string // "" = neither this nor the size is known
}

// presentOf is what the file of a copy is now; the zero value for a recording that was
// removed.
func presentOf(ctx context.Context, x store.Session, one store.Copy) (present, error) {
	row, err := store.LoadRecording(ctx, x, one.RecordingID, false)
	if err != nil || row.Deleted {
		return present{}, catalog.IgnoreNotFound(err)
	}
	if one.FileID == 0 {
		return presentRow(ctx, x, row, one)
	}
	files, err := store.UnpurgedFiles(ctx, x, one.RecordingID)
	for _, f := range files {
		if f.ID == one.FileID && f.RemovedAt.IsZero() {
			return present{f.Location(), f.Size, f.MD5}, err
		}
	}
	return present{}, err
}

// presentRow is what a recording's row names: as its ingest has archived it, which may be
// another version than was moved, or as it was moved.
func presentRow(ctx context.Context, x store.Session, row store.Recording, one store.Copy) (present, error) {
	at := row.Location()
	i, err := store.IngestOfRecording(ctx, x, row.ID)
	switch {
	case err == nil && i.Archived() && at == media.Location{Provider: i.Provider, Key: i.ArchiveKey}:
		return present{at, i.Size, i.MD5}, nil
	case catalog.IgnoreNotFound(err) != nil:
		return present{}, err
	case at == one.To:
		return present{at, one.Size, one.MD5}, nil
	default:
		return present{Location: at}, nil
	}
}

// confirm checks that the archive has what a recording was switched to.
func (c *Cleaner) confirm(ctx context.Context, current present, one store.Copy) error {
	if current.Location == (media.Location{}) || !one.AbandonedAt.IsZero() {
		return nil
	}
	a, err := c.deps.Archives.Get(current.Provider)
	if err != nil {
		return err
	}
	stored, err := a.Stat(ctx, current.Key)
	if err != nil {
		return fmt.Errorf("the former file stays, the recording's present one cannot be found: %w", err)
	}
	if current.md5 != "" && (stored.Size != current.size || stored.MD5 != "" && stored.MD5 != current.md5) {
		return media.Faultf(media.Corrupt, "purge", "the former file stays, the recording's present one is not what was archived: %d bytes with MD5 %s instead of %d with %s", stored.Size, stored.MD5, current.size, current.md5)
	}
	return nil
}
