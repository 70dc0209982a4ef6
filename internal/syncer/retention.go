package syncer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Retention is what a clean-up or a purge came to.
type Retention struct {
	Removed int `json:"removed"`
	Purged  int `json:"purged"`
	Failed  int `json:"failed"`
}

func (s *Syncer) workCleanup(ctx context.Context, _ *river.Job[cleanupArgs]) error {
	return s.periodicRun(ctx, cleanupArgs{}.Kind(), func(ctx context.Context) (any, error) { return s.Cleanup(ctx) })
}

// Cleanup removes recordings whose retention has ended, each in a transaction of its
// own: a failing one never stops the others. The bytes go later, by Purge.
func (s *Syncer) Cleanup(ctx context.Context) (Retention, error) {
	var (
		out  Retention
		rows []store.Recording
	)
	err := s.deps.Store.View(ctx, "syncer: expired recordings", func(x store.Session) (err error) {
		rows, err = store.Expiring(ctx, x)
		return err
	})
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		if row.AvailableUntil.After(s.now()) {
			continue
		}
		if err := s.expire(ctx, row); err != nil {
			if ctx.Err() != nil {
				return out, err
			}
			out.Failed++
			s.metrics.cleanup.WithLabelValues("failed").Inc()
			s.log.Error("an expired recording could not be removed", slog.Int64("recording", row.ID), slog.Any("error", err))
			continue
		}
		out.Removed++
		s.metrics.cleanup.WithLabelValues("removed").Inc()
	}
	s.log.Info("cleaned up", slog.Int("removed", out.Removed), slog.Int("failed", out.Failed))
	return out, nil
}

func (s *Syncer) expire(ctx context.Context, row store.Recording) error {
	return s.deps.Store.Update(ctx, "syncer: remove an expired recording", func(x store.Session) error {
		locked, err := store.LoadRecording(ctx, x, row.ID, true)
		if err != nil || locked.Deleted || locked.AvailableUntil.IsZero() || locked.AvailableUntil.After(s.now()) {
			return ignoreNotFound(err)
		}
		if _, err := store.RemoveRecording(ctx, x, row.ID, "expired: available until "+row.AvailableUntil.UTC().Format(time.RFC3339), s.now()); err != nil {
			return err
		}
		teacher, err := s.payer(ctx, x, locked)
		if err != nil {
			return err
		}
		if err := store.Refund(ctx, x, row.ID, teacher, locked.Size, s.now()); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), RecordingID: row.ID, What: "expired", Detail: "its bytes go after " + s.cfg.TrashGrace.String()})
	})
}

// payer is who a recording is charged to: the lesson's teacher, or its own.
func (s *Syncer) payer(ctx context.Context, x store.Session, row store.Recording) (int64, error) {
	if row.LessonID == 0 {
		return row.TeacherID, nil
	}
	lesson, err := store.LoadLesson(ctx, x, row.LessonID)
	if err != nil {
		return row.TeacherID, ignoreNotFound(err)
	}
	return lesson.TeacherID, nil
}

// purgeRetry is how long a purge that failed is left alone.
const purgeRetry = 10 * time.Minute

// purgeable are the removed recordings whose grace is over.
func (s *Syncer) purgeable(ctx context.Context) (due []store.Recording, err error) {
	err = s.deps.Store.View(ctx, "syncer: purgeable recordings", func(x store.Session) error {
		rows, err := store.Purgeable(ctx, x, s.now().Add(-purgeRetry))
		due = slices.DeleteFunc(rows, func(r store.Recording) bool {
			since := r.DeletedAt
			if since.IsZero() {
				since = r.UpdatedAt
			}
			return since.Add(s.cfg.TrashGrace).After(s.now())
		})
		return err
	})
	return due, err
}

func (s *Syncer) workPurge(ctx context.Context, _ *river.Job[purgeArgs]) error {
	return s.periodicRun(ctx, purgeArgs{}.Kind(), func(ctx context.Context) (any, error) { return s.Purge(ctx) })
}

// Purge deletes the bytes of recordings that were removed long enough ago, by us or
// by the platform.
func (s *Syncer) Purge(ctx context.Context) (Retention, error) {
	var out Retention
	due, err := s.purgeable(ctx)
	if err != nil {
		return out, err
	}
	for _, row := range due {
		if err := s.purge(ctx, row); err != nil {
			if ctx.Err() != nil {
				return out, err
			}
			out.Failed++
			s.metrics.cleanup.WithLabelValues("failed").Inc()
			s.log.Error("a removed recording could not be purged", slog.Int64("recording", row.ID), slog.Any("error", err))
			noted := s.deps.Store.Update(ctx, "syncer: a failed purge", func(x store.Session) error {
				return store.MarkPurged(ctx, x, row, s.now(), err.Error())
			})
			if noted != nil {
				return out, noted
			}
			continue
		}
		out.Purged++
		s.metrics.cleanup.WithLabelValues("purged").Inc()
	}
	if len(due) > 0 {
		s.log.Info("purged", slog.Int("purged", out.Purged), slog.Int("failed", out.Failed))
	}
	return out, nil
}

func (s *Syncer) purge(ctx context.Context, row store.Recording) error {
	shared := false
	// The claim and a restoration hold the same row: whoever comes second sees the other.
	err := s.deps.Store.Update(ctx, "syncer: before a purge", func(x store.Session) error {
		now, err := store.LoadRecording(ctx, x, row.ID, true)
		if err != nil {
			return err
		}
		if !now.Deleted {
			return errRestored
		}
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
	if !shared && at.Provider != media.ProviderZoom {
		a, err := s.archiveOf(at.Provider)
		if err != nil {
			return err
		}
		if err := a.Remove(ctx, at.Key); err != nil {
			return err
		}
	}
	return s.deps.Store.Update(ctx, "syncer: purged", func(x store.Session) error {
		if err := store.MarkPurged(ctx, x, row, s.now(), ""); err != nil {
			return err
		}
		// Whoever removed it has given its quota back: we at once, the platform itself.
		if err := store.MarkRefunded(ctx, x, row.ID, s.now()); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), RecordingID: row.ID, What: "purged", Detail: at.Provider + " " + at.Key})
	})
}

// errRestored says that a recording was restored between the list and its purge.
var errRestored = errors.New("restored meanwhile")

// Usage is what a recomputation came to.
type Usage struct {
	Teachers int `json:"teachers"`
	Changed  int `json:"changed"`
	Failed   int `json:"failed"`
}

func (s *Syncer) workUsage(ctx context.Context, _ *river.Job[usageArgs]) error {
	return s.periodicRun(ctx, usageArgs{}.Kind(), func(ctx context.Context) (any, error) { return s.Usage(ctx) })
}

// Usage recomputes every teacher's used storage from what is stored.
func (s *Syncer) Usage(ctx context.Context) (Usage, error) {
	var (
		out      Usage
		teachers []int64
	)
	err := s.deps.Store.View(ctx, "syncer: teachers with storage", func(x store.Session) (err error) {
		teachers, err = store.QuotaTeachers(ctx, x)
		return err
	})
	if err != nil {
		return out, err
	}
	for _, id := range teachers {
		err := s.deps.Store.Update(ctx, "syncer: usage", func(x store.Session) error {
			before, after, warn, err := store.RecomputeUsage(ctx, x, id, s.now())
			if err != nil {
				return err
			}
			if before.Used != after.Used || before.Recordings != after.Recordings {
				out.Changed++
				s.log.Info("used storage was not what was booked", slog.Int64("teacher", id), slog.Int64("booked", before.Used), slog.Int64("stored", after.Used))
			}
			if warn {
				return s.warnQuota(ctx, x, after)
			}
			return nil
		})
		if err != nil {
			if ctx.Err() != nil {
				return out, err
			}
			out.Failed++
			s.log.Error("used storage could not be recomputed", slog.Int64("teacher", id), slog.Any("error", err))
			continue
		}
		out.Teachers++
	}
	s.log.Info("used storage recomputed", slog.Int("teachers", out.Teachers), slog.Int("changed", out.Changed), slog.Int("failed", out.Failed))
	return out, nil
}
