package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/kinds"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/secretbox"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
	"github.com/lectiospace/lectern/internal/zoom"
)

// DownloadTokenPurpose is the purpose under which webhooks' download tokens are sealed.
const DownloadTokenPurpose = "download token"

// versionTimeout bounds the question which ffmpeg there is.
const versionTimeout = 5 * time.Second

// Config of the ingests.
type Config struct {
	// Match decides which lesson a meeting belongs to that is not archived yet.
	Match store.MatchRule
	// Settle is how long after the last segment's end the parts are joined.
	Settle time.Duration
	// DeleteFromZoom moves Zoom's copy to Zoom's trash, ZoomTrashAfter after the archive
	// was verified.
	DeleteFromZoom bool
	ZoomTrashAfter time.Duration
	// GiveUpAfter is when passing faults become a failure.
	GiveUpAfter time.Duration
	// RetakeEvery is the first pause before what has failed is taken up again; each
	// further one doubles, up to a day.
	RetakeEvery time.Duration
	// Reencode encodes recordings anew where that makes them smaller.
	Reencode bool
	// Companions says which other files of the meetings are archived beside the recording.
	Companions kinds.Filter[media.CompanionKind]
	// WorkDir holds temporary files: at most WorkSize bytes together, leaving
	// WorkMinFree bytes of the disk free.
	WorkDir               string
	WorkSize, WorkMinFree int64
	// PlatformRule adds the lesson's group to the viewers of every recording.
	PlatformRule bool
}

// Alerts tells operators of trouble, within a transaction.
type Alerts interface {
	// Raise tells of trouble, once per state of it.
	Raise(ctx context.Context, x store.Session, a queue.AlertArgs) error
	// Resolve tells that it is over, if it was raised.
	Resolve(ctx context.Context, x store.Session, key, title, text string) error
	// WarnQuota tells that a teacher's storage is nearly full.
	WarnQuota(ctx context.Context, x store.Session, q store.Quota) error
}

// Derived makes files of published recordings.
type Derived interface {
	// Request makes all files be made of a recording that is published in this transaction.
	Request(ctx context.Context, x store.Session, recording int64) error
	// Keep moves the file of a published recording, whose MD5 is given. It may leave it
	// where it is.
	Keep(recording int64, path, md5 string)
	// Lost follows the discovery that the archive no longer holds a derived file.
	Lost(ctx context.Context, f store.RecordingFile) error
	// Again makes the files of one kind be made again, or be decided about again.
	Again(ctx context.Context, x store.Session, recording int64, kind string) error
}

// Tool probes and joins media; ffmpeg.Tool is one. Safe for concurrent use.
type Tool interface {
	// Version names the programs that do it.
	Version(ctx context.Context) (string, error)
	// Probe says what a file holds. Kind Corrupt: it is no recording.
	Probe(ctx context.Context, path string) (ffmpeg.Info, error)
	// Join makes one file of parts, which were probed: see ffmpeg.Joiner.
	Join(ctx context.Context, parts []ffmpeg.Part, out string) (ffmpeg.Result, error)
	// Smaller encodes a file anew and reports whether that made it smaller.
	Smaller(ctx context.Context, in, out string) (bool, error)
}

// Deps is what ingests work with.
type Deps struct {
	ID       string // of this syncer
	Store    *catalog.Store
	Queue    *queue.Queue
	Zoom     *zoom.Client
	Target   archive.Archive // where new recordings go
	Archives archive.Set
	Tool     Tool
	Alerts   Alerts
	Tokens   secretbox.Box // for webhooks' download tokens
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Now      func() time.Time
	Observer *observe.Observer // nil = acts
	Derived  Derived
}

// Ingester runs the ingests of one syncer. It is safe for concurrent use.
type Ingester struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	work    *workdir.Dir
	leases  *leases
	// ffmpeg is the version of ffmpeg, "" where it does not run.
	ffmpeg func() string
}

// New makes an Ingester and adds its handlers to the queue.
func New(cfg Config, deps Deps) *Ingester {
	s := &Ingester{
		cfg: cfg, deps: deps, log: deps.Log, now: deps.Now, metrics: newMetrics(deps.Metrics),
		work: workdir.New(cfg.WorkDir, cfg.WorkSize, cfg.WorkMinFree), leases: newLeases(deps.ID),
		ffmpeg: sync.OnceValue(func() string {
			ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
			defer cancel()
			version, err := deps.Tool.Version(ctx)
			if err != nil {
				return ""
			}
			return version
		}),
	}
	q := deps.Queue
	// No total limit: a download is watched for silence instead.
	queue.Handle(q, queue.HandlerOptions{Timeout: -1, RetryDelay: q.RetryDelay}, s.runJob)
	queue.Handle(q, queue.HandlerOptions{Timeout: 10 * time.Minute, RetryDelay: q.RetryDelay}, s.captionsJob)
	queue.Handle(q, queue.HandlerOptions{Timeout: -1, RetryDelay: q.RetryDelay}, s.companionsJob)
	queue.Handle(q, queue.HandlerOptions{Timeout: 30 * time.Minute, RetryDelay: q.RetryDelay}, s.zoomTrashJob)
	return s
}

// Prepare creates the work directory.
func (s *Ingester) Prepare() error { return s.work.Prepare() }

// Responsive returns when the locks of the leases and the work directory can be taken,
// or an error when one cannot before ctx ends.
func (s *Ingester) Responsive(ctx context.Context) error {
	if err := queue.LockWithin(ctx, &s.leases.mu, "leases"); err != nil {
		return err
	}
	return s.work.Responsive(ctx)
}
