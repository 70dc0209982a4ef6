package intake

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/secretbox"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
	"github.com/lectiospace/lectern/internal/zoom"
)

// maxEventJobs is how many stored events are processed at a time. Nobody waits for them,
// but each is a transaction, which on SQLite excludes every other writer and on PostgreSQL
// takes processor time from those that Zoom waits for.
const maxEventJobs = 2

// Ingests are requested for meetings that were recorded.
type Ingests interface {
	// Request requests a lesson's recording; why is for the history.
	Request(ctx context.Context, x store.Session, lesson int64, why string) error
	// RequestOwnAgain requests the recording of a meeting again that was requested as
	// its teacher's own before.
	RequestOwnAgain(ctx context.Context, x store.Session, meeting, why string) error
}

// Deps is what the intake works with.
type Deps struct {
	Store *catalog.Store
	Queue *queue.Queue
	Zoom  zoom.Config // secrets, until SetSecrets, and tolerance of webhooks
	// Ingests are requested by events.
	Ingests Ingests
	// Match decides which lesson a meeting belongs to.
	Match store.MatchRule
	// Tokens seals download tokens, for TokenPurpose.
	Tokens       secretbox.Box
	TokenPurpose string
	// SecretsKey seals tenants' secrets; nil when there is none.
	SecretsKey []byte
	Log        *slog.Logger
	Metrics    prometheus.Registerer
	Now        func() time.Time
	// Tracer traces webhooks; nil = none.
	Tracer   *trace.Tracer
	Observer *observe.Observer // nil = acts
}

// Intake takes in webhooks. It is safe for concurrent use.
type Intake struct {
	deps    Deps
	secrets atomic.Pointer[zoom.Secrets] // of the app that all teachers share
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	tenants *tenants
	batcher *eventBatcher
	bodies  bodies
	// refusals sample the log lines of webhooks that anybody may send.
	refusals *sampler
}

// New makes an Intake and adds its handler to the queue. Webhooks are answered while
// Run runs.
func New(deps Deps) *Intake {
	in := &Intake{
		deps: deps, log: deps.Log, now: deps.Now, metrics: newMetrics(deps.Metrics),
		tenants: newTenants(deps.Store, deps.SecretsKey, deps.Now), batcher: newEventBatcher(deps.Store, deps.Queue), bodies: newBodies(), refusals: newSampler(),
	}
	in.SetSecrets(deps.Zoom.Secrets())
	queue.Handle(deps.Queue, queue.HandlerOptions{Timeout: time.Minute, RetryDelay: deps.Queue.RetryDelay, AtOnce: maxEventJobs}, in.eventJob)
	return in
}

// SetSecrets replaces the secret tokens with which the shared app's webhooks are signed.
func (in *Intake) SetSecrets(secrets zoom.Secrets) { in.secrets.Store(&secrets) }

// Run stores the events of webhooks until ctx ends; what waits then is refused.
func (in *Intake) Run(ctx context.Context) { in.batcher.run(ctx) }

// Responsive returns when the lock of the tenants can be taken, or an error when it
// cannot before ctx ends.
func (in *Intake) Responsive(ctx context.Context) error {
	return queue.LockWithin(ctx, &in.tenants.mu, "tenants")
}

// eventRow is an event as it is stored: without secrets, but for the download token,
// which is sealed.
func (in *Intake) eventRow(e zoom.Event, teacher int64, body []byte) store.Event {
	state := store.EventIgnored
	if zoom.Handled(e.Name) {
		state = store.EventNew
	}
	return store.Event{
		Identity: e.Identity(), Name: e.Name, AccountID: e.AccountID, TeacherID: teacher, MeetingUUID: e.Meeting.UUID,
		Time: e.Time, ReceivedAt: in.now(), Body: string(zoom.Scrub(body)),
		SealedToken: in.deps.Tokens.Seal(e.Meeting.DownloadToken, in.deps.TokenPurpose), State: state,
	}
}

// Replay takes in a webhook's body as if Zoom had sent it with a good signature, and
// says what became of it. media.Invalid: it would be refused.
func (in *Intake) Replay(ctx context.Context, body []byte) (string, error) {
	const op = "replay"
	secrets := *in.secrets.Load()
	if len(secrets) == 0 {
		return "", media.Faultf(media.Invalid, op, "zoom-webhook-secret is not set")
	}
	if len(body) > maxBody {
		return "", media.Faultf(media.Invalid, op, "the body is larger than 1 MiB")
	}
	event, err := zoom.ParseEvent(body)
	if err != nil {
		return "", media.Fault(media.Invalid, op, err)
	}
	if event.Name == zoom.EventValidation {
		return resultIgnored, nil
	}
	results, err := in.batcher.insert(ctx, []*pendingEvent{{event: in.eventRow(event, 0, body)}})
	if err != nil {
		return "", err
	}
	return results[0], nil
}
