package derive

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

const (
	// maxAttempts is how many attempts may fail before files are given up, until the
	// recording or the program changes.
	maxAttempts = 5
	// firstRetry is the pause after the first failed attempt. Each further one is four times
	// as long: the fifth is made after three and a half days.
	firstRetry = time.Hour
	// unavailablePause is how long a recording waits whose archive, or ffmpeg, is unavailable,
	// and how long no other is begun that has to be read from the same archive, or with the
	// same ffmpeg.
	unavailablePause = 10 * time.Minute
	// batch is how many recordings are enqueued at once that lack files, and searchPause how
	// long none are looked for after all of them were seen.
	batch       = 20
	searchPause = time.Hour
	// workKind is the kind of the directories of temporary files.
	workKind = "derive"
)

// Config of the derived files.
type Config struct {
	// Rate bounds how fast recordings are read from archives, in bytes per second of this
	// process; 0 = unbounded.
	Rate int64
	// IdlePause is how long a recording that has to be read waits while others are archived.
	IdlePause time.Duration
	// KeepSize bounds the files of new recordings that wait for their turn, in bytes.
	KeepSize int64
}

// Deps is what files are made with.
type Deps struct {
	Store    *catalog.Store
	Queue    *queue.Queue
	Archives archive.Set
	Tool     ffmpeg.Tool
	Work     *workdir.Dir
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Now      func() time.Time
	Observer *observe.Observer // nil = acts
}

// Deriver makes the files of one syncer. It is safe for concurrent use.
type Deriver struct {
	cfg     Config
	deps    Deps
	makers  []Maker
	log     *slog.Logger
	now     func() time.Time
	limit   *rate.Limiter // nil = unbounded
	metrics *metrics

	mu          sync.Mutex
	before      int64     // ids of recordings from which on all were seen; guarded by mu
	searchAfter time.Time // guarded by mu
	// unavailableUntil is, by provider, until when no archive of it is read; thisMachine is
	// for all of them. Guarded by mu.
	unavailableUntil map[string]time.Time
}

// New makes a Deriver and adds its handler to the queue.
func New(cfg Config, makers []Maker, deps Deps) *Deriver {
	d := &Deriver{
		cfg: cfg, deps: deps, makers: makers, log: deps.Log, now: deps.Now, metrics: newMetrics(deps.Metrics, makers),
		limit: archive.NewLimiter(cfg.Rate), before: math.MaxInt64, unavailableUntil: map[string]time.Time{},
	}
	// No total limit: reads are watched for silence, and the programs have limits of their own.
	queue.Handle(deps.Queue, queue.HandlerOptions{Timeout: -1, RetryDelay: deps.Queue.RetryDelay}, d.job)
	return d
}

// off reports whether nothing is made.
func (d *Deriver) off() bool { return len(d.makers) == 0 || d.deps.Observer.On() }

// Request makes all files be made of a recording that is published in this transaction. Those
// of the bytes before play at other times: only their poster stays until there is another.
func (d *Deriver) Request(ctx context.Context, x store.Session, recording int64) error {
	if d.deps.Observer.On() {
		return nil
	}
	if err := store.RemoveTimedFiles(ctx, x, recording, d.now()); err != nil || d.off() {
		return err
	}
	if err := store.DeleteDerivations(ctx, x, recording); err != nil {
		return err
	}
	return d.deps.Queue.EnqueueDerive(ctx, x, recording)
}

// EnqueueMissing enqueues the next recordings that lack files, the newest first, unless
// enough are enqueued, or none could be read now. The supervisor calls it.
func (d *Deriver) EnqueueMissing(ctx context.Context) error {
	before, due := d.searchFrom()
	providers := d.readableProviders()
	if d.off() || !due || len(providers) == 0 || d.deps.Queue.Archiving() {
		return nil
	}
	var found []int64
	full := false
	err := d.deps.Store.Update(ctx, "derive: recordings without files", func(x store.Session) error {
		found, full = nil, false
		waiting, err := store.WaitingJobs(ctx, x)
		if err != nil {
			return err
		}
		if full = waiting[queue.DeriveArgs{}.Kind()] >= batch; full {
			return nil
		}
		found, err = store.UnderivedRecordings(ctx, x, d.kinds(), providers, before, batch, d.now())
		for _, id := range found {
			if err == nil {
				err = d.deps.Queue.EnqueueIdle(ctx, x, queue.DeriveArgs{RecordingID: id})
			}
		}
		return err
	})
	if err == nil && !full {
		d.searched(found)
	}
	return err
}

// searchFrom is below which id recordings are looked for, and whether now.
func (d *Deriver) searchFrom() (before int64, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.before, !d.now().Before(d.searchAfter)
}

// searched notes what was found. The next search goes on below the oldest, and begins anew once
// fewer than a batch are left.
func (d *Deriver) searched(found []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(found) < batch {
		d.before, d.searchAfter = math.MaxInt64, d.now().Add(searchPause)
		return
	}
	d.before = min(d.before, found[len(found)-1]) // due retries may all be above it
}

func (d *Deriver) kinds() (out []store.DerivationKind) {
	for _, m := range d.makers {
		out = append(out, store.DerivationKind{Kind: m.Kind(), Revision: m.Revision()})
	}
	return out
}

// readableProviders are the providers whose archives are not known to be unavailable.
func (d *Deriver) readableProviders() (out []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for provider := range d.deps.Archives {
		if d.pause(provider) == 0 {
			out = append(out, provider)
		}
	}
	slices.Sort(out)
	return out
}

// Lost follows the discovery that the archive no longer holds a derived file: all files of
// its kind are made again.
func (d *Deriver) Lost(ctx context.Context, f store.RecordingFile) error {
	if d.deps.Observer.On() {
		return nil
	}
	return d.deps.Store.Update(ctx, "derive: a file lost from the archive", func(x store.Session) error {
		now, err := store.LoadRecordingFile(ctx, x, f.ID)
		if catalog.IsNotFound(err) || err == nil && (!now.RemovedAt.IsZero() || now.Location() != f.Location()) {
			return nil // replaced, or moved
		}
		if err != nil {
			return err
		}
		if err := store.MarkFilePurged(ctx, x, f.ID, d.now()); err != nil {
			return err
		}
		err = store.AppendHistory(ctx, x, store.HistoryEntry{At: d.now(), RecordingID: f.RecordingID, What: f.Derivation + " gone from the archive", Detail: f.ArchiveKey + "; it is made again"})
		if err != nil {
			return err
		}
		return d.Again(ctx, x, f.RecordingID, f.Derivation)
	})
}

// Again makes the files of one kind be made of a recording again, or, where its Maker is a
// Chooser, be decided about.
func (d *Deriver) Again(ctx context.Context, x store.Session, recording int64, kind string) error {
	if d.deps.Observer.On() {
		return nil
	}
	if err := store.DeleteDerivation(ctx, x, recording, kind); err != nil || d.off() {
		return err
	}
	return d.deps.Queue.EnqueueDerive(ctx, x, recording)
}

// Sweep removes the temporary files of recordings that no job is left for.
func (d *Deriver) Sweep(ctx context.Context) error {
	return d.deps.Work.Sweep(workKind, func(id int64) (queued bool, err error) {
		err = d.deps.Store.View(ctx, "derive: sweep", func(x store.Session) (err error) {
			queued, err = store.JobQueued(ctx, x, queue.DeriveArgs{}.Kind(), "recording_id", id)
			return err
		})
		return queued, err
	}, func(unused *workdir.Lock) { d.abortUpload(ctx, unused) })
}

// abortUpload aborts the upload that was left in a directory. One that cannot be aborted now
// is aborted with those that have not progressed for long.
func (d *Deriver) abortUpload(ctx context.Context, left *workdir.Lock) {
	if err := left.AbortUpload(ctx, d.deps.Archives); err != nil {
		d.log.Warn("derive: upload not aborted", slog.Any("error", err))
	}
}

// putOff puts off reading what is unavailable, and the job that has found that.
func (d *Deriver) putOff(log *slog.Logger, fault *unavailableError) error {
	pause := max(unavailablePause, media.RetryAfterOf(fault))
	log.Warn("derive: put off", slog.Duration("pause", pause), slog.Any("error", fault))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unavailableUntil[fault.provider] = d.now().Add(pause)
	return queue.Snooze(pause)
}

// readPause is how long a recording has to wait before it is read from a provider's archive,
// 0 for not at all.
func (d *Deriver) readPause(provider string) time.Duration {
	if d.deps.Queue.Archiving() {
		return d.cfg.IdlePause
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pause(provider)
}

// pause is how long an archive, or this machine, is still taken for unavailable. The caller
// holds mu.
func (d *Deriver) pause(provider string) time.Duration {
	now := d.now()
	return max(0, d.unavailableUntil[provider].Sub(now), d.unavailableUntil[thisMachine].Sub(now))
}
