package syncer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// together is how many meetings share a transaction.
const together = 50

// reconcileTeacher lists a teacher's recordings and takes up what is missing.
func (s *Syncer) reconcileTeacher(ctx context.Context, t store.Teacher, scope Scope) ([]Action, error) {
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
	return actions, s.deps.Store.Update(ctx, "syncer: cursor", func(x store.Session) error { return store.SetCursor(ctx, x, t.ID, began) })
}

// takeIn writes down what Zoom lists of some meetings and takes up what is missing.
func (s *Syncer) takeIn(ctx context.Context, t store.Teacher, listed []zoom.Meeting, rehearse bool) (actions []Action, err error) {
	err = s.deps.Store.Update(ctx, "syncer: take in", func(x store.Session) error {
		actions = nil
		lessons, err := store.LessonsOfTeacher(ctx, x, t.ID)
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
			return catalog.ErrDryRun
		}
		return nil
	})
	return actions, err
}

func (s *Syncer) takeInOne(ctx context.Context, x store.Session, t store.Teacher, listed zoom.Meeting, lessons []store.Lesson) (Action, error) {
	if listed.AccountID == "" {
		listed.AccountID = t.AccountID
	}
	fresh := meetingOf(listed, t.ID, "")
	if err := store.PutMeeting(ctx, x, fresh, s.now()); err != nil {
		return Action{}, err
	}
	known, err := store.LoadMeeting(ctx, x, fresh.UUID)
	if err != nil {
		return Action{}, err
	}
	// What is listed is there, whatever an event said that came too late.
	for _, f := range known.Files {
		if !f.GoneAt.IsZero() && slices.ContainsFunc(fresh.Files, func(l store.File) bool { return l.ID == f.ID }) {
			if err := store.MarkGone(ctx, x, known.UUID, []string{f.ID}, time.Time{}); err != nil {
				return Action{}, err
			}
		}
	}
	lesson, note, err := store.Lesson{}, "", error(nil)
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

func hasMedia(m store.Meeting) bool {
	return slices.ContainsFunc(m.Files, func(f store.File) bool { return f.Type == "MP4" || f.Type == "M4A" })
}

// missing takes a lesson's recording up when something of it is not archived.
func (s *Syncer) missing(ctx context.Context, x store.Session, lesson store.Lesson, uuid string) (Action, error) {
	meetings, err := store.MeetingsOf(ctx, x, lesson.ID)
	if err != nil {
		return Action{}, err
	}
	p := makePlan(meetings, s.cfg.Settle, s.now())
	if len(p.parts) == 0 && !p.processing {
		return Action{}, nil
	}
	i, err := store.IngestOfLesson(ctx, x, lesson.ID)
	action := Action{Lesson: lesson.ID, Meeting: uuid, What: actArchive}
	switch {
	case catalog.IsNotFound(err):
		action.Why = "Zoom lists it and nothing is archived"
	case err != nil:
		return Action{}, err
	case i.State == store.Removed:
		return Action{}, nil
	case i.State == store.Done && slices.Equal(p.names(), i.Parts()), i.State == store.Done && p.processing:
		return Action{}, nil
	case i.State == store.Done:
		action.Why = "Zoom lists a segment that is not archived"
	case i.State == store.Failed && !mendable[i.Reason]:
		return Action{}, nil
	case i.State == store.Failed:
		action.Why = "it failed for a passing reason: " + i.Reason
	default:
		// Under way already: only see to it that a job exists.
		return Action{}, s.takeUp(ctx, x, lesson.ID, "")
	}
	return action, s.takeUp(ctx, x, lesson.ID, action.Why)
}
