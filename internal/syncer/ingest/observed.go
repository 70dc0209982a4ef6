package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// observed ends the run of a syncer that observes, where it would begin to act. Its text
// is what it would do.
type observed struct{ would string }

func (o *observed) Error() string { return "observed: would " + o.would }

// observe is a run that does not act: it plans, and finds out which row the recording
// would get. nil means that there is nothing to do.
func (r *run) observe(ctx context.Context) error {
	if r.row.OriginalKey != "" {
		return &observed{"end what an earlier run has begun"}
	}
	if err := r.prepare(ctx); err != nil || r.nothingLeft() {
		return err
	}
	var row store.Recording
	found := false
	err := r.s.deps.Store.View(ctx, "syncer: observe an ingest", func(x store.Session) error {
		rows, err := store.RecordingsOfIngest(ctx, x, r.row)
		if err != nil {
			return err
		}
		meetings, err := store.MeetingsOfIngest(ctx, x, r.row)
		row, found = chooseRow(rows, r.row, meetings)
		return err
	})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("archive %d part(s), %d bytes", len(r.plan.parts), r.plan.size())
	switch {
	case found && row.Deleted:
		return &observed{fmt.Sprintf("do nothing: recording %d was removed", row.ID)}
	case found && r.row.RecordingID == 0 && archivedElsewhere(row):
		return &observed{fmt.Sprintf("do nothing: recording %d is archived already, by the platform", row.ID)}
	case found:
		return &observed{fmt.Sprintf("%s, as recording %d", what, row.ID)}
	default:
		return &observed{what + ", as a new recording"}
	}
}

// endObserved ends a run with what it would have done, as the ingest's reason. The job is
// over: the syncer requests the ingest again when it acts.
func (r *run) endObserved(ctx context.Context, job *queue.Job[queue.IngestArgs], o *observed) error {
	again, news := false, false
	err := r.update(ctx, "syncer: observe an ingest", func(x store.Session, i *store.Ingest) error {
		newest, err := store.LoadIngest(ctx, x, i.ID, true)
		if err != nil {
			return err
		}
		again = newest.Requests != i.Requests
		news = i.Reason != store.ReasonObserved || i.Detail != o.would
		i.Lease, i.Attempts, i.FailingSince = "", max(i.Attempts-1, 0), time.Time{}
		i.Reason, i.Detail = store.ReasonObserved, o.would
		if err := i.Apply(store.Pause); err != nil {
			return err
		}
		if news {
			if err := r.history(ctx, x, i, "observed", "would "+o.would); err != nil {
				return err
			}
		}
		if again {
			return nil
		}
		return job.Complete(ctx, x)
	})
	switch {
	case errors.Is(err, errLeaseLost):
		return nil
	case err != nil:
		return err
	}
	if news {
		r.log.Info("observe: would "+o.would, slog.Int64("teacher", r.row.TeacherID), slog.Int("parts", len(r.plan.parts)), slog.Int64("bytes", r.plan.size()))
	}
	if again {
		return queue.Snooze(time.Second)
	}
	return nil
}

// RequestObserved requests the ingests again that a syncer has observed, now that it acts.
// They wait for their archive from now on.
func (s *Ingester) RequestObserved(ctx context.Context) error {
	var seen []store.Ingest
	err := s.deps.Store.View(ctx, "syncer: observed ingests", func(x store.Session) (err error) {
		seen, err = store.ObservedIngests(ctx, x)
		return err
	})
	for _, i := range seen {
		if err != nil {
			return err
		}
		if i.Orphaned() {
			continue
		}
		err = s.deps.Store.Update(ctx, "syncer: request an observed ingest", func(x store.Session) error {
			if err := store.SetRequestedSince(ctx, x, i.ID, s.now()); err != nil {
				return err
			}
			return s.requestAgain(ctx, x, i, "it was observed, and the syncer acts now")
		})
	}
	return err
}
