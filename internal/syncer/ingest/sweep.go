package ingest

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

// workKind is the kind of the ingests' directories of temporary files.
const workKind = "ingest"

// workJob names an ingest's directory of temporary files.
func workJob(ingest int64) workdir.Job { return workdir.Job{Kind: workKind, ID: ingest} }

// Sweep removes temporary files that no ingest needs any more, and aborts the uploads that
// were begun with them: those of ingests that nobody works on and no job is queued for. One that is archived already may have a
// job too, since a segment came later. Files of companions serve a queued job of theirs.
func (s *Ingester) Sweep(ctx context.Context) error {
	err := s.sweep(ctx, workKind, queue.IngestArgs{}.Kind())
	return errors.Join(err, s.sweep(ctx, companionKind, queue.CompanionsArgs{}.Kind()))
}

func (s *Ingester) sweep(ctx context.Context, directories, jobs string) error {
	return s.work.Sweep(directories, func(id int64) (serves bool, err error) {
		err = s.deps.Store.View(ctx, "syncer: sweep", func(x store.Session) error {
			i, err := store.LoadIngest(ctx, x, id, false)
			if err != nil {
				return catalog.IgnoreNotFound(err)
			}
			if serves = i.Lease != "" && directories == workKind; !serves {
				serves, err = store.JobQueued(ctx, x, jobs, "ingest_id", id)
			}
			return err
		})
		return serves, err
	}, func(unused *workdir.Lock) {
		if err := unused.AbortUpload(ctx, s.deps.Archives); err != nil {
			s.log.Warn("ingest: upload not aborted", slog.Any("error", err))
		}
	})
}
