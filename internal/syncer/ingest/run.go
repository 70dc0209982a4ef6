package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
	"github.com/lectiospace/lectern/internal/zoom"
)

var (
	// errGone ends a run whose recording was removed at Zoom meanwhile.
	errGone = &media.Error{Kind: media.NotFound, Op: "syncer: ingest", Reason: store.ReasonGoneAtZoom, Err: errors.New("the recording was trashed at Zoom")}
	// errUnlisted ends a run one of whose parts Zoom does not list, not yet or not any more.
	errUnlisted = &media.Error{Kind: media.Unavailable, Op: "syncer: ingest", Err: errors.New("Zoom does not list the recording, not yet or not any more")}
	// errLeaseLost ends the run of a syncer that was taken for dead.
	errLeaseLost = errors.New("another run has taken the lease")
	// errFenced ends a run while the database cannot say whether it still has its lease.
	errFenced = &media.Error{Kind: media.Unavailable, Op: "syncer: ingest", Err: errors.New("the database cannot be reached")}
)

// FenceAfter is how long a run continues while the database cannot confirm its lease.
// Other syncers must not take it over sooner than that.
const FenceAfter = 20 * time.Second

// busyWait is how long an ingest waits for its work directory.
const busyWait = time.Second

// runJob runs an ingest from wherever an earlier run has ended.
func (s *Ingester) runJob(ctx context.Context, job *queue.Job[queue.IngestArgs]) error {
	lease := s.leases.begin()
	defer s.leases.end(lease)
	leased, wait, err := s.takeLease(ctx, job.Args.IngestID, lease)
	if err != nil || leased.ID == 0 {
		if wait > 0 {
			return queue.Snooze(wait)
		}
		return err
	}
	r := &run{s: s, row: leased, lease: lease, bad: map[string]bool{}, log: s.log.With(slog.Int64("lesson", leased.LessonID), slog.Int64("ingest", leased.ID))}
	lock, err := s.work.Lock(workJob(leased.ID))
	switch {
	case errors.Is(err, workdir.ErrBusy):
		// Its last run is clearing up, or was taken for dead and does not know it yet.
		err = &notYet{s.now().Add(busyWait), err.Error()}
	case err != nil:
		err = failedAt(atDisk, err)
	default:
		defer lock.Release()
		r.lock = lock
		traced, span := beginTrace(ctx, leased)
		err = r.do(traced)
		r.endTrace(span, err)
	}
	return r.finish(ctx, job, err)
}

// run is one run of an ingest. It belongs to one goroutine; watch reads only s, row.ID,
// lease and watched.
type run struct {
	s       *Ingester
	row     store.Ingest // as last saved
	log     *slog.Logger
	lesson  store.Lesson
	teacher store.Teacher
	plan    plan
	// watched are the names of the parts that watch looks after.
	watched atomic.Pointer[[]string]
	// bad are the files that this run has given up.
	bad   map[string]bool
	began time.Time
	lease string
	lock  *workdir.Lock
	// parts are archived beside the recording, or are being uploaded.
	parts []store.RecordingFile
	// texts are the archived transcripts and live captions of the recording.
	texts []store.RecordingFile
	// apartWhy is why this run has not joined the parts.
	apartWhy string
	// archived says that this run has put something into the archive.
	archived bool
}

// notYet ends a run that has to wait for a moment.
type notYet struct {
	until time.Time
	why   string
}

func (n *notYet) Error() string { return n.why }

// do runs an ingest, step by step. nil means that there is nothing left to do.
func (r *run) do(ctx context.Context) error {
	r.began = r.s.now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := r.load(ctx); err != nil {
		return causeOf(ctx, err)
	}
	r.watched.Store(&[]string{})
	watching, id := make(chan struct{}), r.row.ID // the row changes while it is watched
	go func() {
		defer close(watching)
		r.watch(ctx, cancel, id)
	}()
	defer func() { cancel(nil); <-watching }()
	if r.s.deps.Observer.On() {
		return causeOf(ctx, r.observe(ctx))
	}
	if r.row.OriginalKey != "" { // an earlier run ended before its last step
		if err := r.finishVersion(ctx, ""); err != nil {
			return causeOf(ctx, err)
		}
	}
	if err := r.prepare(ctx); err != nil {
		return causeOf(ctx, err)
	}
	if r.nothingLeft() {
		return causeOf(ctx, r.finishVersion(ctx, ""))
	}
	done, err := r.ensureRecordingRow(ctx)
	if err != nil {
		return causeOf(ctx, err)
	}
	if done {
		return causeOf(ctx, r.finishVersion(ctx, ""))
	}
	if err := r.reserve(ctx); err != nil {
		return causeOf(ctx, err)
	}
	defer r.s.work.Unreserve(workJob(r.row.ID))
	made, err := r.build(ctx)
	if err == nil && made.nothing() {
		err = r.finishVersion(ctx, "")
	}
	if err != nil || made.nothing() {
		return causeOf(ctx, err)
	}
	if err := r.uploadApart(ctx, &made); err != nil {
		return causeOf(ctx, err)
	}
	var stored archive.Stored
	if made.path != "" {
		if stored, err = r.upload(ctx, made); err != nil {
			return causeOf(ctx, err)
		}
	}
	err = step(ctx, "publish", func(ctx context.Context) error { return r.publish(ctx, made, stored) })
	if err != nil {
		return causeOf(ctx, err)
	}
	if err := r.finishVersion(ctx, made.path); err != nil {
		return causeOf(ctx, err)
	}
	if made.path != "" {
		r.s.deps.Derived.Keep(r.row.RecordingID, made.path, made.md5)
	}
	return nil
}

// causeOf is why a context was canceled, where that is why err came.
func causeOf(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if reason := context.Cause(ctx); reason != nil && !errors.Is(reason, context.Canceled) {
		return reason
	}
	return err
}

// update changes the ingest's row in a transaction, together with what f does. The
// run keeps the changed row only when the transaction commits. errLeaseLost: another
// run has the lease.
func (r *run) update(ctx context.Context, op string, f func(x store.Session, i *store.Ingest) error) error {
	var next store.Ingest
	err := r.s.deps.Store.Update(ctx, op, func(x store.Session) error {
		next = r.row
		if err := f(x, &next); err != nil {
			return err
		}
		ok, err := store.SaveIngest(ctx, x, next, r.lease, r.s.now())
		if err == nil && !ok {
			return errLeaseLost
		}
		return err
	})
	if err == nil {
		r.row = next
	}
	return err
}

// history appends an entry about an ingest to the history.
func (r *run) history(ctx context.Context, x store.Session, i *store.Ingest, what, detail string) error {
	return store.AppendHistory(ctx, x, store.HistoryEntry{At: r.s.now(), IngestID: i.ID, RecordingID: i.RecordingID, What: what, Detail: detail})
}

// load loads the lesson and its teacher.
func (r *run) load(ctx context.Context) error {
	err := r.s.deps.Store.View(ctx, "syncer: load an ingest", func(x store.Session) (err error) {
		if r.lesson, err = store.LessonOfIngest(ctx, x, r.row); err != nil {
			return err
		}
		r.teacher, err = store.LoadTeacher(ctx, x, r.lesson.TeacherID)
		return err
	})
	if err == nil {
		r.row.TeacherID = r.lesson.TeacherID
	}
	return err
}

// prepare refreshes what is known of the meetings at Zoom, and plans.
func (r *run) prepare(ctx context.Context) error {
	var meetings []store.Meeting
	err := r.s.deps.Store.View(ctx, "syncer: load an ingest's meetings", func(x store.Session) (err error) {
		meetings, err = store.MeetingsOfIngest(ctx, x, r.row)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range meetings {
		if err := r.refresh(ctx, m); err != nil {
			return err
		}
	}
	return r.choose(ctx)
}

// nothingLeft reports whether nothing was recorded, or all that can be is archived.
func (r *run) nothingLeft() bool {
	return len(r.plan.parts) == 0 || r.s.isComplete(r.plan, r.row, r.parts)
}

// choose plans with what is known now. An error says why nothing can be archived yet,
// or at all.
func (r *run) choose(ctx context.Context) error {
	var meetings []store.Meeting
	err := r.s.deps.Store.View(ctx, "syncer: load an ingest", func(x store.Session) (err error) {
		if r.parts, err = store.RecordingParts(ctx, x, r.row.RecordingID); err != nil {
			return err
		}
		meetings, err = store.MeetingsOfIngest(ctx, x, r.row)
		return err
	})
	if err != nil {
		return err
	}
	if meetings, err = r.rematch(ctx, meetings); err != nil {
		return err
	}
	now := r.s.now()
	for _, m := range meetings {
		for i := range m.Files {
			if f := &m.Files[i]; r.bad[f.Name()] {
				f.Fault.RetryAt = latest(f.Fault.RetryAt, now.Add(time.Second))
			}
		}
	}
	r.plan = makePlan(meetings, archivedNames(r.row, r.parts), r.s.cfg.Settle, now)
	names := r.plan.names()
	r.watched.Store(&names)
	switch {
	case r.plan.gone && !r.row.Archived():
		return errGone
	case len(names) == 0 && len(r.plan.elsewhere) > 0 && len(r.row.Parts()) == 0:
		return &media.Error{Kind: media.NotFound, Op: "syncer: ingest", Reason: store.ReasonGoneAtZoom,
			Err: fmt.Errorf("%s: archived with another recording, and no longer at Zoom", r.plan.elsewhere[0].Name())}
	case len(r.plan.lacking) > 0 && !r.nothingLeft():
		return &media.Error{Kind: media.Invalid, Op: "syncer: ingest",
			Err: fmt.Errorf("the recording has parts that none of its meetings has any more, and is not replaced without them: %s", strings.Join(r.plan.lacking, ", "))}
	case r.plan.unlisted:
		return errUnlisted
	case r.plan.processing:
		return &notYet{now.Add(max(r.s.cfg.Settle, 30*time.Second)), "Zoom is still processing a segment"}
	case len(names) == 0 && len(r.plan.missing) > 0 && !r.row.Archived():
		f := r.plan.missing[0]
		return &partFault{file: f, reason: reasonOfFault(f.Fault), err: errors.New(f.Fault.Detail)}
	case len(names) > 0 && r.plan.settled.After(now) && !r.nothingLeft():
		return &notYet{r.plan.settled, "its segments have not settled"}
	}
	return nil
}

// refresh asks Zoom about a meeting: a webhook may be old, and names one file where
// there are three. Where Zoom cannot be asked, what the webhook said has to do.
func (r *run) refresh(ctx context.Context, m store.Meeting) error {
	account := r.s.accountOf(ctx, m, r.teacher)
	if !account.Complete() {
		if m.SealedToken == "" {
			return failedAt(atZoom, errNoCredentials("syncer: ingest"))
		}
		return nil
	}
	asked := r.s.now()
	got, err := r.s.deps.Zoom.Recordings(ctx, account, m.UUID)
	switch {
	case err == nil:
	case zoom.ClassOf(err) == zoom.ClassAbsent && !m.HasMedia() && r.s.now().Sub(m.FirstSeen) < unlistedFor:
		return errUnlisted
	case zoom.ClassOf(err) == zoom.ClassAbsent:
		// Not listed yet; trashed or deleted by others; or by us, once it was archived.
		return r.s.deps.Store.Update(ctx, "syncer: not listed at Zoom", func(x store.Session) error {
			return r.markUnlisted(ctx, x, m, nil)
		})
	case media.KindOf(err) == media.Canceled, m.SealedToken == "" || len(m.Files) == 0:
		return failedAt(atZoom, err)
	default:
		r.log.Warn("ingest: meeting not refreshed, its webhook has to do", slog.Any("error", err))
		return nil
	}
	fresh := r.s.meetingFromZoom(got, m.UUID)
	return r.s.deps.Store.Update(ctx, "syncer: refresh a meeting", func(x store.Session) error {
		if err := store.PutMeeting(ctx, x, fresh, r.s.now()); err != nil {
			return err
		}
		listed := map[string]bool{}
		for _, f := range fresh.Files {
			listed[f.ID] = true
			if err := store.MarkListed(ctx, x, m.UUID, []string{f.ID}, asked); err != nil {
				return err
			}
		}
		return r.markUnlisted(ctx, x, m, listed)
	})
}

// markUnlisted notes which known files Zoom no longer lists.
func (r *run) markUnlisted(ctx context.Context, x store.Session, m store.Meeting, listed map[string]bool) error {
	for _, f := range m.Files {
		if !listed[f.ID] && f.GoneAt.IsZero() {
			if err := store.MarkUnlisted(ctx, x, m.UUID, f.ID, r.s.now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// meetingFromZoom is a meeting as the API shows it, with its links and its sealed token.
func (s *Ingester) meetingFromZoom(got zoom.Meeting, uuid string) store.Meeting {
	got.UUID = uuid
	return store.MeetingFromZoom(got, 0, s.deps.Tokens.Seal(got.DownloadToken, DownloadTokenPurpose))
}

// accountOf is the Zoom app through which a meeting is reached: that of the teacher it
// was found with, where it is complete, else the lesson's teacher's.
func (s *Ingester) accountOf(ctx context.Context, m store.Meeting, lessonTeacher store.Teacher) zoom.Account {
	t := lessonTeacher
	if m.TeacherID != 0 && m.TeacherID != t.ID {
		_ = s.deps.Store.View(ctx, "syncer: a meeting's teacher", func(x store.Session) error {
			other, err := store.LoadTeacher(ctx, x, m.TeacherID)
			if err == nil && other.ZoomAccount().Complete() {
				t = other
			}
			return err
		})
	}
	return t.ZoomAccount()
}

func errNoCredentials(op string) error {
	return &media.Error{Kind: media.Denied, Op: op, Reason: zoom.ReasonCredentials, Err: errors.New("the teacher's Zoom credentials are not complete")}
}

// watch cancels the run when Zoom's copy is removed, when another run has the lease,
// or when the database has not confirmed the lease for FenceAfter.
func (r *run) watch(ctx context.Context, cancel context.CancelCauseFunc, id int64) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	confirmed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		row, meetings, err := r.loadWatched(ctx, id)
		switch {
		case err != nil && time.Since(confirmed) > FenceAfter:
			cancel(errFenced)
			return
		case err != nil:
			continue
		case row.Lease != r.lease:
			cancel(errLeaseLost)
			return
		case lostAtZoom(*r.watched.Load(), meetings):
			cancel(errGone)
			return
		case movedAway(*r.watched.Load(), meetings):
			cancel(r.planAgain())
			return
		}
		confirmed = time.Now()
	}
}

// loadWatched loads what watch looks at.
func (r *run) loadWatched(ctx context.Context, id int64) (row store.Ingest, meetings []store.Meeting, err error) {
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	err = r.s.deps.Store.View(ctx, "syncer: watch an ingest", func(x store.Session) (err error) {
		if row, err = store.LoadIngest(ctx, x, id, false); err != nil {
			return err
		}
		meetings, err = store.MeetingsOfIngest(ctx, x, row)
		return err
	})
	return row, meetings, err
}

// reserve reserves the teacher's quota and room in the work directory before a byte is
// fetched.
func (r *run) reserve(ctx context.Context) error {
	size := r.plan.size()
	var quota store.Quota
	ok := false
	err := r.s.deps.Store.Update(ctx, "syncer: reserve quota", func(x store.Session) (err error) {
		ok, quota, err = store.Reserve(ctx, x, r.row.RecordingID, r.lesson.TeacherID, size, r.s.now())
		return err
	})
	if err != nil {
		return err
	}
	if !ok {
		r.row.Need = size
		return &media.Error{Kind: media.Quota, Op: "syncer: ingest", Reason: store.ReasonQuota,
			Err: fmt.Errorf("%s are needed, and of %s the teacher has used %s", media.Size(size), media.Size(quota.Total), media.Size(quota.Used))}
	}
	// The parts, what is made of them, and what is encoded of that or replaces it.
	return failedAt(atDisk, r.s.work.Reserve(workJob(r.row.ID), 3*size+(1<<20)))
}
