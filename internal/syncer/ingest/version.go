package ingest

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// A new version of an archived recording never changes bytes that the recording's row
// names:
//
//  1. It is uploaded under a key of its own, the ingest's StagedKey, and verified there.
//  2. publish makes the row name that key, in one transaction with everything else. The
//     key before it becomes OriginalKey.
//  3. The original file, which no row names now, gets the same bytes, and is verified.
//  4. The row names the original file again: links to it stay good. The other file becomes
//     StagedKey and is deleted.
//
// A run that is killed between two steps leaves row and bytes in agreement, and its keys
// in the ingest: the next run continues, and uploads to the same place.

// finishVersion carries out what is left of these steps once nothing is to be published.
// path is a file on our disk with the published bytes, "" for none.
func (r *run) finishVersion(ctx context.Context, path string) error {
	if r.row.OriginalKey != "" {
		if err := r.returnToOriginal(ctx, path); err != nil {
			return err
		}
	}
	return r.removeStaged(ctx)
}

// returnToOriginal gives the original file the bytes of the published one and makes the
// row name it. An original file that is gone, that another recording names, that cannot be
// written or that does not verify is given up: the recording stays where it is.
func (r *run) returnToOriginal(ctx context.Context, path string) error {
	giveUp, err := r.originalUnusable(ctx)
	if err != nil {
		return err
	}
	switch {
	case giveUp == storedElsewhere:
		return r.forgetOriginal(ctx, giveUp)
	case giveUp != "":
		return r.giveUpOriginal(ctx, giveUp)
	}
	target, err := r.s.deps.Archives.Get(r.row.Provider)
	if err != nil {
		return failedAt(atArchive, err)
	}
	switch _, err := target.Stat(ctx, r.row.OriginalKey); {
	case media.KindOf(err) == media.NotFound:
		return r.giveUpOriginal(ctx, "it is gone")
	case err != nil:
		return failedAt(atArchive, err)
	}
	if path == "" {
		if path, err = r.fetchArchived(ctx); err != nil {
			return err
		}
	}
	item := r.item(r.row.OriginalKey, ".mp4", path, r.row.Size, r.row.MD5)
	item.Replace = true
	stored, err := r.lock.Put(ctx, r.s.deps.Archives, target, item)
	switch {
	case err == nil && stored.Same(r.row.Size, r.row.MD5):
		return r.nameOriginal(ctx, stored)
	case err == nil:
		return r.giveUpOriginal(ctx, "its checksum does not match")
	case ctx.Err() == nil && !media.KindOf(err).Passing():
		return r.giveUpOriginal(ctx, err.Error())
	default:
		return failedAt(atArchive, err)
	}
}

// storedElsewhere says that the row names neither the original file nor the published one,
// as after a loss: the original may be all that is left.
const storedElsewhere = "the recording is stored elsewhere"

// originalUnusable says why the original file must not be written to, "" for no reason.
func (r *run) originalUnusable(ctx context.Context) (why string, err error) {
	err = r.s.deps.Store.View(ctx, "syncer: the original file", func(x store.Session) error {
		row, err := store.LoadRecording(ctx, x, r.row.RecordingID, false)
		if catalog.IsNotFound(err) || err == nil && row.Deleted {
			why = "the recording was removed"
			return nil
		}
		if err != nil {
			return err
		}
		named, err := store.KeyNamed(ctx, x, r.row.Provider, r.row.OriginalKey, row.ID)
		switch {
		case named:
			why = "another recording has it too"
		case row.Location() != media.Location{Provider: r.row.Provider, Key: r.row.ArchiveKey}:
			why = storedElsewhere
		}
		return err
	})
	return why, err
}

// nameOriginal makes the row name the original file, which holds the published bytes.
func (r *run) nameOriginal(ctx context.Context, stored archive.Stored) error {
	moved := false
	err := r.update(ctx, "syncer: name the original file", func(x store.Session, i *store.Ingest) error {
		moved = false
		// The ingest first, then the row, as everywhere.
		if _, err := store.LoadIngest(ctx, x, i.ID, true); err != nil {
			return err
		}
		row, err := store.LoadRecording(ctx, x, i.RecordingID, true)
		if err != nil {
			return catalog.IgnoreNotFound(err)
		}
		if row.Deleted || row.Location() != (media.Location{Provider: i.Provider, Key: i.ArchiveKey}) {
			return nil
		}
		row.SetLocation(media.Location{Provider: i.Provider, Key: stored.Key}, stored.Folder, stored.URL)
		if moved, err = store.Relocate(ctx, x, row, r.s.now()); err != nil || !moved {
			return err
		}
		i.StagedKey, i.ArchiveKey, i.OriginalKey = i.ArchiveKey, stored.Key, ""
		// Gateways read what was verified after they last looked into their caches.
		i.ArchivedVersion, i.VerifiedAt = stored.Version, r.s.now()
		return r.history(ctx, x, i, "stored in its original file", fmt.Sprintf("%s, version %s", stored.Key, stored.Version))
	})
	if err != nil || moved {
		return err
	}
	switch why, err := r.originalUnusable(ctx); {
	case err != nil:
		return err
	case why == "" || why == storedElsewhere:
		return r.forgetOriginal(ctx, storedElsewhere)
	default:
		return r.giveUpOriginal(ctx, why)
	}
}

// giveUpOriginal leaves a recording under the key of its new version. The original file
// is deleted unless another recording names it.
func (r *run) giveUpOriginal(ctx context.Context, why string) error {
	r.log.Warn("ingest: original file given up", slog.String("key", r.row.OriginalKey), slog.String("why", why))
	if err := r.removeKey(ctx, r.row.OriginalKey); err != nil {
		return err
	}
	return r.forgetOriginal(ctx, why)
}

// forgetOriginal no longer returns a recording to its original file.
func (r *run) forgetOriginal(ctx context.Context, why string) error {
	return r.update(ctx, "syncer: give up the original file", func(x store.Session, i *store.Ingest) error {
		detail := fmt.Sprintf("%s: %s", i.OriginalKey, why)
		i.OriginalKey = ""
		return r.history(ctx, x, i, "original file given up", detail)
	})
}

// removeStaged deletes the file under StagedKey, of which nothing is published.
func (r *run) removeStaged(ctx context.Context) error {
	if r.row.StagedKey == "" {
		return nil
	}
	if err := r.removeKey(ctx, r.row.StagedKey); err != nil {
		return err
	}
	return r.update(ctx, "syncer: give up a staged key", func(_ store.Session, i *store.Ingest) error {
		i.StagedKey = ""
		return nil
	})
}

// removeKey deletes an archived file that no recording names. One that may not be deleted
// is left: reconciliation reports it.
func (r *run) removeKey(ctx context.Context, key string) error {
	named := false
	err := r.s.deps.Store.View(ctx, "syncer: who names a key", func(x store.Session) (err error) {
		named, err = store.KeyNamed(ctx, x, r.row.Provider, key, 0)
		return err
	})
	if err != nil || named {
		return err
	}
	target, err := r.s.deps.Archives.Get(r.row.Provider)
	if err != nil {
		return failedAt(atArchive, err)
	}
	err = target.Remove(ctx, key)
	if err != nil && ctx.Err() == nil && !media.KindOf(err).Passing() {
		r.log.Warn("ingest: file not deleted from the archive", slog.String("key", key), slog.Any("error", err))
		err = nil
	}
	if err == nil {
		// A session ends in a file that may be gone now.
		if err := r.lock.DropSession(); err != nil {
			return failedAt(atDisk, err)
		}
	}
	return failedAt(atArchive, err)
}
