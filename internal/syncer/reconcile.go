package syncer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// abreast is how many teachers are looked at together; each account's limits hold
// all the same.
const abreast = 4

// Summary is what a reconciliation came to. Processed and failed are disjoint;
// synced counts the recordings that it newly took up.
type Summary struct {
	Processed int `json:"teachers_processed"`
	Failed    int `json:"teachers_failed"`
	Synced    int `json:"total_synced"`
}

// Scope says what to reconcile; the zero value is everything, as far back as is due.
type Scope struct {
	Teacher  int64     // 0 = all
	From, To time.Time // UTC dates; zero = what is due
	// DryRun writes nothing; Actions tell what would be done.
	DryRun bool
	// Progress is called after each teacher, from one goroutine at a time.
	Progress func(Progress)
}

// Progress is how far a reconciliation is.
type Progress struct {
	Done, Total int
	Teacher     store.Teacher
	Actions     []Action
	Err         error
}

// Action is one thing that was found to do.
type Action struct {
	Lesson  int64 // 0 = none known
	Meeting string
	What    string // archive, waits, …
	Why     string
}

// Report is a reconciliation's whole result.
type Report struct {
	Summary
	Failures []Failure
	// Skipped are teachers that the soft time limit left for the next run.
	Skipped int
	// Lessons that were newly taken up.
	Lessons []int64
}

// Failure is a teacher whose recordings could not be looked through.
type Failure struct {
	Teacher store.Teacher
	Reason  string
	Err     error
}

// workReconcile is the periodic job.
func (s *Syncer) workReconcile(ctx context.Context, _ *river.Job[reconcileArgs]) error {
	return s.periodicRun(ctx, reconcileArgs{}.Kind(), func(ctx context.Context) (any, error) {
		report, err := s.Reconcile(ctx, Scope{})
		return report.Summary, err
	})
}

// periodicRun runs a periodic job and keeps its summary, in the ledger and with the
// job.
func (s *Syncer) periodicRun(ctx context.Context, kind string, f func(context.Context) (any, error)) error {
	var id int64
	err := s.deps.Store.Update(ctx, "syncer: begin "+kind, func(x store.Session) (err error) {
		id, err = store.BeginRun(ctx, x, kind, s.now())
		return err
	})
	if err != nil {
		return err
	}
	summary, runErr := f(ctx)
	text, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	outcome := "ok"
	if runErr != nil {
		outcome, text = "failed", []byte(runErr.Error())
	} else if recordErr := river.RecordOutput(ctx, summary); recordErr != nil {
		s.log.Debug("the summary is not kept with the job", slog.Any("error", recordErr))
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	err = s.deps.Store.Update(ending, "syncer: end "+kind, func(x store.Session) error {
		return store.EndRun(ending, x, id, outcome, string(text), s.now())
	})
	return errors.Join(runErr, err)
}

// Reconcile compares what Zoom lists with what is archived and asks for what is
// missing. A failing teacher never stops the others; an error means that it could
// not be done at all.
func (s *Syncer) Reconcile(ctx context.Context, scope Scope) (Report, error) {
	began := s.now()
	var report Report
	teachers, err := s.teachersOf(ctx, scope)
	if err != nil {
		return report, err
	}
	var mu sync.Mutex // guards report and calls of Progress
	group, done := new(errgroup.Group), 0
	group.SetLimit(abreast)
	for _, t := range teachers {
		if s.now().Sub(began) > s.cfg.reconcileSoft {
			report.Skipped++
			continue
		}
		group.Go(func() error {
			actions, err := s.reconcileTeacher(ctx, t, scope)
			mu.Lock()
			defer mu.Unlock()
			done++
			if err != nil && ctx.Err() == nil {
				report.Failed++
				reason, _ := verdict(failedAt(atZoom, err), corruptTries)
				report.Failures = append(report.Failures, Failure{t, cmp.Or(zoom.ReasonOf(err), reason), err})
				s.log.Warn("a teacher's recordings could not be looked through", slog.Int64("teacher", t.ID), slog.Any("error", err))
			} else if err == nil {
				report.Processed++
			}
			for _, a := range actions {
				if a.What == actArchive {
					report.Synced++
					report.Lessons = append(report.Lessons, a.Lesson)
				}
			}
			if scope.Progress != nil {
				scope.Progress(Progress{done, len(teachers), t, actions, err})
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return report, media.Fault(media.KindOf(err), "syncer: reconcile", err)
	}
	if scope.DryRun {
		return report, nil
	}
	if scope.Teacher == 0 {
		if err := s.reconcileRest(ctx, &report); err != nil {
			return report, err
		}
	}
	slices.SortFunc(report.Failures, func(a, b Failure) int { return cmp.Compare(a.Teacher.ID, b.Teacher.ID) })
	s.tellReconciled(ctx, scope, report, began)
	return report, nil
}

func (s *Syncer) teachersOf(ctx context.Context, scope Scope) (out []store.Teacher, err error) {
	err = s.deps.Store.View(ctx, "syncer: teachers", func(x store.Session) (err error) {
		out, err = store.ZoomTeachers(ctx, x)
		return err
	})
	if err != nil || scope.Teacher == 0 {
		return out, err
	}
	out = slices.DeleteFunc(out, func(t store.Teacher) bool { return t.ID != scope.Teacher })
	if len(out) == 0 {
		return nil, media.Faultf(media.NotFound, "syncer: reconcile", "there is no teacher %d with all three Zoom credentials", scope.Teacher)
	}
	return out, nil
}

// tellReconciled writes the summary where people look, and tells of teachers that
// fail when their set has changed.
func (s *Syncer) tellReconciled(ctx context.Context, scope Scope, r Report, began time.Time) {
	s.metrics.synced.Add(float64(r.Synced))
	s.log.Info("reconciled", slog.Int("teachers_processed", r.Processed), slog.Int("teachers_failed", r.Failed), slog.Int("total_synced", r.Synced),
		slog.Int("teachers_left", r.Skipped), slog.String("took", s.now().Sub(began).Round(time.Millisecond).String()))
	if scope.Teacher != 0 {
		return
	}
	s.metrics.teachers.WithLabelValues("processed").Set(float64(r.Processed))
	s.metrics.teachers.WithLabelValues("failed").Set(float64(r.Failed))
	if r.Failed == 0 && r.Skipped == 0 {
		s.metrics.reconciled.Set(float64(s.now().Unix()))
	}
	var state, lines []string
	for _, f := range r.Failures {
		state = append(state, fmt.Sprintf("%d:%s", f.Teacher.ID, f.Reason))
		lines = append(lines, fmt.Sprintf("teacher %d: %s", f.Teacher.ID, f.Err))
	}
	err := s.deps.Store.Update(ctx, "syncer: failing teachers", func(x store.Session) error {
		const key = "reconcile.teachers"
		if len(state) == 0 {
			return s.resolve(ctx, x, key, "All teachers' recordings can be looked through again", "Nothing is left to do.")
		}
		return s.raise(ctx, x, alertArgs{
			Key: key, State: strings.Join(state, " "), Severity: "warning",
			Title: fmt.Sprintf("The recordings of %d teacher(s) cannot be looked through at Zoom", len(state)),
			Text:  strings.Join(lines, "\n") + "\n" + advice[reasonNoAccess] + ".",
		})
	})
	if err != nil {
		s.log.Warn("failing teachers could not be noted", slog.Any("error", err))
	}
}

// What an action is.
const (
	actArchive = "archive" // newly taken up
	actWait    = "wait"    // a lesson may come
)

// window is which dates are due for a teacher: as far back as the setting says from
// now, or from when the last look succeeded.
func (s *Syncer) window(ctx context.Context, t store.Teacher, scope Scope) (from, to time.Time, err error) {
	now := s.now()
	from, to = now.Add(-s.cfg.Lookback), now
	err = s.deps.Store.View(ctx, "syncer: cursor", func(x store.Session) error {
		reached, err := store.Cursor(ctx, x, t.ID)
		if !reached.IsZero() && reached.Before(now) {
			from = reached.Add(-s.cfg.Lookback)
		}
		return err
	})
	if !scope.From.IsZero() {
		from = scope.From
	}
	if !scope.To.IsZero() {
		to = scope.To
	}
	return from, to, err
}
