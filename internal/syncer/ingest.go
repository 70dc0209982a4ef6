package syncer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/ledger"
	"github.com/lectiospace/lectern/internal/media"
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

// busyWait is how long an ingest waits for its folder.
const busyWait = time.Second

// claims are the claims on ingests that workers of this process hold. What the ledger
// has beyond them is of a run whose end could not be written down: the database was
// away.
type claims struct {
	syncer string

	mu   sync.Mutex
	last int64           // guarded by mu
	live map[string]bool // guarded by mu
}

func newClaims(syncer string) *claims { return &claims{syncer: syncer, live: map[string]bool{}} }

func (c *claims) begin() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	name := fmt.Sprintf("%s#%d", c.syncer, c.last)
	c.live[name] = true
	return name
}

func (c *claims) end(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.live, name)
}

func (c *claims) lapsed(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.HasPrefix(name, c.syncer+"#") && !c.live[name]
}

// claim makes this syncer the owner. Without one (ID 0) there is nothing to do, or
// nothing yet: wait says when.
func (s *Syncer) claim(ctx context.Context, id int64, owner string) (i ledger.Ingest, wait time.Duration, err error) {
	err = s.deps.Store.Update(ctx, "syncer: claim an ingest", func(x ledger.Session) error {
		row, err := ledger.LoadIngest(ctx, x, id, true)
		switch {
		case catalog.IsNotFound(err):
			return nil
		case err != nil:
			return err
		case row.State == ledger.Removed, row.LessonID == 0:
			return nil
		case row.Owner != "" && !s.claims.lapsed(row.Owner):
			wait = 2 * time.Second // until its owner ends, or counts as dead
			return nil
		}
		before := row.Owner
		row.Owner = owner
		row.Attempts++
		if row.State == ledger.Failed { // somebody asked for another try
			row.Attempts, row.FailingSince = 1, time.Time{}
		}
		if row.State != ledger.Done {
			row.State = ledger.Working
		}
		ok, err := ledger.Save(ctx, x, row, before, s.now())
		if ok {
			i = row
		}
		return err
	})
	return i, wait, err
}

// ingest is the work on one lesson's recording.
type ingest struct {
	s       *Syncer
	row     ledger.Ingest
	log     *slog.Logger
	lesson  ledger.Lesson
	teacher ledger.Teacher
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
	var meetings []ledger.Meeting
	err := w.s.deps.Store.View(ctx, "syncer: look at an ingest", func(x ledger.Session) (err error) {
		if w.lesson, err = ledger.LoadLesson(ctx, x, w.row.LessonID); err != nil {
			return err
		}
		if w.teacher, err = ledger.LoadTeacher(ctx, x, w.lesson.TeacherID); err != nil {
			return err
		}
		meetings, err = ledger.MeetingsOf(ctx, x, w.row.LessonID)
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
	err = w.s.deps.Store.View(ctx, "syncer: look at an ingest", func(x ledger.Session) (err error) {
		meetings, err = ledger.MeetingsOf(ctx, x, w.row.LessonID)
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
func (w *ingest) account(ctx context.Context, m ledger.Meeting) zoom.Account {
	t := w.teacher
	if m.TeacherID != 0 && m.TeacherID != t.ID {
		_ = w.s.deps.Store.View(ctx, "syncer: a meeting's teacher", func(x ledger.Session) error {
			other, err := ledger.LoadTeacher(ctx, x, m.TeacherID)
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
func (w *ingest) refresh(ctx context.Context, m ledger.Meeting) error {
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
		return w.s.deps.Store.Update(ctx, "syncer: gone at Zoom", func(x ledger.Session) error {
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
	return w.s.deps.Store.Update(ctx, "syncer: what Zoom says", func(x ledger.Session) error {
		if err := ledger.PutMeeting(ctx, x, fresh, w.s.now()); err != nil {
			return err
		}
		listed := map[string]bool{}
		for _, f := range fresh.Files {
			listed[f.ID] = true
			if f.ID != "" {
				if err := ledger.MarkGone(ctx, x, m.UUID, []string{f.ID}, time.Time{}); err != nil {
					return err
				}
			}
		}
		return w.markUnlisted(ctx, x, m, listed)
	})
}

// markUnlisted notes which known files Zoom no longer lists.
func (w *ingest) markUnlisted(ctx context.Context, x ledger.Session, m ledger.Meeting, listed map[string]bool) error {
	for _, f := range m.Files {
		if !listed[f.ID] && f.GoneAt.IsZero() {
			if err := ledger.MarkGone(ctx, x, m.UUID, []string{f.ID}, w.s.now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// adopt finds or makes the recording's row. done says that there is nothing to do
// after all: it was removed here, or archived by the platform.
func (w *ingest) adopt(ctx context.Context) (done bool, err error) {
	err = w.s.deps.Store.Update(ctx, "syncer: the recording's row", func(x ledger.Session) error {
		done = false
		rows, err := ledger.RecordingsOfLesson(ctx, x, w.row.LessonID)
		if err != nil {
			return err
		}
		meetings, err := ledger.MeetingsOf(ctx, x, w.row.LessonID)
		if err != nil {
			return err
		}
		row, found := chooseRow(rows, w.row, meetings)
		switch {
		case found && row.Deleted:
			w.row.State, done = ledger.Removed, true
			w.row.RecordingID = row.ID
			if err := ledger.Unreserve(ctx, x, row.ID, w.s.now()); err != nil {
				return err
			}
			return w.save(ctx, x, "removed here, it does not come back", "")
		case found && w.row.RecordingID == 0 && archivedElsewhere(row):
			w.row.State, w.row.RecordingID, w.row.ArchivedParts, done = ledger.Done, row.ID, strings.Join(w.plan.names(), "\n"), true
			return w.save(ctx, x, "archived already, by the platform", "")
		case found:
			w.row.RecordingID = row.ID
			listed, err := ledger.HasAudience(ctx, x, row.ID)
			if err != nil {
				return err
			}
			if !listed {
				visibility, err := w.s.applyPrivacy(ctx, x, row.ID, w.lesson)
				if err != nil {
					return err
				}
				if err := ledger.SetVisibility(ctx, x, row.ID, visibility, w.s.now()); err != nil {
					return err
				}
			}
			if row.Status != media.StatusReady && row.Status != media.StatusArchived {
				if err := ledger.SetStatus(ctx, x, row.ID, media.StatusProcessing, w.s.now()); err != nil {
					return err
				}
			}
		default:
			id, err := ledger.AddRecording(ctx, x, ledger.Recording{
				LessonID: w.row.LessonID, ZoomRecordingID: w.plan.zoomID(), View: w.plan.view, Provider: w.s.deps.Target.Provider(),
				Visibility: media.VisibleLessonGroup, Start: w.plan.start(), End: w.plan.end(),
			}, w.s.now())
			if err != nil {
				return err
			}
			visibility, err := w.s.applyPrivacy(ctx, x, id, w.lesson)
			if err != nil {
				return err
			}
			if err := ledger.SetVisibility(ctx, x, id, visibility, w.s.now()); err != nil {
				return err
			}
			w.row.RecordingID = id
		}
		return w.save(ctx, x, "taken up", fmt.Sprintf("%d part(s): %s", len(w.plan.parts), strings.Join(w.plan.names(), ", ")))
	})
	return done, err
}

// chooseRow finds the row that stands for Zoom's recording of the lesson: the one
// made before, one that names one of its files, or one that waits for a recording.
// Rows of other things (an upload, a soundtrack) are left alone. It is pure.
func chooseRow(rows []ledger.Recording, i ledger.Ingest, meetings []ledger.Meeting) (ledger.Recording, bool) {
	names := map[string]bool{}
	for _, m := range meetings {
		names["bundle_"+m.UUID], names["bundle_"+m.MeetingID] = true, true
		for _, f := range m.Files {
			if f.Type == "MP4" || i.LessonID != 0 && f.Type == "M4A" && f.View == "audio_only" {
				names[f.ID] = f.Type == "MP4" || names[f.ID]
			}
		}
	}
	var removed, waiting *ledger.Recording
	for n := range rows {
		r := &rows[n]
		switch {
		case i.RecordingID != 0 && r.ID == i.RecordingID:
			return *r, true
		case r.ZoomRecordingID != "" && names[r.ZoomRecordingID] && !r.Deleted:
			return *r, true
		case r.ZoomRecordingID != "" && names[r.ZoomRecordingID] && removed == nil:
			removed = r
		case !r.Deleted && waiting == nil && (r.Status == media.StatusProcessing || r.Status == media.StatusFailed) && r.Stored().Key == "",
			!r.Deleted && waiting == nil && r.Provider == media.ProviderZoom:
			waiting = r
		}
	}
	switch {
	case removed != nil:
		return *removed, true
	case waiting != nil:
		return *waiting, true
	default:
		return ledger.Recording{}, false
	}
}

// archivedElsewhere reports whether a row plays from an archive already.
func archivedElsewhere(r ledger.Recording) bool {
	return (r.Status == media.StatusReady || r.Status == media.StatusArchived) && r.Provider != media.ProviderZoom && r.Stored().Key != ""
}

// save writes the ingest and a line of its story; not being the owner any more is an
// error.
func (w *ingest) save(ctx context.Context, x ledger.Session, what, detail string) error {
	ok, err := ledger.Save(ctx, x, w.row, w.owner, w.s.now())
	if err != nil {
		return err
	}
	if !ok {
		return errTaken
	}
	if what == "" {
		return nil
	}
	return ledger.Tell(ctx, x, ledger.Line{At: w.s.now(), IngestID: w.row.ID, RecordingID: w.row.RecordingID, What: what, Detail: detail})
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
			row      ledger.Ingest
			meetings []ledger.Meeting
		)
		asking, stop := context.WithTimeout(ctx, 5*time.Second)
		err := w.s.deps.Store.View(asking, "syncer: watch an ingest", func(x ledger.Session) (err error) {
			if row, err = ledger.LoadIngest(asking, x, w.row.ID, false); err != nil {
				return err
			}
			meetings, err = ledger.MeetingsOf(asking, x, row.LessonID)
			return err
		})
		stop()
		switch {
		case err != nil && time.Since(heard) > fenceAfter:
			cancel(errCut)
			return
		case err != nil:
			continue
		case row.Owner != w.owner:
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
	var quota ledger.Quota
	ok := false
	err := w.s.deps.Store.Update(ctx, "syncer: reserve quota", func(x ledger.Session) (err error) {
		ok, quota, err = ledger.Reserve(ctx, x, w.row.RecordingID, w.lesson.TeacherID, size, w.s.now())
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

// finish writes down how a run ended and tells the queue.
func (w *ingest) finish(ctx context.Context, job *river.Job[ingestArgs], err error) error {
	shutdown := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	var later *notYet
	switch {
	case errors.Is(err, errTaken):
		w.log.Warn("another syncer has taken over")
		return nil
	case err == nil:
		return w.complete(ctx, job)
	case errors.As(err, &later):
		if saveErr := w.release(ctx, ledger.Waiting, false); saveErr != nil {
			return saveErr
		}
		return river.JobSnooze(max(later.until.Sub(w.s.now()), time.Second))
	case shutdown:
		// Not a fault: whoever comes next goes on.
		if saveErr := w.release(ctx, ledger.Waiting, false); saveErr != nil {
			return saveErr
		}
		return river.JobSnooze(0)
	default:
		return w.fail(ctx, err)
	}
}

// release gives the ingest up without an end.
func (w *ingest) release(ctx context.Context, state string, failing bool) error {
	return w.s.deps.Store.Update(ctx, "syncer: release an ingest", func(x ledger.Session) error {
		if w.row.State != ledger.Done {
			w.row.State = state
		}
		w.row.Owner = ""
		if !failing {
			w.row.Attempts = max(w.row.Attempts-1, 0)
		}
		_, err := ledger.Save(ctx, x, w.row, w.owner, w.s.now())
		return err
	})
}

// complete ends an ingest that has what there is, in one transaction with its job;
// when somebody asked for it meanwhile it goes round once more.
func (w *ingest) complete(ctx context.Context, job *river.Job[ingestArgs]) error {
	again := false
	err := w.s.deps.Store.Update(ctx, "syncer: complete an ingest", func(x ledger.Session) error {
		now, err := ledger.LoadIngest(ctx, x, w.row.ID, true)
		if err != nil {
			return err
		}
		again = now.Wanted != w.row.Wanted
		switch {
		case w.row.State == ledger.Removed:
		case w.row.Archived() || w.row.ArchivedParts != "":
			w.row.State = ledger.Done
		default:
			w.row.State = ledger.Waiting // nothing recorded yet
		}
		w.row.Owner, w.row.Attempts, w.row.FailingSince, w.row.Reason, w.row.Detail = "", 0, time.Time{}, "", ""
		if ok, err := ledger.Save(ctx, x, w.row, w.owner, w.s.now()); err != nil || !ok {
			return errors.Join(err, notOwner(ok))
		}
		if w.archived {
			if err := w.s.resolve(ctx, x, w.alertKey(), "A recording is archived after all", w.describe()); err != nil {
				return err
			}
		}
		if again {
			return nil
		}
		_, err = river.JobCompleteTx[riverdriver.Driver[*sql.Tx]](ctx, x.Tx(), job)
		return err
	})
	switch {
	case errors.Is(err, errTaken):
		return nil
	case err != nil:
		return err
	case again:
		return river.JobSnooze(time.Second)
	}
	return w.held.clear()
}

func notOwner(ok bool) error {
	if ok {
		return nil
	}
	return errTaken
}

// fail writes down a fault: it is tried again while it passes, and ends the ingest
// when it does not, or has not for two days.
func (w *ingest) fail(ctx context.Context, err error) error {
	reason, permanent := verdict(err, w.row.Attempts)
	now := w.s.now()
	if w.row.FailingSince.IsZero() {
		w.row.FailingSince = now
	}
	if now.Sub(w.row.FailingSince) >= w.s.cfg.GiveUpAfter {
		permanent = true
	}
	w.log.Warn("an ingest failed", slog.String("reason", reason), slog.Bool("permanent", permanent), slog.Int64("attempt", w.row.Attempts), slog.Any("error", err))
	again := false
	saveErr := w.s.deps.Store.Update(ctx, "syncer: a failed ingest", func(x ledger.Session) error {
		newest, loadErr := ledger.LoadIngest(ctx, x, w.row.ID, true)
		if loadErr != nil {
			return loadErr
		}
		// Something has happened since this run began, and may be the cure.
		if again = newest.Wanted != w.row.Wanted; again {
			permanent = false
		}
		w.row.Reason, w.row.Detail = reason, err.Error()
		what := "failed in passing: " + reason
		switch {
		case permanent:
			w.row.State, what = ledger.Failed, "failed: "+reason
		case w.row.State != ledger.Done:
			w.row.State = ledger.Waiting
		}
		w.row.Owner = ""
		if ok, err := ledger.Save(ctx, x, w.row, w.owner, now); err != nil || !ok {
			return errors.Join(err, notOwner(ok))
		}
		if err := ledger.Tell(ctx, x, ledger.Line{At: now, IngestID: w.row.ID, RecordingID: w.row.RecordingID, What: what, Detail: err.Error()}); err != nil {
			return err
		}
		if !permanent {
			return nil
		}
		return w.bury(ctx, x, reason, now)
	})
	switch {
	case errors.Is(saveErr, errTaken):
		return nil
	case saveErr != nil:
		return saveErr
	case again:
		return river.JobSnooze(time.Second)
	case permanent:
		return river.JobCancel(fmt.Errorf("%s: %w", reason, err))
	}
	if wait := media.RetryAfterOf(err); wait > time.Minute {
		return river.JobSnooze(min(wait, 6*time.Hour))
	}
	return fmt.Errorf("%s: %w", reason, err)
}

// bury ends an ingest that failed for good: its promise of quota is released, its
// row says so unless it plays, and somebody is told.
func (w *ingest) bury(ctx context.Context, x ledger.Session, reason string, now time.Time) error {
	if w.row.RecordingID != 0 {
		if err := ledger.Unreserve(ctx, x, w.row.RecordingID, now); err != nil {
			return err
		}
		row, err := ledger.LoadRecording(ctx, x, w.row.RecordingID, true)
		if err != nil && !catalog.IsNotFound(err) {
			return err
		}
		if err == nil && row.Status != media.StatusReady && row.Status != media.StatusArchived {
			if err := ledger.SetStatus(ctx, x, row.ID, media.StatusFailed, now); err != nil {
				return err
			}
		}
	}
	return w.s.raise(ctx, x, alertArgs{
		Key: w.alertKey(), State: reason, Severity: "warning",
		Title: "A recording could not be archived: " + reason,
		Text:  w.describe() + ". " + advice[reason] + fmt.Sprintf(". Its story: `syncer explain %s`", w.subject()),
	})
}

func (w *ingest) alertKey() string { return fmt.Sprintf("ingest:%d", w.row.ID) }

func (w *ingest) subject() string {
	if w.row.RecordingID != 0 {
		return fmt.Sprint(w.row.RecordingID)
	}
	if len(w.plan.parts) > 0 {
		return "'" + w.plan.parts[0].MeetingUUID + "'"
	}
	return fmt.Sprint(w.row.LessonID)
}

// describe names a lesson for people.
func (w *ingest) describe() string {
	if w.lesson.ID == 0 {
		return fmt.Sprintf("Lesson %d", w.row.LessonID)
	}
	return fmt.Sprintf("Lesson %d of %s (teacher %d)", w.lesson.ID, w.lesson.Start.UTC().Format("2006-01-02 15:04 UTC"), w.lesson.TeacherID)
}
