package syncer

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/ingest"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// deadAfter is how old a heartbeat is when its syncer counts as dead. A run that cannot
// reach the database ends by itself before: see ingest.FenceAfter.
const deadAfter = ingest.FenceAfter + 10*time.Second

// aliveEvery is how many rounds lie between two heartbeats, rareEvery between two rounds
// that do everything.
const (
	aliveEvery = 2
	rareEvery  = 6
)

// lateAfter is how long a recording may wait for its archive: the goal of the service.
const lateAfter = 2 * time.Hour

// supervise writes the heartbeat, reaps dead syncers, enqueues what was missed, and
// keeps the gauges true, until ctx ends.
func (s *Syncer) supervise(ctx context.Context) {
	s.rounds.loop(ctx, s.cfg.SupervisorEvery, s.log, s.round)
}

func (s *Syncer) round(ctx context.Context, n int) error {
	var steps []func(context.Context) error
	if n%aliveEvery == 0 { // before what may fail: others take the leases of a syncer without a heartbeat
		steps = append(steps, s.heartbeat, s.reapDeadSyncers, s.ingester.Sweep, s.deriver.Sweep)
	}
	steps = append(steps, s.reconciler.EnqueueResyncs)
	if n%rareEvery == 0 {
		steps = append(steps, s.requestObserved, s.ingester.ReleaseLapsed, s.ingester.RetryBlockedByQuota, s.backfiller.EnqueueMissed, s.measure, s.mover.Sweep, s.indexCaptions)
		if !s.ingestsOnly {
			steps = append(steps, s.cleaner.EnqueueMissed, s.deriver.EnqueueMissing)
		}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// requestObserved requests what a syncer that observed has seen, once, when this one acts.
func (s *Syncer) requestObserved(ctx context.Context) error {
	if s.observer.On() || s.requestedObserved {
		return nil
	}
	err := s.ingester.RequestObserved(ctx)
	s.requestedObserved = err == nil
	return err
}

// captionsPerRound is how many captions one round makes searchable: a transaction of less
// than a second.
const captionsPerRound = 20

// indexCaptions makes captions searchable that a release without searches has stored.
func (s *Syncer) indexCaptions(ctx context.Context) error {
	if s.observer.On() {
		return nil
	}
	var missing bool
	err := s.deps.Store.View(ctx, "syncer: look for captions", func(x store.Session) (err error) {
		missing, err = store.UnindexedCaptions(ctx, x)
		return err
	})
	if err != nil || !missing {
		return err
	}
	return s.deps.Store.Update(ctx, "syncer: index captions", func(x store.Session) error {
		_, err := store.IndexCaptions(ctx, x, captionsPerRound)
		return err
	})
}

func (s *Syncer) heartbeat(ctx context.Context) error {
	return s.deps.Store.UpdateOnce(ctx, "syncer: heartbeat", func(x store.Session) error {
		return store.Heartbeat(ctx, x, store.Syncer{ID: s.id, Version: s.deps.Version, Address: s.address, BeatAt: s.now()})
	})
}

// deregister ends this syncer for the others.
func (s *Syncer) deregister(ctx context.Context) error {
	return s.deps.Store.Update(ctx, "syncer: deregister", func(x store.Session) error { return s.remove(ctx, x, s.id) })
}

// remove releases what a syncer holds: the leases of its ingests, and the leadership of
// the queue.
func (s *Syncer) remove(ctx context.Context, x store.Session, id string) error {
	if err := store.ReleaseLeases(ctx, x, id, nil, s.now()); err != nil {
		return err
	}
	if err := store.ResignLeadership(ctx, x, id); err != nil {
		return err
	}
	return store.Deregister(ctx, x, id)
}

// others lists the other syncers that are registered, by whether they are dead.
func (s *Syncer) others(ctx context.Context) (alive, dead []string, err error) {
	err = s.deps.Store.View(ctx, "syncer: list syncers", func(x store.Session) error {
		alive, dead = nil, nil
		all, err := store.Syncers(ctx, x)
		for _, other := range all {
			switch {
			case other.ID == s.id:
			case s.now().Sub(other.BeatAt) > deadAfter || certainlyDead(s.cfg.WorkDir, other.ID):
				dead = append(dead, other.ID)
			default:
				alive = append(alive, other.ID)
			}
		}
		return err
	})
	return alive, dead, err
}

// OthersAlive reports whether another syncer lives.
func (s *Syncer) OthersAlive(ctx context.Context) (bool, error) {
	alive, _, err := s.others(ctx)
	return len(alive) > 0, err
}

// reapDeadSyncers gives the jobs of dead syncers back to the queue and releases what
// they held; and the jobs of this one whose end was lost.
func (s *Syncer) reapDeadSyncers(ctx context.Context) error {
	alive, dead, err := s.others(ctx)
	if err != nil {
		return err
	}
	running, err := s.queue.RunningJobs(ctx)
	if err != nil {
		return err
	}
	orphans := orphaned(running, append(alive, s.id), dead, s.now())
	orphans = append(orphans, s.queue.LostEnds(running)...)
	if len(dead) == 0 && len(orphans) == 0 {
		return nil
	}
	s.queue.Hurry()
	return s.deps.Store.Update(ctx, "syncer: reap dead syncers", func(x store.Session) error {
		for _, id := range orphans {
			if err := store.RequeueJob(ctx, x, id); err != nil {
				return err
			}
		}
		for _, id := range dead {
			s.log.Warn("supervisor: dead syncer reaped", slog.String("syncer", id))
			if err := s.remove(ctx, x, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// orphaned picks the jobs whose worker is dead, or unknown for so long that it must be.
// It is pure.
func orphaned(running []queue.RunningJob, alive, dead []string, now time.Time) (out []int64) {
	for _, job := range running {
		if job.Worker == "" || slices.Contains(alive, job.Worker) {
			continue
		}
		if slices.Contains(dead, job.Worker) || !job.Since.IsZero() && now.Sub(job.Since) > deadAfter {
			out = append(out, job.ID)
		}
	}
	return out
}

// measure keeps the gauges.
func (s *Syncer) measure(ctx context.Context) error {
	return s.deps.Store.View(ctx, "syncer: measure", func(x store.Session) error {
		waiting, err := store.WaitingJobs(ctx, x)
		if err != nil {
			return err
		}
		for _, kind := range queue.Kinds {
			s.metrics.waiting.WithLabelValues(kind).Set(float64(waiting[kind]))
		}
		oldest, err := store.OldestUnarchived(ctx, x)
		if err != nil {
			return err
		}
		age := 0.0
		if !oldest.IsZero() && !s.observer.On() { // observed ones wait for their operator
			age = max(0, s.now().Sub(oldest).Seconds())
		}
		s.metrics.oldest.Set(age)
		late, err := store.CountLate(ctx, x, s.now().Add(-lateAfter))
		if err != nil {
			return err
		}
		if s.observer.On() {
			late = 0
		}
		s.metrics.late.Set(float64(late))
		return s.reconciler.ObserveLastRun(ctx, x)
	})
}
