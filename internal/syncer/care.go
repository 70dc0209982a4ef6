package syncer

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

const (
	// deadAfter is how old a heartbeat is when its syncer counts as dead. Whoever loses
	// the database stops by itself before: see fenceAfter.
	deadAfter  = 30 * time.Second
	fenceAfter = 20 * time.Second
)

// care is the caretaker: it says that this syncer lives, takes over from the dead,
// wakes what waits for room, and keeps the gauges true. It runs until ctx ends.
func (s *Syncer) care(ctx context.Context) {
	tick := time.NewTicker(s.cfg.tick)
	defer tick.Stop()
	failing, round := false, 0
	for ; ; round++ {
		err := s.careOnce(ctx, round)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				s.log.Warn("the caretaker cannot do its round", slog.Any("error", err))
			} else {
				s.log.Info("the caretaker does its rounds again")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Syncer) careOnce(ctx context.Context, round int) error {
	limited, cancel := context.WithTimeout(ctx, deadAfter)
	defer cancel()
	steps := []func(context.Context) error{s.beat, s.takeOver, s.takeRequests}
	if round%5 == 0 {
		steps = append(steps, s.wakeThoseWithRoom, s.wakePurge, s.catchUpCleanup, s.measure, s.sweep)
	}
	for _, step := range steps {
		if err := step(limited); err != nil {
			return err
		}
	}
	return nil
}

func (s *Syncer) beat(ctx context.Context) error {
	return s.deps.Store.Update(ctx, "syncer: heartbeat", func(x store.Session) error { return store.Heartbeat(ctx, x, s.id, s.now()) })
}

func (s *Syncer) leave(ctx context.Context) error {
	return s.deps.Store.Update(ctx, "syncer: leave", func(x store.Session) error {
		if err := store.ReleaseLeases(ctx, x, s.id); err != nil {
			return err
		}
		if err := store.ResignLeadership(ctx, x, s.id); err != nil {
			return err
		}
		return store.Deregister(ctx, x, s.id)
	})
}

// OthersAlive says whether another syncer lives.
func (s *Syncer) OthersAlive(ctx context.Context) (bool, error) {
	found := false
	err := s.deps.Store.View(ctx, "syncer: who else", func(x store.Session) error {
		all, err := store.Syncers(ctx, x)
		for _, other := range all {
			if other.ID != s.id && s.now().Sub(other.BeatAt) < deadAfter && !certainlyDead(s.cfg.WorkDir, other.ID) {
				found = true
			}
		}
		return err
	})
	return found, err
}

// takeOver gives the jobs of dead syncers back to the queue.
func (s *Syncer) takeOver(ctx context.Context) error {
	var dead []string
	alive := map[string]bool{s.id: true}
	err := s.deps.Store.View(ctx, "syncer: look for the dead", func(x store.Session) error {
		all, err := store.Syncers(ctx, x)
		for _, other := range all {
			switch {
			case other.ID == s.id:
			case s.now().Sub(other.BeatAt) > deadAfter || certainlyDead(s.cfg.WorkDir, other.ID):
				dead = append(dead, other.ID)
			default:
				alive[other.ID] = true
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	running, err := s.client.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateRunning).First(1000))
	if err != nil {
		return media.Fault(media.Unavailable, "syncer: running jobs", err)
	}
	var orphans, own []int64
	for _, job := range running.Jobs {
		n := len(job.AttemptedBy)
		if n > 0 && job.AttemptedBy[n-1] == s.id {
			own = append(own, job.ID)
		}
		if n == 0 || alive[job.AttemptedBy[n-1]] {
			continue
		}
		if slices.Contains(dead, job.AttemptedBy[n-1]) || job.AttemptedAt != nil && s.now().Sub(*job.AttemptedAt) > deadAfter {
			orphans = append(orphans, job.ID)
		}
	}
	orphans = append(orphans, s.atWork.lost(own, s.now())...)
	if len(dead) == 0 && len(orphans) == 0 {
		return nil
	}
	return s.deps.Store.Update(ctx, "syncer: take over", func(x store.Session) error {
		for _, id := range orphans {
			if err := store.RequeueJob(ctx, x, id); err != nil {
				return err
			}
		}
		for _, id := range dead {
			s.log.Warn("a syncer has died, its jobs are taken over", slog.String("syncer", id))
			for _, step := range []func(context.Context, store.Session, string) error{store.ReleaseLeases, store.ResignLeadership, store.Deregister} {
				if err := step(ctx, x, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// wakeThoseWithRoom takes up what failed for want of quota when room has come.
func (s *Syncer) wakeThoseWithRoom(ctx context.Context) error {
	var stopped []store.Ingest
	err := s.deps.Store.View(ctx, "syncer: what waits for room", func(x store.Session) error {
		all, err := store.IngestsInState(ctx, x, store.Failed)
		stopped = slices.DeleteFunc(all, func(i store.Ingest) bool { return i.Reason != reasonQuota || i.LessonID == 0 })
		return err
	})
	for _, i := range stopped {
		err = s.deps.Store.Update(ctx, "syncer: room for an ingest", func(x store.Session) error {
			q, err := store.LoadQuota(ctx, x, i.TeacherID, s.now())
			if err != nil || q.Used+q.Reserved+i.Need > q.Total {
				return err
			}
			return s.takeUp(ctx, x, i.LessonID, "there is room again")
		})
		if err != nil {
			return err
		}
	}
	return err
}

// wakePurge asks for a purge when something is due.
func (s *Syncer) wakePurge(ctx context.Context) error {
	due, err := s.purgeable(ctx)
	if err != nil || len(due) == 0 {
		return err
	}
	return s.deps.Store.Update(ctx, "syncer: ask for a purge", func(x store.Session) error {
		return s.enqueue(ctx, x, purgeArgs{}, time.Time{})
	})
}

// catchUpCleanup asks for the daily clean-up when today's was missed.
func (s *Syncer) catchUpCleanup(ctx context.Context) error {
	due, missed := dailyAt(s.cfg.CleanupAt).last(s.now()), false
	err := s.deps.Store.View(ctx, "syncer: catch up", func(x store.Session) error {
		last, err := store.LastRun(ctx, x, cleanupArgs{}.Kind())
		missed = last.Started.Before(due)
		return err
	})
	if err != nil || !missed {
		return err
	}
	return s.deps.Store.Update(ctx, "syncer: catch up", func(x store.Session) error {
		return s.enqueue(ctx, x, cleanupArgs{}, time.Time{})
	})
}

// measure keeps the gauges.
func (s *Syncer) measure(ctx context.Context) error {
	return s.deps.Store.View(ctx, "syncer: measure", func(x store.Session) error {
		waiting, err := store.WaitingJobs(ctx, x)
		if err != nil {
			return err
		}
		for _, kind := range kinds {
			s.metrics.waiting.WithLabelValues(kind).Set(float64(waiting[kind]))
		}
		oldest, err := store.OldestUnarchived(ctx, x)
		if err != nil {
			return err
		}
		age := 0.0
		if !oldest.IsZero() {
			age = max(0, s.now().Sub(oldest).Seconds())
		}
		s.metrics.oldest.Set(age)
		// Another syncer may have led the latest reconciliation.
		last, err := store.LastRun(ctx, x, reconcileArgs{}.Kind())
		var summary Summary
		if err == nil && !last.Finished.IsZero() && json.Unmarshal([]byte(last.Summary), &summary) == nil && summary.Failed == 0 {
			s.metrics.reconciled.Set(float64(last.Finished.Unix()))
		}
		return err
	})
}

// sweep removes temporary files that nobody needs any more: those of ingests that no
// job is queued for. One that is archived already may have a job too, since a segment
// came later.
func (s *Syncer) sweep(ctx context.Context) error {
	return s.space.sweep(func(id int64) (serves bool, err error) {
		err = s.deps.Store.View(ctx, "syncer: sweep", func(x store.Session) error {
			i, err := store.LoadIngest(ctx, x, id, false)
			if err != nil {
				return ignoreNotFound(err)
			}
			if serves = i.Lease != ""; !serves {
				serves, err = store.JobQueued(ctx, x, ingestArgs{}.Kind(), "ingest_id", id)
			}
			return err
		})
		return serves, err
	})
}
