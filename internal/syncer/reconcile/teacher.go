package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// meetingsPerTx is how many meetings share a transaction.
const meetingsPerTx = 50

// reconcileTeacher lists a teacher's recordings at Zoom and requests what is missing.
func (r *Reconciler) reconcileTeacher(ctx context.Context, t store.Teacher, scope Scope) ([]Action, error) {
	began := r.now()
	from, to, err := r.window(ctx, t, scope)
	if err != nil {
		return nil, err
	}
	listed, err := r.list(ctx, t, from, to)
	// What was listed before an error is compared all the same.
	var actions []Action
	for chunk := range slices.Chunk(listed, meetingsPerTx) {
		found, compareErr := r.compareChunk(ctx, t, chunk, began, scope.DryRun)
		actions = append(actions, found...)
		err = errors.Join(err, compareErr)
		if ctx.Err() != nil {
			break
		}
	}
	// The cursor passes only what is accounted for: all of it was listed and is stored.
	if err != nil || scope.DryRun || !scope.From.IsZero() || !scope.To.IsZero() {
		return actions, err
	}
	return actions, r.deps.Store.Update(ctx, "syncer: cursor", func(x store.Session) error { return store.SetCursor(ctx, x, t.ID, began) })
}

// list reads what Zoom lists of a teacher between two dates, each meeting once. With an error
// come the meetings that were listed before it.
func (r *Reconciler) list(ctx context.Context, t store.Teacher, from, to time.Time) (listed []zoom.Meeting, err error) {
	seen := map[string]bool{}
	unnamed := 0
	err = r.deps.Zoom.List(ctx, t.ZoomAccount(), from, to, func(m zoom.Meeting) error {
		switch {
		case m.UUID == "":
			unnamed++
		case !seen[m.UUID]:
			seen[m.UUID] = true
			listed = append(listed, m)
		}
		return nil
	})
	if err == nil && unnamed > 0 {
		err = &media.Error{Kind: media.Corrupt, Op: "syncer: list recordings", Reason: zoom.ReasonNoList, Err: fmt.Errorf("%d of the listed meetings have no uuid", unnamed)}
	}
	return listed, err
}

// compareChunk compares meetings, for which Zoom was asked at a moment, in one transaction. When that fails, each of them is
// compared by itself, so that a meeting that cannot be stored takes no other with it.
func (r *Reconciler) compareChunk(ctx context.Context, t store.Teacher, chunk []zoom.Meeting, asked time.Time, dryRun bool) ([]Action, error) {
	actions, err := r.compareMeetings(ctx, t, chunk, asked, dryRun)
	if kind := media.KindOf(err); err == nil || len(chunk) == 1 || kind == media.Unavailable || kind == media.Timeout || ctx.Err() != nil {
		return actions, err
	}
	actions, err = nil, nil
	for _, m := range chunk {
		found, compareErr := r.compareMeetings(ctx, t, []zoom.Meeting{m}, asked, dryRun)
		actions = append(actions, found...)
		if compareErr != nil {
			err = errors.Join(err, fmt.Errorf("meeting %s: %w", m.UUID, compareErr))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return actions, err
}

// conflictTries is how often meetings are compared where other transactions, as that of a
// publication, are in the way.
const conflictTries = 3

// compareMeetings stores what Zoom lists of some meetings and requests what is missing.
func (r *Reconciler) compareMeetings(ctx context.Context, t store.Teacher, listed []zoom.Meeting, asked time.Time, dryRun bool) (actions []Action, err error) {
	for range conflictTries {
		actions, err = r.tryCompareMeetings(ctx, t, listed, asked, dryRun)
		if !catalog.IsConflict(err) {
			break
		}
	}
	return actions, err
}

func (r *Reconciler) tryCompareMeetings(ctx context.Context, t store.Teacher, listed []zoom.Meeting, asked time.Time, dryRun bool) (actions []Action, err error) {
	err = r.deps.Store.Update(ctx, "syncer: compare meetings", func(x store.Session) error {
		lessons, err := store.LessonsOfTeacher(ctx, x, t.ID)
		if err != nil {
			return err
		}
		for _, m := range listed {
			action, err := r.compareMeeting(ctx, x, t, m, asked, lessons)
			if err != nil {
				return err
			}
			if action.What != "" {
				actions = append(actions, action)
			}
		}
		if dryRun {
			return catalog.ErrDryRun
		}
		return nil
	})
	return actions, err
}

func (r *Reconciler) compareMeeting(ctx context.Context, x store.Session, t store.Teacher, listed zoom.Meeting, asked time.Time, lessons []store.Lesson) (Action, error) {
	known, lesson, note, err := r.StoreMeeting(ctx, x, t, listed, asked, lessons)
	if err != nil {
		return Action{}, err
	}
	if lesson.ID == 0 {
		if !known.HasMedia() {
			return Action{}, nil
		}
		return Action{Meeting: known.UUID, What: ActionWait, Why: note}, nil
	}
	return r.requestMissing(ctx, x, lesson, known)
}

// StoreMeeting stores a meeting that Zoom, asked at a moment, lists for a teacher and matches it with one of the
// teacher's lessons. The lesson's ID is 0 where none matches; note says why.
func (r *Reconciler) StoreMeeting(ctx context.Context, x store.Session, t store.Teacher, listed zoom.Meeting, asked time.Time, lessons []store.Lesson) (known store.Meeting, lesson store.Lesson, note string, err error) {
	if listed.AccountID == "" {
		listed.AccountID = t.AccountID
	}
	fresh := store.MeetingFromZoom(listed, t.ID, "")
	if err := store.PutMeeting(ctx, x, fresh, r.now()); err != nil {
		return known, lesson, "", err
	}
	if known, err = store.LoadMeeting(ctx, x, fresh.UUID); err != nil {
		return known, lesson, "", err
	}
	// What is listed is there, whatever a late event said, and even if it was trashed.
	for _, f := range known.Files {
		if (!f.GoneAt.IsZero() || !f.TrashedAt.IsZero()) && slices.ContainsFunc(fresh.Files, func(l store.File) bool { return l.ID == f.ID }) {
			if err := store.MarkListed(ctx, x, known.UUID, []string{f.ID}, asked); err != nil {
				return known, lesson, "", err
			}
		}
	}
	if known.LessonID != 0 {
		lesson, note, err = r.cfg.Match.Match(ctx, x, known, r.now())
	} else {
		lesson, note, err = r.cfg.Match.MatchAmong(ctx, x, known, lessons, r.now())
	}
	return known, lesson, note, err
}

// RequestStored requests the recording of a stored meeting when something of it is not
// archived, and says what; "" means that there was nothing new. One of the past that matches
// no lesson is archived as its teacher's own, unless such meetings wait.
func (r *Reconciler) RequestStored(ctx context.Context, x store.Session, m store.Meeting) (why string, err error) {
	action := Action{}
	switch {
	case m.LessonID != 0:
		action, err = r.requestMissing(ctx, x, store.Lesson{ID: m.LessonID}, m)
	case r.cfg.ArchiveUnmatched && !m.RecordingOff() && r.now().Sub(m.Began()) > r.cfg.UnmatchedAfter:
		action, err = r.requestOwn(ctx, x, m)
	}
	return action.Why, err
}

// requestMissing requests a lesson's recording when something of it is not archived;
// the zero Action says that there was nothing new.
func (r *Reconciler) requestMissing(ctx context.Context, x store.Session, lesson store.Lesson, m store.Meeting) (Action, error) {
	if m.Separate {
		return r.requestOwn(ctx, x, m)
	}
	why, err := r.deps.Ingests.RequestMissing(ctx, x, lesson.ID)
	if err != nil || why == "" {
		return Action{}, err
	}
	return Action{Lesson: lesson.ID, Meeting: m.UUID, What: ActionArchive, Why: why}, nil
}

// requestOwn requests the recording of a meeting that is its teacher's own, or one beside
// the lesson's, when something of it is not archived.
func (r *Reconciler) requestOwn(ctx context.Context, x store.Session, m store.Meeting) (Action, error) {
	why, err := r.deps.Ingests.RequestMissingOwn(ctx, x, m)
	if err != nil || why == "" {
		return Action{}, err
	}
	return Action{Meeting: m.UUID, What: ActionArchive, Why: why}, nil
}
