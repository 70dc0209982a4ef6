package derive

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

// errChanged ends a run whose recording changed, or was removed, meanwhile.
var errChanged = errors.New("the recording changed meanwhile")

// unavailableError is a fault of an archive or of this machine, and not of the recording: the
// run is begun again later, as often as it takes.
type unavailableError struct {
	provider string // whose archive it is; or thisMachine
	fault    error
}

// thisMachine stands for the local disk and the programs in place of a provider.
const thisMachine = ""

func (e *unavailableError) Error() string { return e.fault.Error() }
func (e *unavailableError) Unwrap() error { return e.fault }

// notNow ends a run that has to read the archive while it must not.
type notNow struct{ wait time.Duration }

func (n *notNow) Error() string { return "recordings are not read now" }

// workJob names the directory of temporary files of a recording.
func workJob(recording int64) workdir.Job { return workdir.Job{Kind: workKind, ID: recording} }

// run makes the files of one recording. It belongs to one goroutine.
type run struct {
	*Deriver
	log     *slog.Logger
	row     store.Recording
	title   string
	owner   int64 // the teacher's id
	teacher store.Teacher
	source  string // see store.SourceOf
	md5     string // of the source, lower-case hex; "" = unknown
	due     []due
	// notDue are the Makers that have chosen not to make files now.
	notDue []due
	lock   *workdir.Lock
}

// due is a Maker whose files are to be made now, and what came of it before.
type due struct {
	Maker
	attempts int64 // failed ones, of this source by this revision
	choice   Choice
}

// job makes the files that a recording lacks.
func (d *Deriver) job(ctx context.Context, job *queue.Job[queue.DeriveArgs]) error {
	if d.off() {
		return nil
	}
	lock, err := d.deps.Work.Lock(workJob(job.Args.RecordingID))
	if errors.Is(err, workdir.ErrBusy) {
		return queue.Snooze(time.Second)
	}
	if err != nil {
		return d.putOff(d.log, &unavailableError{thisMachine, err})
	}
	defer lock.Release()
	r, err := d.load(ctx, job.Args.RecordingID)
	if err != nil {
		return err
	}
	if err := r.recordChoices(ctx); err != nil {
		return err
	}
	if len(r.due) == 0 {
		return d.clear(ctx, lock)
	}
	r.lock = lock
	var (
		unavailable *unavailableError
		later       *notNow
	)
	switch err := r.make(ctx); {
	case err == nil:
		return d.clear(ctx, lock)
	case ctx.Err() != nil:
		return queue.Snooze(0) // another run begins anew
	case errors.Is(err, errChanged):
		return queue.Snooze(time.Second)
	case errors.As(err, &later):
		return queue.Snooze(later.wait)
	case errors.As(err, &unavailable):
		return d.putOff(r.log, unavailable)
	default:
		return err
	}
}

// clear removes the temporary files of a recording, and aborts the upload that a run before
// this one may have left.
func (d *Deriver) clear(ctx context.Context, lock *workdir.Lock) error {
	d.abortUpload(ctx, lock)
	return lock.Clear()
}

// load loads a recording and what is to be made of it; nothing where it does not play, or
// not from a configured archive.
func (d *Deriver) load(ctx context.Context, id int64) (*run, error) {
	r := &run{Deriver: d, log: d.log.With(slog.Int64("recording", id))}
	err := d.deps.Store.View(ctx, "derive: load a recording", func(x store.Session) (err error) {
		r.due, r.notDue = nil, nil
		if r.row, err = store.LoadRecording(ctx, x, id, false); err != nil {
			return catalog.IgnoreNotFound(err)
		}
		at := r.row.Location()
		if _, known := d.deps.Archives[at.Provider]; r.row.Deleted || !r.row.Playable() || !known || at.Key == "" {
			return nil
		}
		if r.source, err = sourceOf(ctx, x, r.row); err != nil {
			return err
		}
		r.md5 = store.MD5OfSource(r.source)
		if r.title, err = store.Title(ctx, x, id); err != nil {
			return err
		}
		if r.owner, err = store.OwnerOf(ctx, x, r.row); err != nil {
			return err
		}
		if r.teacher, err = store.LoadTeacher(ctx, x, r.owner); err != nil && !catalog.IsNotFound(err) {
			return err
		}
		known, err := store.Derivations(ctx, x, id)
		if err != nil {
			return err
		}
		return r.choose(ctx, x, chooseDue(d.makers, known, r.source, d.now()))
	})
	return r, err
}

// sourceOf names the present bytes of a recording.
func sourceOf(ctx context.Context, x store.Session, row store.Recording) (string, error) {
	i, err := store.IngestOfRecording(ctx, x, row.ID)
	return store.SourceOf(row, i), catalog.IgnoreNotFound(err)
}

// chooseDue are the Makers whose files have to be made now. It is pure.
func chooseDue(makers []Maker, known []store.Derivation, source string, now time.Time) (out []due) {
	for _, m := range makers {
		next := due{Maker: m}
		for _, k := range known {
			if k.Kind != m.Kind() {
				continue
			}
			at, never := k.DueAt(source, m.Revision())
			if never || at.After(now) {
				next.Maker = nil
			}
			if k.Source == source && k.Revision >= m.Revision() {
				next.attempts = k.Attempts
			}
		}
		if next.Maker != nil {
			out = append(out, next)
		}
	}
	return out
}

// choose has each Maker that is due decide about the recording.
func (r *run) choose(ctx context.Context, x store.Session, all []due) (err error) {
	for _, one := range all {
		if c, chooses := one.Maker.(Chooser); chooses {
			if one.choice, err = c.Choose(ctx, x, r.row); err != nil {
				return err
			}
		}
		if one.choice.now() {
			r.due = append(r.due, one)
		} else {
			r.notDue = append(r.notDue, one)
		}
	}
	return nil
}

// recordChoices writes down which files are not made now. That is no failed attempt.
func (r *run) recordChoices(ctx context.Context) error {
	if len(r.notDue) == 0 {
		return nil
	}
	now := r.now()
	return r.deps.Store.Update(ctx, "derive: files that are not made now", func(x store.Session) error {
		row, err := store.LoadRecording(ctx, x, r.row.ID, true)
		if err != nil || row.Deleted {
			return catalog.IgnoreNotFound(err)
		}
		for _, one := range r.notDue {
			next := store.Derivation{RecordingID: row.ID, Kind: one.Kind(), Revision: one.Revision(), Source: r.source, TriedAt: now, Attempts: one.attempts, RetryAt: one.choice.At, Detail: one.choice.Why}
			if one.choice.Never {
				next.MadeAt, next.RetryAt = now, time.Time{}
			}
			if err := store.PutDerivation(ctx, x, next); err != nil {
				return err
			}
		}
		return nil
	})
}

// make makes all that is due. One kind that fails stops no other.
func (r *run) make(ctx context.Context) error {
	defer r.deps.Work.Unreserve(workJob(r.row.ID))
	src, unreadable := r.open(ctx)
	for _, one := range r.due {
		fault := unreadable
		if fault == nil {
			fault = r.makeOne(ctx, one, src)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case fault != nil && !ofRecording(fault):
			return fault
		case fault != nil:
			if err := r.fail(ctx, one, fault); err != nil {
				return err
			}
		}
	}
	return nil
}

// open is the recording on the local disk.
func (r *run) open(ctx context.Context) (Source, error) {
	path, err := r.fetch(ctx)
	if err != nil {
		return Source{}, err
	}
	info, err := r.deps.Tool.Probe(ctx, path)
	return Source{Path: path, Info: info, Recording: r.row}, fromTool(err)
}

// makeOne makes and stores the files of one kind.
func (r *run) makeOne(ctx context.Context, one due, src Source) error {
	dir := filepath.Join(r.deps.Work.Path(workJob(r.row.ID)), "made-"+one.Kind())
	if err := failpoint.Err("derive.make-directory"); err != nil {
		return onDisk(err)
	}
	if err := onDisk(errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))); err != nil {
		return err
	}
	began := r.now()
	made, err := one.Make(ctx, src, dir)
	if err == nil {
		err = r.store(ctx, one, made)
	}
	if err != nil {
		return fromTool(err)
	}
	r.metrics.derivations.WithLabelValues(one.Kind(), outcomeMade).Inc()
	r.log.Info("derive: made", slog.String("kind", one.Kind()), slog.Int("files", len(made.Files)), slog.Duration("took", r.now().Sub(began)))
	if err := failpoint.Err("derive.remove-directory"); err != nil {
		return onDisk(err)
	}
	return onDisk(os.RemoveAll(dir))
}

// ofRecording reports whether a fault would be the same with another archive on another
// machine at another moment.
func ofRecording(err error) bool {
	var (
		unavailable *unavailableError
		later       *notNow
		db          *databaseError
	)
	return !errors.As(err, &unavailable) && !errors.As(err, &later) && !errors.As(err, &db) && !errors.Is(err, errChanged)
}

// fromArchive returns a fault of the recording's archive as an unavailableError, and all other
// errors as they are.
func (r *run) fromArchive(err error) error {
	return unavailableIf(err, r.row.Location().Provider, media.Unavailable, media.Timeout, media.Quota, media.Canceled)
}

// fromTool returns a fault of a program on this machine as an unavailableError, and all other
// errors as they are.
func fromTool(err error) error {
	return unavailableIf(err, thisMachine, media.Unavailable, media.Timeout, media.Canceled)
}

// onDisk returns an error of a local file as an unavailableError.
func onDisk(err error) error {
	if err == nil {
		return nil
	}
	return &unavailableError{thisMachine, err}
}

// unavailableIf makes an unavailableError of an error that is nothing else yet: one of some
// kinds is a fault of a provider, one of this machine's resources is a fault of that.
func unavailableIf(err error, provider string, kinds ...media.Kind) error {
	switch {
	case err == nil || !ofRecording(err):
		return err
	case ofResources(err):
		return &unavailableError{thisMachine, err}
	case slices.Contains(kinds, media.KindOf(err)):
		return &unavailableError{provider, err}
	}
	return err
}

// ofResources reports whether this machine lacked disk, memory or processes. No recording is
// the cause of that, and no archive elsewhere.
func ofResources(err error) bool {
	return slices.ContainsFunc([]syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.ENOMEM, syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE,
	}, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// fail writes down a failed attempt, and when the next one is made. The recording itself is
// as it was.
func (r *run) fail(ctx context.Context, one due, fault error) error {
	now, outcome := r.now(), outcomeFailed
	next := store.Derivation{
		RecordingID: r.row.ID, Kind: one.Kind(), Revision: one.Revision(), Source: r.source, TriedAt: now, Attempts: one.attempts + 1,
		Reason: media.ReasonOf(fault), Detail: fault.Error(), RetryAt: now.Add(firstRetry << (2 * one.attempts)),
	}
	if next.Attempts >= maxAttempts {
		next.RetryAt, outcome = time.Time{}, outcomeGaveUp
	}
	r.metrics.derivations.WithLabelValues(one.Kind(), outcome).Inc()
	r.log.Warn("derive: not made", slog.String("kind", one.Kind()), slog.Int64("attempt", next.Attempts), slog.Any("error", fault))
	return r.update(ctx, "derive: a failed attempt", func(x store.Session) error {
		row, err := store.LoadRecording(ctx, x, r.row.ID, true)
		if err != nil || row.Deleted {
			return catalog.IgnoreNotFound(err)
		}
		if err := store.PutDerivation(ctx, x, next); err != nil || outcome != outcomeGaveUp {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: now, RecordingID: r.row.ID, What: one.Kind() + " given up", Detail: fault.Error()})
	})
}
