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

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/ledger"
	"github.com/lectiospace/lectern/internal/media"
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
	Teacher     ledger.Teacher
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
	// Left are teachers that the soft time limit left for the next run.
	Left int
	// Lessons that were newly taken up.
	Lessons []int64
}

// Failure is a teacher whose recordings could not be looked through.
type Failure struct {
	Teacher ledger.Teacher
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
	err := s.deps.Store.Update(ctx, "syncer: begin "+kind, func(x ledger.Session) (err error) {
		id, err = ledger.BeginRun(ctx, x, kind, s.now())
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
	err = s.deps.Store.Update(ending, "syncer: end "+kind, func(x ledger.Session) error {
		return ledger.EndRun(ending, x, id, outcome, string(text), s.now())
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
			report.Left++
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

func (s *Syncer) teachersOf(ctx context.Context, scope Scope) (out []ledger.Teacher, err error) {
	err = s.deps.Store.View(ctx, "syncer: teachers", func(x ledger.Session) (err error) {
		out, err = ledger.ZoomTeachers(ctx, x)
		return err
	})
	if err != nil || scope.Teacher == 0 {
		return out, err
	}
	out = slices.DeleteFunc(out, func(t ledger.Teacher) bool { return t.ID != scope.Teacher })
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
		slog.Int("teachers_left", r.Left), slog.String("took", s.now().Sub(began).Round(time.Millisecond).String()))
	if scope.Teacher != 0 {
		return
	}
	s.metrics.teachers.WithLabelValues("processed").Set(float64(r.Processed))
	s.metrics.teachers.WithLabelValues("failed").Set(float64(r.Failed))
	if r.Failed == 0 && r.Left == 0 {
		s.metrics.reconciled.Set(float64(s.now().Unix()))
	}
	var state, lines []string
	for _, f := range r.Failures {
		state = append(state, fmt.Sprintf("%d:%s", f.Teacher.ID, f.Reason))
		lines = append(lines, fmt.Sprintf("teacher %d: %s", f.Teacher.ID, f.Err))
	}
	err := s.deps.Store.Update(ctx, "syncer: failing teachers", func(x ledger.Session) error {
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
func (s *Syncer) window(ctx context.Context, t ledger.Teacher, scope Scope) (from, to time.Time, err error) {
	now := s.now()
	from, to = now.Add(-s.cfg.Lookback), now
	err = s.deps.Store.View(ctx, "syncer: cursor", func(x ledger.Session) error {
		reached, err := ledger.Cursor(ctx, x, t.ID)
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

// together is how many meetings share a transaction.
const together = 50

// reconcileTeacher lists a teacher's recordings and takes up what is missing.
func (s *Syncer) reconcileTeacher(ctx context.Context, t ledger.Teacher, scope Scope) ([]Action, error) {
	began := s.now()
	from, to, err := s.window(ctx, t, scope)
	if err != nil {
		return nil, err
	}
	var listed []zoom.Meeting
	seen := map[string]bool{}
	account := teacherAccount(t.AccountID, t.ClientID, t.ClientSecret, t.ZoomUserID)
	err = s.deps.Zoom.List(ctx, account, from, to, func(m zoom.Meeting) error {
		if m.UUID != "" && !seen[m.UUID] {
			seen[m.UUID] = true
			listed = append(listed, m)
		}
		return nil
	})
	// What was listed before an error is worth taking up all the same.
	var actions []Action
	for chunk := range slices.Chunk(listed, together) {
		found, storeErr := s.takeIn(ctx, t, chunk, scope.DryRun)
		actions = append(actions, found...)
		if storeErr != nil {
			return actions, errors.Join(err, storeErr)
		}
	}
	if err != nil || scope.DryRun || !scope.From.IsZero() || !scope.To.IsZero() {
		return actions, err
	}
	return actions, s.deps.Store.Update(ctx, "syncer: cursor", func(x ledger.Session) error { return ledger.SetCursor(ctx, x, t.ID, began) })
}

// takeIn writes down what Zoom lists of some meetings and takes up what is missing.
func (s *Syncer) takeIn(ctx context.Context, t ledger.Teacher, listed []zoom.Meeting, rehearse bool) (actions []Action, err error) {
	err = s.deps.Store.Update(ctx, "syncer: take in", func(x ledger.Session) error {
		actions = nil
		lessons, err := ledger.LessonsOfTeacher(ctx, x, t.ID)
		if err != nil {
			return err
		}
		for _, m := range listed {
			action, err := s.takeInOne(ctx, x, t, m, lessons)
			if err != nil {
				return err
			}
			if action.What != "" {
				actions = append(actions, action)
			}
		}
		if rehearse {
			return catalog.ErrRehearsal
		}
		return nil
	})
	return actions, err
}

func (s *Syncer) takeInOne(ctx context.Context, x ledger.Session, t ledger.Teacher, listed zoom.Meeting, lessons []ledger.Lesson) (Action, error) {
	if listed.AccountID == "" {
		listed.AccountID = t.AccountID
	}
	fresh := meetingOf(listed, t.ID, "")
	if err := ledger.PutMeeting(ctx, x, fresh, s.now()); err != nil {
		return Action{}, err
	}
	known, err := ledger.LoadMeeting(ctx, x, fresh.UUID)
	if err != nil {
		return Action{}, err
	}
	// What is listed is there, whatever an event said that came too late.
	for _, f := range known.Files {
		if !f.GoneAt.IsZero() && slices.ContainsFunc(fresh.Files, func(l ledger.File) bool { return l.ID == f.ID }) {
			if err := ledger.MarkGone(ctx, x, known.UUID, []string{f.ID}, time.Time{}); err != nil {
				return Action{}, err
			}
		}
	}
	lesson, note, err := ledger.Lesson{}, "", error(nil)
	if known.LessonID != 0 {
		lesson, note, err = s.match(ctx, x, known)
	} else {
		lesson, note, err = s.assign(ctx, x, known, lessons)
	}
	if err != nil {
		return Action{}, err
	}
	if lesson.ID == 0 {
		if !hasMedia(known) {
			return Action{}, nil
		}
		return Action{Meeting: known.UUID, What: actWait, Why: note}, nil
	}
	return s.missing(ctx, x, lesson, known.UUID)
}

func hasMedia(m ledger.Meeting) bool {
	return slices.ContainsFunc(m.Files, func(f ledger.File) bool { return f.Type == "MP4" || f.Type == "M4A" })
}

// missing takes a lesson's recording up when something of it is not archived.
func (s *Syncer) missing(ctx context.Context, x ledger.Session, lesson ledger.Lesson, uuid string) (Action, error) {
	meetings, err := ledger.MeetingsOf(ctx, x, lesson.ID)
	if err != nil {
		return Action{}, err
	}
	p := makePlan(meetings, s.cfg.Settle, s.now())
	if len(p.parts) == 0 && !p.processing {
		return Action{}, nil
	}
	i, err := ledger.IngestOfLesson(ctx, x, lesson.ID)
	action := Action{Lesson: lesson.ID, Meeting: uuid, What: actArchive}
	switch {
	case catalog.IsNotFound(err):
		action.Why = "Zoom lists it and nothing is archived"
	case err != nil:
		return Action{}, err
	case i.State == ledger.Removed:
		return Action{}, nil
	case i.State == ledger.Done && slices.Equal(p.names(), i.Parts()), i.State == ledger.Done && p.processing:
		return Action{}, nil
	case i.State == ledger.Done:
		action.Why = "Zoom lists a segment that is not archived"
	case i.State == ledger.Failed && !mendable[i.Reason]:
		return Action{}, nil
	case i.State == ledger.Failed:
		action.Why = "it failed for a passing reason: " + i.Reason
	default:
		// Under way already: only see to it that a job exists.
		return Action{}, s.takeUp(ctx, x, lesson.ID, "")
	}
	return action, s.takeUp(ctx, x, lesson.ID, action.Why)
}

// longAgo bounds how far back meetings without a lesson are tried again.
const longAgo = 45 * 24 * time.Hour

// reconcileRest looks at what no list brings back: meetings without a lesson, failed
// rows, the archive itself.
func (s *Syncer) reconcileRest(ctx context.Context, report *Report) error {
	lessons, err := s.retryUnmatched(ctx)
	report.Synced += len(lessons)
	report.Lessons = append(report.Lessons, lessons...)
	if err != nil {
		return err
	}
	again, err := s.retryFailed(ctx)
	report.Synced += len(again)
	report.Lessons = append(report.Lessons, again...)
	if err != nil {
		return err
	}
	if err := s.compareArchives(ctx); err != nil {
		// The teachers have been looked through; the archive can be next time.
		s.log.Warn("the archive could not be compared", slog.Any("error", err))
	}
	return ctx.Err()
}

// retryUnmatched tries meetings again whose lesson was not there, and tells of those
// that have waited too long.
func (s *Syncer) retryUnmatched(ctx context.Context) (lessons []int64, err error) {
	var waiting []ledger.Meeting
	err = s.deps.Store.View(ctx, "syncer: unmatched", func(x ledger.Session) (err error) {
		waiting, err = ledger.Unmatched(ctx, x, s.now().Add(-longAgo))
		return err
	})
	if err != nil {
		return nil, err
	}
	var overdue []ledger.Meeting
	for _, m := range waiting {
		if !hasMedia(m) {
			continue
		}
		err := s.deps.Store.Update(ctx, "syncer: match again", func(x ledger.Session) error {
			lesson, _, err := s.match(ctx, x, m)
			if err != nil || lesson.ID == 0 {
				return err
			}
			action, err := s.missing(ctx, x, lesson, m.UUID)
			if action.What == actArchive {
				lessons = append(lessons, lesson.ID)
			}
			return err
		})
		if err != nil {
			return lessons, err
		}
		if m.AlertedAt.IsZero() && s.now().Sub(m.FirstSeen) > s.cfg.UnmatchedAfter && !strings.HasPrefix(m.Note, "recording is switched off") {
			overdue = append(overdue, m)
		}
	}
	return lessons, s.tellUnmatched(ctx, overdue)
}

func (s *Syncer) tellUnmatched(ctx context.Context, overdue []ledger.Meeting) error {
	if len(overdue) == 0 {
		return nil
	}
	return s.deps.Store.Update(ctx, "syncer: tell of the unmatched", func(x ledger.Session) error {
		var lines []string
		for _, m := range overdue {
			fresh, err := ledger.LoadMeeting(ctx, x, m.UUID)
			if err != nil || fresh.LessonID != 0 {
				return ignoreNotFound(err)
			}
			lines = append(lines, fmt.Sprintf("meeting %s of %s (%s): %s", m.MeetingID, began(m).Format("2006-01-02 15:04 UTC"), m.UUID, m.Note))
			if err := ledger.MarkAlerted(ctx, x, m.UUID, s.now()); err != nil {
				return err
			}
		}
		return s.raise(ctx, x, alertArgs{
			Key: "unmatched", State: fmt.Sprintf("%d at %d", len(lines), s.now().Unix()), Severity: "warning",
			Title: fmt.Sprintf("%d recorded meeting(s) belong to no lesson since %s", len(lines), overdue[0].FirstSeen.Format(time.DateOnly)),
			Text:  strings.Join(lines, "\n") + "\nGive a lesson of that time the meeting's id; the next reconciliation archives it.",
		})
	})
}

// retryFailed takes up what failed for a passing reason and is listed no more.
func (s *Syncer) retryFailed(ctx context.Context) (lessons []int64, err error) {
	var failed []ledger.Ingest
	err = s.deps.Store.View(ctx, "syncer: failed ingests", func(x ledger.Session) (err error) {
		failed, err = ledger.IngestsIn(ctx, x, ledger.Failed)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, i := range failed {
		if i.LessonID == 0 || !mendable[i.Reason] {
			continue
		}
		err := s.deps.Store.Update(ctx, "syncer: try again", func(x ledger.Session) error {
			return s.takeUp(ctx, x, i.LessonID, "it failed for a passing reason: "+i.Reason)
		})
		if err != nil {
			return lessons, err
		}
		lessons = append(lessons, i.LessonID)
	}
	return lessons, nil
}
