package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/ingest"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// staleAfter is how long an upload may make no progress before its parts are deleted.
// An ingest that still waits to continue it begins anew.
const staleAfter = 12 * time.Hour

// compareArchives finds recordings whose archived file is gone, and archived files that
// belong to no recording. It aborts uploads that nobody continues. An archive that fails
// keeps no other from being compared.
func (r *Reconciler) compareArchives(ctx context.Context) (err error) {
	for provider, a := range r.deps.Archives {
		err = errors.Join(err, r.compareArchive(ctx, provider, a), r.abortStaleUploads(ctx, provider, a))
	}
	return err
}

// abortStaleUploads aborts what killed syncers have left: an ingest that ends by itself
// aborts its own upload.
func (r *Reconciler) abortStaleUploads(ctx context.Context, provider string, a archive.Archive) error {
	aborter, ok := a.(archive.UploadAborter)
	if !ok {
		return nil
	}
	aborted, err := aborter.AbortStale(ctx, r.now().Add(-staleAfter))
	if aborted > 0 {
		r.log.Info("reconcile: unfinished uploads aborted", slog.String("provider", provider), slog.Int("uploads", aborted))
	}
	return err
}

func (r *Reconciler) compareArchive(ctx context.Context, provider string, a archive.Archive) error {
	var (
		ours   []store.Ingest
		beside []store.RecordingFile
	)
	// What is known is read before and after the list: a file that is new meanwhile is
	// no orphan, and one that is purged meanwhile not lost.
	err := r.deps.Store.View(ctx, "syncer: what is archived", func(x store.Session) error {
		all, err := store.IngestsInState(ctx, x, store.Done)
		if err == nil {
			beside, err = store.VerifiedFiles(ctx, x, provider)
		}
		ours = slices.DeleteFunc(all, func(i store.Ingest) bool { return i.Provider != provider || !i.Archived() || i.RecordingID == 0 })
		return err
	})
	if err != nil {
		return err
	}
	there := map[string]bool{}
	if err := a.List(ctx, func(o archive.Stored) error { there[o.Key] = true; return nil }); err != nil {
		return err
	}
	for _, i := range ours {
		if there[i.ArchiveKey] {
			continue
		}
		if _, err := a.Stat(ctx, i.ArchiveKey); media.KindOf(err) != media.NotFound {
			continue
		}
		returned, err := r.deps.Copies.Return(ctx, i.RecordingID, 0, media.Location{Provider: provider, Key: i.ArchiveKey})
		if err == nil && !returned {
			err = r.deps.Ingests.RecordLoss(ctx, i)
		}
		if err != nil {
			return err
		}
	}
	for _, f := range beside {
		if there[f.ArchiveKey] {
			continue
		}
		if _, err := a.Stat(ctx, f.ArchiveKey); media.KindOf(err) != media.NotFound {
			continue
		}
		returned, err := r.deps.Copies.Return(ctx, f.RecordingID, f.ID, f.Location())
		if err == nil && !returned {
			err = r.deps.Ingests.RecordFileLoss(ctx, f)
		}
		if err != nil {
			return err
		}
	}
	return r.reportOrphans(ctx, provider, there)
}

// reportOrphans alerts of files that belong to nothing here: their rows were deleted by
// the platform for good. They are not touched.
func (r *Reconciler) reportOrphans(ctx context.Context, provider string, there map[string]bool) error {
	return r.deps.Store.Update(ctx, "syncer: orphans", func(x store.Session) error {
		known, err := store.ReferencedKeys(ctx, x, provider)
		if err != nil {
			return err
		}
		var orphans []string
		for key := range there {
			if !known[key] {
				orphans = append(orphans, key)
			}
		}
		slices.Sort(orphans)
		key := "archive.orphans." + provider
		if len(orphans) == 0 {
			return r.deps.Alerts.Resolve(ctx, x, key, "No file in the archive is without a recording any more", "Nothing is left to do.")
		}
		r.log.Warn("reconcile: files in the archive belong to no recording", slog.String("provider", provider), slog.Int("files", len(orphans)), slog.Any("first", orphans[:min(5, len(orphans))]))
		return r.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
			Key: key, State: ingest.Fingerprint(orphans), Severity: "info",
			Title: fmt.Sprintf("%d file(s) in the archive %s belong to no recording", len(orphans), provider),
			Text:  strings.Join(orphans[:min(50, len(orphans))], "\n") + "\nTheir lessons were deleted on the platform. Delete the files there if they are not wanted.",
		})
	})
}
