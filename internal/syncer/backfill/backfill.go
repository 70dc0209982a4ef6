package backfill

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

const (
	// windowDays is how much is listed at once, within the month that Zoom lists.
	windowDays = 28
	// maxDue bounds how many jobs of backfills wait to be run: what is requested later can
	// still be overtaken by an older recording, and a queue of thousands is slow to read.
	maxDue = 40
	// windowsPerStep is how many windows one step lists where they hold little.
	windowsPerStep = 12
	// meetingsPerTx is how many listed meetings share a transaction.
	meetingsPerTx = 50
	// maxFaults is how many failed tries in a row to list a teacher's recordings make the
	// teacher failed.
	maxFaults = 8
	// concurrency is how many teachers are listed at once.
	concurrency = 4
	// stepPause lies between two steps, and limitPause between two looks at the limits.
	stepPause  = time.Second
	limitPause = 5 * time.Minute
	// stepTimeout ends a step that hangs; Zoom's answers have timeouts of their own.
	stepTimeout = 30 * time.Minute
)

// Meetings stores what Zoom lists, and requests what is missing of it.
type Meetings interface {
	// StoreMeeting stores a meeting of a teacher and matches it with one of their lessons.
	// The lesson's ID is 0 where none matches; note says why.
	StoreMeeting(ctx context.Context, x store.Session, t store.Teacher, listed zoom.Meeting, asked time.Time, lessons []store.Lesson) (known store.Meeting, lesson store.Lesson, note string, err error)
	// RequestStored requests the recording of a stored meeting when something of it is not
	// archived, and says what; "" means that there was nothing new.
	RequestStored(ctx context.Context, x store.Session, m store.Meeting) (why string, err error)
}

// Deps is what backfills work with.
type Deps struct {
	Store    *catalog.Store
	Queue    *queue.Queue
	Zoom     *zoom.Client
	Meetings Meetings
	Log      *slog.Logger
	Now      func() time.Time
}

// Backfiller runs the backfills of one syncer. It is safe for concurrent use.
type Backfiller struct {
	deps Deps
	log  *slog.Logger

	mu      sync.Mutex
	rate    int64         // of limiter; guarded by mu
	limiter *rate.Limiter // of all downloads of backfills, nil = unbounded; guarded by mu
}

// New makes a Backfiller and adds its handler and its limits to the queue.
func New(deps Deps) *Backfiller {
	b := &Backfiller{deps: deps, log: deps.Log}
	queue.Handle(deps.Queue, queue.HandlerOptions{Timeout: stepTimeout, RetryDelay: deps.Queue.RetryDelay}, b.stepJob)
	deps.Queue.LimitBackfills(b.limit)
	return b
}

// Options say what to archive, and how fast.
type Options struct {
	From, To time.Time // UTC dates, both included
	Teacher  int64     // 0 = all with Zoom credentials
	Rate     int64     // of downloads, bytes per second of each syncer; 0 = unbounded
	Hours    string    // see ParseHours
}

// Start begins a backfill of each teacher, or continues the one of the same dates that is
// not done. The limits are those of all backfills from then on. media.NotFound: there is no
// such teacher with Zoom credentials.
func (b *Backfiller) Start(ctx context.Context, o Options) error {
	if _, err := ParseHours(o.Hours); err != nil {
		return media.Fault(media.Invalid, "backfill: start", err)
	}
	teachers, err := b.teachers(ctx, o.Teacher)
	if err != nil {
		return err
	}
	return b.deps.Store.Update(ctx, "backfill: start", func(x store.Session) error {
		present, err := store.Backfills(ctx, x, "")
		if err != nil {
			return err
		}
		known := map[int64]store.Backfill{}
		for _, one := range present {
			known[one.TeacherID] = one
		}
		for _, t := range teachers {
			next := known[t.ID]
			unfinished, err := continues(ctx, x, next, o)
			if err != nil {
				return err
			}
			if unfinished && next.State == store.BackfillDone {
				continue // only its ingests are left
			}
			if !unfinished {
				next = store.Backfill{TeacherID: t.ID, First: o.From, Last: o.To, Next: o.From, StartedAt: b.deps.Now()}
				if err := store.ForgetBackfillMeetings(ctx, x, t.ID); err != nil {
					return err
				}
			}
			next.State, next.Faults, next.RetryAt, next.Reason, next.Detail, next.FinishedAt = store.BackfillRunning, 0, time.Time{}, "", "", time.Time{}
			if err := store.PutBackfill(ctx, x, next); err != nil {
				return err
			}
		}
		if err := store.SetBackfillLimits(ctx, x, store.BackfillLimits{Rate: o.Rate, Hours: o.Hours}); err != nil {
			return err
		}
		return b.deps.Queue.EnqueueNow(ctx, x, queue.BackfillArgs{})
	})
}

// continues reports whether a backfill of these dates has begun, and it or one of its
// ingests is under way.
func continues(ctx context.Context, x store.Session, present store.Backfill, o Options) (bool, error) {
	if present.TeacherID == 0 || !present.First.Equal(o.From) || !present.Last.Equal(o.To) {
		return false, nil
	}
	if present.State != store.BackfillDone {
		return true, nil
	}
	c, err := store.CountBackfill(ctx, x, present.TeacherID)
	return c.Open > 0, err
}

// Begun reports whether Start would continue something that has begun.
func (b *Backfiller) Begun(ctx context.Context, o Options) (begun bool, err error) {
	teachers, err := b.teachers(ctx, o.Teacher)
	if err != nil {
		return false, err
	}
	err = b.deps.Store.View(ctx, "backfill: begun", func(x store.Session) error {
		begun = false
		present, err := store.Backfills(ctx, x, "")
		for _, p := range present {
			if err == nil && slices.ContainsFunc(teachers, func(t store.Teacher) bool { return t.ID == p.TeacherID }) && !begun {
				begun, err = continues(ctx, x, p, o)
			}
		}
		return err
	})
	return begun, err
}

func (b *Backfiller) teachers(ctx context.Context, only int64) (out []store.Teacher, err error) {
	err = b.deps.Store.View(ctx, "backfill: teachers", func(x store.Session) error {
		all, err := store.ZoomTeachers(ctx, x)
		out = nil
		for _, t := range all {
			if only == 0 || t.ID == only {
				out = append(out, t)
			}
		}
		return err
	})
	if err == nil && only != 0 && len(out) == 0 {
		return nil, media.Faultf(media.NotFound, "backfill: start", "there is no teacher %d with all three Zoom credentials", only)
	}
	return out, err
}

// EnqueueMissed enqueues the job of backfills that run and have none: it is called now and
// then.
func (b *Backfiller) EnqueueMissed(ctx context.Context) error {
	return b.deps.Store.Update(ctx, "backfill: continue", func(x store.Session) error {
		running, err := store.Backfills(ctx, x, store.BackfillRunning)
		if err != nil || len(running) == 0 {
			return err
		}
		return b.deps.Queue.Enqueue(ctx, x, queue.BackfillArgs{}, time.Time{})
	})
}

// limit is called before each job of a backfill's.
func (b *Backfiller) limit(ctx context.Context) (context.Context, time.Duration, error) {
	limits, wait, err := b.limits(ctx)
	if err != nil || wait > 0 {
		return ctx, wait, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate != limits.Rate {
		b.rate, b.limiter = limits.Rate, nil
		if limits.Rate > 0 {
			b.limiter = zoom.NewDownloadLimiter(limits.Rate)
		}
	}
	return zoom.InBackground(ctx, b.limiter), 0, nil
}

// limits reads the limits, and how long it is until the hours begin or are looked at again.
func (b *Backfiller) limits(ctx context.Context) (limits store.BackfillLimits, wait time.Duration, err error) {
	err = b.deps.Store.View(ctx, "backfill: limits", func(x store.Session) (err error) {
		limits, err = store.LoadBackfillLimits(ctx, x)
		return err
	})
	if err != nil {
		return limits, 0, err
	}
	hours, err := ParseHours(limits.Hours)
	if err != nil {
		return limits, 0, err
	}
	return limits, min(hours.Wait(b.deps.Now().Local()), limitPause), nil
}

// stepJob continues all backfills by a step, and is run again while one of them runs.
func (b *Backfiller) stepJob(ctx context.Context, _ *queue.Job[queue.BackfillArgs]) error {
	_, wait, err := b.limits(ctx)
	if err != nil {
		return err
	}
	if wait > 0 {
		return queue.Snooze(wait)
	}
	ctx = zoom.InBackground(queue.ForBackfill(ctx), nil)
	var running []store.Backfill
	teachers := map[int64]store.Teacher{}
	err = b.deps.Store.View(ctx, "backfill: step", func(x store.Session) (err error) {
		if running, err = store.Backfills(ctx, x, store.BackfillRunning); err != nil {
			return err
		}
		all, err := store.ZoomTeachers(ctx, x)
		for _, t := range all {
			teachers[t.ID] = t
		}
		return err
	})
	if err != nil || len(running) == 0 {
		return err
	}
	group := new(errgroup.Group)
	group.SetLimit(concurrency)
	for _, one := range running {
		group.Go(func() error { return b.step(ctx, one, teachers[one.TeacherID]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return queue.Snooze(stepPause)
}

// step continues one backfill: it requests what is listed, lists more when that was all,
// and is done when nothing is left. Errors of Zoom's end in the backfill's row; those of the
// database are returned.
func (b *Backfiller) step(ctx context.Context, one store.Backfill, t store.Teacher) error {
	now := b.deps.Now()
	if one.RetryAt.After(now) {
		return nil
	}
	if t.ID == 0 {
		_, err := b.fail(ctx, one, &media.Error{Kind: media.Denied, Op: "backfill: list", Reason: store.ReasonNoAccess, Err: errors.New("the teacher has no Zoom credentials any more")})
		return err
	}
	for range windowsPerStep {
		left, err := b.request(ctx, one)
		switch {
		case err != nil:
			return err
		case left:
			return nil
		case one.Listed():
			one.State, one.FinishedAt = store.BackfillDone, now
			b.log.Info("backfill: everything is listed and requested", slog.Int64("teacher", one.TeacherID))
			return b.deps.Store.Update(ctx, "backfill: done", func(x store.Session) error { return store.PutBackfill(ctx, x, one) })
		}
		if one, err = b.listNext(ctx, one, t); err != nil || one.Faults > 0 || one.State != store.BackfillRunning || one.RetryAt.After(now) {
			return err
		}
	}
	return nil
}

// request looks at a teacher's oldest listed meetings, as many as the queue has room for,
// and requests what is missing. left says that there are more.
func (b *Backfiller) request(ctx context.Context, one store.Backfill) (left bool, err error) {
	for {
		looked := 0
		err := b.deps.Store.Update(ctx, "backfill: request", func(x store.Session) error {
			looked, left = 0, false
			due, err := b.deps.Queue.DueBackfillJobs(ctx, x)
			if err != nil {
				return err
			}
			next, err := store.NextBackfillMeetings(ctx, x, one.TeacherID, meetingsPerTx)
			if err != nil {
				return err
			}
			for _, uuid := range next {
				if due >= maxDue {
					left = true
					return nil
				}
				requested, err := b.requestMeeting(ctx, x, uuid)
				if err != nil {
					return err
				}
				if requested {
					due++
				}
				looked++
			}
			return nil
		})
		if err != nil || left || looked < meetingsPerTx {
			return left, err
		}
	}
}

// requestMeeting requests what of one listed meeting is missing.
func (b *Backfiller) requestMeeting(ctx context.Context, x store.Session, uuid string) (requested bool, err error) {
	m, err := store.LoadMeeting(ctx, x, uuid)
	if err != nil {
		return false, err
	}
	why, err := b.deps.Meetings.RequestStored(ctx, x, m)
	if err != nil {
		return false, err
	}
	return why != "", store.MarkBackfillRequested(ctx, x, uuid, b.deps.Now())
}

// listNext lists a teacher's next dates and stores what is listed. It returns the backfill as
// it is then.
func (b *Backfiller) listNext(ctx context.Context, one store.Backfill, t store.Teacher) (store.Backfill, error) {
	last := one.Next.AddDate(0, 0, windowDays-1)
	if last.After(one.Last) {
		last = one.Last
	}
	asked := b.deps.Now()
	listed, err := list(ctx, b.deps.Zoom, t, one.Next, last)
	if err != nil {
		return b.fail(ctx, one, err)
	}
	next := one
	next.Next, next.Faults, next.RetryAt, next.Reason, next.Detail = last.AddDate(0, 0, 1), 0, time.Time{}, "", ""
	for first := 0; ; first += meetingsPerTx {
		chunk := listed[min(first, len(listed)):min(first+meetingsPerTx, len(listed))]
		final := first+meetingsPerTx >= len(listed)
		err := b.deps.Store.Update(ctx, "backfill: store what is listed", func(x store.Session) error {
			if err := b.store(ctx, x, t, chunk, asked); err != nil || !final {
				return err
			}
			return store.PutBackfill(ctx, x, next)
		})
		switch kind := media.KindOf(err); {
		case err == nil && final:
			return next, nil
		case err == nil:
		case kind == media.Unavailable || kind == media.Timeout:
			return one, err // of the database: the job is attempted again
		default:
			return b.fail(ctx, one, err)
		}
	}
}

// store stores listed meetings of a teacher and notes those that hold something to archive.
func (b *Backfiller) store(ctx context.Context, x store.Session, t store.Teacher, listed []zoom.Meeting, asked time.Time) error {
	if len(listed) == 0 {
		return nil
	}
	lessons, err := store.LessonsOfTeacher(ctx, x, t.ID)
	if err != nil {
		return err
	}
	for _, m := range listed {
		known, _, _, err := b.deps.Meetings.StoreMeeting(ctx, x, t, m, asked, lessons)
		if err != nil {
			return err
		}
		if !known.HasMedia() {
			continue
		}
		if err := store.AddBackfillMeeting(ctx, x, known.UUID, t.ID, known.Began()); err != nil {
			return err
		}
	}
	return nil
}

// list reads what Zoom lists of a teacher between two dates, each meeting once.
func list(ctx context.Context, client *zoom.Client, t store.Teacher, from, to time.Time) (listed []zoom.Meeting, err error) {
	seen := map[string]bool{}
	err = client.List(ctx, t.ZoomAccount(), from, to, func(m zoom.Meeting) error {
		if m.UUID == "" {
			return &media.Error{Kind: media.Corrupt, Op: "backfill: list", Reason: zoom.ReasonNoList, Err: errors.New("a listed meeting has no uuid")}
		}
		if !seen[m.UUID] {
			seen[m.UUID] = true
			listed = append(listed, m)
		}
		return nil
	})
	return listed, err
}

// fail notes that a teacher's recordings could not be listed. The dates are listed again
// after a while, unless the fault is permanent or has come too often.
// It returns the backfill as it is then.
func (b *Backfiller) fail(ctx context.Context, one store.Backfill, fault error) (store.Backfill, error) {
	if ctx.Err() != nil {
		return one, ctx.Err()
	}
	now := b.deps.Now()
	one.Reason, one.Detail = media.ReasonOf(fault), fault.Error()
	switch kind := media.KindOf(fault); {
	case kind == media.Quota && media.RetryAfterOf(fault) > 0:
		one.RetryAt = now.Add(media.RetryAfterOf(fault)) // Zoom's daily limit
	case !kind.Passing(), one.Faults+1 >= maxFaults:
		one.State, one.FinishedAt = store.BackfillFailed, now
	default:
		one.Faults++
		one.RetryAt = now.Add(max(b.deps.Queue.RetryDelay(int(one.Faults)), media.RetryAfterOf(fault)))
	}
	b.log.Warn("backfill: recordings not listed", slog.Int64("teacher", one.TeacherID), slog.String("state", string(one.State)), slog.Any("error", fault))
	return one, b.deps.Store.Update(ctx, "backfill: failed", func(x store.Session) error { return store.PutBackfill(ctx, x, one) })
}
