package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// purgeBeside deletes the bytes of all files beside a removed recording's own.
func (c *Cleaner) purgeBeside(ctx context.Context, row store.Recording) error {
	var files []store.RecordingFile
	err := c.deps.Store.View(ctx, "syncer: files of a purged recording", func(x store.Session) (err error) {
		files, err = store.UnpurgedFiles(ctx, x, row.ID)
		return err
	})
	for _, f := range files {
		err = errors.Join(err, c.purgeFile(ctx, f))
	}
	return err
}

// derivedLapse is how old a derived file is at least that counts as left by a killed run. The next
// run for the recording removes it, too; but where that kind is not made any more, or fails each
// time, there is none.
const derivedLapse = 24 * time.Hour

// purgeReplaced deletes the bytes of files that were replaced and that the run which
// replaced them has not deleted, and of derived files that killed runs have left. One that
// fails stops no other.
func (c *Cleaner) purgeReplaced(ctx context.Context, out *Summary) error {
	err := c.deps.Store.Update(ctx, "syncer: give up derived files", func(x store.Session) error {
		return store.GiveUpDerivedFiles(ctx, x, c.now().Add(-derivedLapse), c.now())
	})
	if err != nil {
		return err
	}
	files, err := c.replaced(ctx)
	for _, f := range files {
		fault := c.purgeFile(ctx, f)
		if ctx.Err() != nil {
			return fault
		}
		if fault == nil {
			continue
		}
		out.Failed++
		c.metrics.cleanup.WithLabelValues("failed").Inc()
		c.log.Error("purge: replaced file not purged", slog.Int64("recording", f.RecordingID), slog.String("key", f.ArchiveKey), slog.Any("error", fault))
		err = c.deps.Store.Update(ctx, "syncer: a failed purge", func(x store.Session) error { return store.MarkFilePurgeFailed(ctx, x, f.ID, c.now()) })
		if err != nil {
			return err
		}
	}
	return err
}

// replaced are the files that purgeReplaced deletes now.
func (c *Cleaner) replaced(ctx context.Context) (files []store.RecordingFile, err error) {
	err = c.deps.Store.View(ctx, "syncer: replaced files", func(x store.Session) error {
		files, err = store.ReplacedFiles(ctx, x, c.now().Add(-purgeRetry))
		return err
	})
	return files, err
}

func (c *Cleaner) purgeFile(ctx context.Context, f store.RecordingFile) error {
	a, err := c.deps.Archives.Get(f.Provider)
	if err != nil {
		return err
	}
	if err := a.Remove(ctx, f.ArchiveKey); err != nil {
		return err
	}
	return c.deps.Store.Update(ctx, "syncer: a file purged", func(x store.Session) error { return store.MarkFilePurged(ctx, x, f.ID, c.now()) })
}
