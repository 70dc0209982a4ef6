package syncer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

var (
	// errGone ends an ingest whose recording was taken away at Zoom meanwhile.
	errGone = &media.Error{Kind: media.NotFound, Op: "syncer: ingest", Reason: reasonGone, Err: errors.New("the recording was trashed at Zoom")}
	// errTaken ends the work of one who was taken for dead.
	errTaken = errors.New("another syncer has taken over")
	// errCut ends work while the database cannot be asked whether it is still ours.
	errCut = &media.Error{Kind: media.Unavailable, Op: "syncer: ingest", Err: errors.New("the database cannot be reached")}
)

// workIngest brings one lesson's recording into the archive, from wherever an
// earlier try has left it.
func (s *Syncer) workIngest(ctx context.Context, job *river.Job[ingestArgs]) error {
	owner := s.claims.begin()
	defer s.claims.end(owner)
	claimed, wait, err := s.claim(ctx, job.Args.IngestID, owner)
	if err != nil || claimed.ID == 0 {
		if wait > 0 {
			return river.JobSnooze(wait)
		}
		return err
	}
	work := &ingest{s: s, row: claimed, owner: owner, log: s.log.With(slog.Int64("lesson", claimed.LessonID), slog.Int64("ingest", claimed.ID))}
	held, err := s.space.hold(claimed.ID)
	switch {
	case errors.Is(err, errBusy):
		// Its last worker is clearing up, or was taken for dead and does not know it yet.
		err = &notYet{s.now().Add(busyWait), err.Error()}
	case err != nil:
		err = failedAt(atDisk, err)
	default:
		defer held.release()
		work.held = held
		err = work.run(ctx)
	}
	return work.finish(ctx, job, err)
}

// ingest is the work on one lesson's recording.
type ingest struct {
	s       *Syncer
	row     store.Ingest
	log     *slog.Logger
	lesson  store.Lesson
	teacher store.Teacher
	plan    plan
	began   time.Time
	owner   string // this claim's, as the ledger has it while it holds
	held    *hold
	// archived says that this run has put something into the archive.
	archived bool
}

// notYet ends a run that has to wait for a moment.
type notYet struct {
	until time.Time
	why   string
}

func (n *notYet) Error() string { return n.why }

// run is the story of an ingest.
func (w *ingest) run(ctx context.Context) error {
	w.began = w.s.now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := w.look(ctx); err != nil {
		return cause(ctx, err)
	}
	if len(w.plan.parts) == 0 || slices.Equal(w.plan.names(), w.row.Parts()) {
		return nil // nothing recorded, or all of it archived
	}
	done, err := w.adopt(ctx)
	if err != nil || done {
		return cause(ctx, err)
	}
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		w.watch(ctx, cancel)
	}()
	defer func() { cancel(nil); <-watching }()
	if err := w.reserve(ctx); err != nil {
		return cause(ctx, err)
	}
	defer w.s.space.give(w.row.ID)
	made, err := w.make(ctx)
	if err != nil {
		return cause(ctx, err)
	}
	stored, err := w.put(ctx, made)
	if err != nil {
		return cause(ctx, err)
	}
	return cause(ctx, w.publish(ctx, made, stored))
}

// cause is why a context ended, when that is why err came.
func cause(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if reason := context.Cause(ctx); reason != nil && !errors.Is(reason, context.Canceled) {
		return reason
	}
	return err
}

// look finds out what there is to archive, from the ledger and from Zoom.
func (w *ingest) look(ctx context.Context) error {
	var meetings []store.Meeting
	err := w.s.deps.Store.View(ctx, "syncer: look at an ingest", func(x store.Session) (err error) {
		if w.lesson, err = store.LoadLesson(ctx, x, w.row.LessonID); err != nil {
			return err
		}
		if w.teacher, err = store.LoadTeacher(ctx, x, w.lesson.TeacherID); err != nil {
			return err
		}
		meetings, err = store.MeetingsOf(ctx, x, w.row.LessonID)
		return err
	})
	if err != nil {
		return err
	}
	w.row.TeacherID = w.lesson.TeacherID
	for _, m := range meetings {
		if err := w.refresh(ctx, m); err != nil {
			return err
		}
	}
	err = w.s.deps.Store.View(ctx, "syncer: look at an ingest", func(x store.Session) (err error) {
		meetings, err = store.MeetingsOf(ctx, x, w.row.LessonID)
		return err
	})
	if err != nil {
		return err
	}
	now := w.s.now()
	w.plan = makePlan(meetings, w.s.cfg.Settle, now)
	switch {
	case w.plan.gone && !w.row.Archived():
		return errGone
	case w.plan.processing:
		return &notYet{now.Add(max(w.s.cfg.Settle, 30*time.Second)), "Zoom is still processing a segment"}
	case len(w.plan.parts) > 0 && w.plan.settled.After(now) && !slices.Equal(w.plan.names(), w.row.Parts()):
		return &notYet{w.plan.settled, "its segments have not settled"}
	}
	return nil
}

// account is the Zoom app through which a meeting is reached: that of the teacher it
// was found with, else the lesson's.
func (w *ingest) account(ctx context.Context, m store.Meeting) zoom.Account {
	t := w.teacher
	if m.TeacherID != 0 && m.TeacherID != t.ID {
		_ = w.s.deps.Store.View(ctx, "syncer: a meeting's teacher", func(x store.Session) error {
			other, err := store.LoadTeacher(ctx, x, m.TeacherID)
			if err == nil && other.AccountID != "" && other.ClientID != "" && other.ClientSecret != "" {
				t = other
			}
			return err
		})
	}
	return teacherAccount(t.AccountID, t.ClientID, t.ClientSecret, t.ZoomUserID)
}

// refresh asks Zoom about a meeting. What a webhook said is not all: it may be old,
// and names one file where there are three. Where Zoom cannot be asked, what the
// webhook said has to do.
func (w *ingest) refresh(ctx context.Context, m store.Meeting) error {
	account := w.account(ctx, m)
	if !account.Complete() {
		if m.SealedToken == "" {
			return failedAt(atZoom, &media.Error{Kind: media.Denied, Op: "syncer: ingest", Reason: zoom.ReasonCredentials, Err: errors.New("the teacher's Zoom credentials are not complete")})
		}
		return nil
	}
	got, err := w.s.deps.Zoom.Recordings(ctx, account, m.UUID)
	switch {
	case err == nil:
	case zoom.ReasonOf(err) == zoom.ReasonNoRecording:
		// Nothing is listed: trashed, deleted, or by us, once it was archived.
		return w.s.deps.Store.Update(ctx, "syncer: gone at Zoom", func(x store.Session) error {
			return w.markUnlisted(ctx, x, m, nil)
		})
	case media.KindOf(err) == media.Canceled, m.SealedToken == "" || len(m.Files) == 0:
		return failedAt(atZoom, err)
	default:
		w.log.Warn("Zoom cannot be asked about a meeting, its webhook has to do", slog.Any("error", err))
		return nil
	}
	fresh := meetingOf(got, 0, w.s.tokens.close(got.DownloadToken, downloadPurpose))
	fresh.UUID = m.UUID
	return w.s.deps.Store.Update(ctx, "syncer: what Zoom says", func(x store.Session) error {
		if err := store.PutMeeting(ctx, x, fresh, w.s.now()); err != nil {
			return err
		}
		listed := map[string]bool{}
		for _, f := range fresh.Files {
			listed[f.ID] = true
			if f.ID != "" {
				if err := store.MarkGone(ctx, x, m.UUID, []string{f.ID}, time.Time{}); err != nil {
					return err
				}
			}
		}
		return w.markUnlisted(ctx, x, m, listed)
	})
}

// markUnlisted notes which known files Zoom no longer lists.
func (w *ingest) markUnlisted(ctx context.Context, x store.Session, m store.Meeting, listed map[string]bool) error {
	for _, f := range m.Files {
		if !listed[f.ID] && f.GoneAt.IsZero() {
			if err := store.MarkGone(ctx, x, m.UUID, []string{f.ID}, w.s.now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// save writes the ingest and a line of its story; not being the owner any more is an
// error.
func (w *ingest) save(ctx context.Context, x store.Session, what, detail string) error {
	ok, err := store.SaveIngest(ctx, x, w.row, w.owner, w.s.now())
	if err != nil {
		return err
	}
	if !ok {
		return errTaken
	}
	if what == "" {
		return nil
	}
	return store.AppendHistory(ctx, x, store.HistoryEntry{At: w.s.now(), IngestID: w.row.ID, RecordingID: w.row.RecordingID, What: what, Detail: detail})
}

// watch ends the work when Zoom's copy is taken away, when somebody else has taken
// over, or when nobody can say any more.
func (w *ingest) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	heard := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var (
			row      store.Ingest
			meetings []store.Meeting
		)
		asking, stop := context.WithTimeout(ctx, 5*time.Second)
		err := w.s.deps.Store.View(asking, "syncer: watch an ingest", func(x store.Session) (err error) {
			if row, err = store.LoadIngest(asking, x, w.row.ID, false); err != nil {
				return err
			}
			meetings, err = store.MeetingsOf(asking, x, row.LessonID)
			return err
		})
		stop()
		switch {
		case err != nil && time.Since(heard) > fenceAfter:
			cancel(errCut)
			return
		case err != nil:
			continue
		case row.Lease != w.owner:
			cancel(errTaken)
			return
		}
		heard = time.Now()
		for _, m := range meetings {
			for _, f := range m.Files {
				if f.ArchivedAt.IsZero() && !f.GoneAt.IsZero() && slices.Contains(w.plan.names(), m.UUID+"/"+f.ID) {
					cancel(errGone)
					return
				}
			}
		}
	}
}

// reserve promises the teacher's quota and the disk before a byte is fetched.
func (w *ingest) reserve(ctx context.Context) error {
	size := w.plan.size()
	var quota store.Quota
	ok := false
	err := w.s.deps.Store.Update(ctx, "syncer: reserve quota", func(x store.Session) (err error) {
		ok, quota, err = store.Reserve(ctx, x, w.row.RecordingID, w.lesson.TeacherID, size, w.s.now())
		return err
	})
	if err != nil {
		return err
	}
	if !ok {
		w.row.Need = size
		return &media.Error{Kind: media.Quota, Op: "syncer: ingest", Reason: reasonQuota,
			Err: fmt.Errorf("%s are needed, and of %s the teacher has used %s", media.Size(size), media.Size(quota.Total), media.Size(quota.Used))}
	}
	// The parts, what is made of them, and what is encoded of that.
	return failedAt(atDisk, w.s.space.take(w.row.ID, 2*size+(1<<20)))
}
