package proxy

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// exchange is one request for a recording's bytes, from its headers to the last
// byte of its body. All methods but cut belong to the connection's goroutine.
type exchange struct {
	s      *Server
	conn   net.Conn
	corked *Conn // conn, where it is one of ours
	params requestParams
	record Record

	// ctx ends with a cause: the client hung up, the origin is slow, the server
	// stops, access was lost.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// due is when what is waited for has to be there, in the server's nanoseconds,
	// or 0. Past it the cause is errSlow.
	deadline atomic.Int64
	// waiting is true while nothing is written, so that a hang-up has to be looked for.
	waiting atomic.Bool
	// streaming is true while the body is written, so that access is looked at again.
	streaming atomic.Bool

	step        step
	viewer      media.Viewer
	recording   media.Recording
	object      media.Object
	metadata    metadata
	valid       Validators
	admitted    bool
	hasUserSlot bool
	undoStart   func()       // takes back the start that was counted, or nil
	reader      media.Reader // open, or nil
	firstPiece  media.Piece  // the reader's first piece, not yet written

	mu       sync.Mutex // orders cut and finish, see there
	finished bool       // guarded by mu
	aborted  bool       // its write deadline is in the past; guarded by mu
}

// serveStream answers GET and HEAD of {base}/recordings/{id}/stream/.
func (s *Server) serveStream(c *fasthttp.RequestCtx, n Record, id int64) {
	x := &exchange{s: s, conn: c.Conn(), params: readParams(c, id), record: n}
	x.record.Recording = id
	x.record.Range = Sanitize(x.params.rangeHeader, 64)
	x.ctx, x.cancel = context.WithCancelCause(s.base)
	x.corked, _ = x.conn.(*Conn)
	s.exchanges.add(x)
	defer func() {
		if p := recover(); p != nil {
			s.logPanic(x.record.RequestID, p)
			c.Response.Reset()
			s.cors(c)
			x.refuse(&c.Response, errPanic)
		}
	}()

	verdict, err := x.decide()
	switch {
	case err != nil:
		x.refuse(&c.Response, err)
	default:
		x.answer(&c.Response, verdict)
	}
}

// decide goes the way from admission to the first bytes. What it returns as an
// error is what the client is told first.
func (x *exchange) decide() (decision, error) {
	x.startTimeout()
	defer x.stopTimeout()
	for _, next := range []func() error{x.admit, x.authenticate, x.authorize, x.acquireUserSlot} {
		if err := next(); err != nil {
			return decision{}, err
		}
	}
	counted, err := x.countStart()
	if err != nil {
		return decision{}, err
	}
	x.step = stepOrigin
	x.startTimeout()
	began := x.s.now()
	verdict, err := x.resolve()
	x.record.Origin = x.s.now().Sub(began)
	if refusal := counted(); refusal != nil {
		x.closeReader()
		return decision{}, refusal
	}
	if x.undoStart != nil && (err != nil || verdict.status >= statusBadRequest) {
		x.undoStart() // what plays nothing is no start
	}
	return verdict, err
}

// seek finds what there is to send, again when it changes under its hands.
func (x *exchange) resolve() (decision, error) {
	verdict, err := x.resolveOnce()
	if media.KindOf(err) == media.Changed {
		// The version we were told of is gone. What takes its place may have another
		// size and other validators, so the whole decision is made again, once.
		verdict, err = x.resolveOnce()
		if media.KindOf(err) == media.Changed {
			err = media.Fault(media.Unavailable, "proxy: the object keeps changing", err)
		}
	}
	return verdict, err
}

// expect begins the time in which an origin has to answer; unexpect ends it.
// Whoever watches for hang-ups also watches for its end: a timer of its own for
// each exchange would be set and stopped four times for nothing.
func (x *exchange) startTimeout() {
	x.deadline.Store(int64(time.Since(x.s.started) + x.s.cfg.OriginTimeout))
}

func (x *exchange) stopTimeout() { x.deadline.Store(0) }

// admit takes one of everybody's slots. HEAD needs none: it has no body.
func (x *exchange) admit() error {
	if x.params.head {
		return nil
	}
	if x.admitted = x.s.streams.acquire(); !x.admitted {
		x.s.metrics.limited.WithLabelValues(limitStreams).Inc()
		return media.Refuse(media.CodeOverloaded, "Too many streams are running, please try again.")
	}
	return nil
}

func (x *exchange) authenticate() error {
	if x.params.badToken != nil {
		return x.params.badToken
	}
	began := x.s.now()
	defer func() { x.record.Auth = x.s.now().Sub(began) }()
	err := x.wait(func(ctx context.Context) (err error) {
		x.viewer, err = x.s.authenticate(ctx, x.record.Client, x.params.token)
		return err
	})
	x.params.token = media.Token{} // no longer needed, and a secret
	x.record.User = x.viewer.User.ID
	return err
}

func (x *exchange) authorize() error {
	began := x.s.now()
	defer func() { x.record.Catalog = x.s.now().Sub(began) }()
	err := x.wait(func(ctx context.Context) (err error) {
		x.recording, err = x.s.access.Authorize(ctx, x.viewer, x.params.id)
		return err
	})
	if err == nil && x.recording.Location.Key == "" {
		return media.Refuse(media.CodeNoMedia, "The recording has no file.")
	}
	return err
}

// takeSlot takes one of the user's slots, which is held to the end of the body.
func (x *exchange) acquireUserSlot() error {
	if x.params.head {
		return nil
	}
	if x.hasUserSlot = x.s.users.acquire(x.viewer.User.ID); !x.hasUserSlot {
		x.s.metrics.limited.WithLabelValues(limitStreamsPerUser).Inc()
		return media.Refuse(media.CodeTooManyStreams, "You are watching too many recordings at once.")
	}
	return nil
}

// countStart counts a stream with an access token as a start of playback. HEAD
// plays nothing, and with a playback token the start was counted when it was made.
// Where the ledger has to be asked, which is a commit to a disk, it is asked while
// the origin is; counted waits for its word.
func (x *exchange) countStart() (counted func() error, err error) {
	counted = func() error { return nil }
	if x.params.head || x.viewer.Playback != 0 || x.s.starts == nil {
		return counted, nil
	}
	user, recording := x.viewer.User.ID, x.params.id
	if x.s.starts.Ready(user, recording) {
		return counted, x.wait(func(ctx context.Context) (err error) {
			x.undoStart, err = x.s.countStart(ctx, user, recording, true)
			return err
		})
	}
	var undo func()
	var refusal error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		defer func() {
			if p := recover(); p != nil {
				x.s.logPanic(x.record.RequestID, p)
				refusal = errPanic
			}
		}()
		undo, refusal = x.s.countStart(x.ctx, user, recording, true)
	}()
	return func() error {
		began := x.s.now()
		defer func() { x.record.Catalog += x.s.now().Sub(began) }()
		wait := x.wait(func(context.Context) error {
			<-answered // it ends with ctx
			return refusal
		})
		x.undoStart = undo
		return wait
	}, nil
}

// wait runs something that may block on somebody else. While it does, hang-ups
// are looked for. When ctx has ended, its cause is the reason, whatever the one
// who was waited for made of it.
func (x *exchange) wait(blocking func(context.Context) error) error {
	x.waiting.Store(true)
	err := blocking(x.ctx)
	x.waiting.Store(false)
	if err == nil || media.RefusalOf(err) != nil {
		return err
	}
	if cause := context.Cause(x.ctx); cause != nil {
		return cause
	}
	return err
}

// answer writes status and headers and, where there is one, hands the body over.
func (x *exchange) answer(resp *fasthttp.Response, verdict decision) {
	h := &resp.Header
	x.record.Status = verdict.status
	switch verdict.status {
	case statusPrecondition:
		x.validatorHeaders(h)
		x.refuseWith(resp, problem{status: statusPrecondition, Detail: "A precondition failed.", Code: codePrecondition}, nil)
		return
	case statusUnsatisfiable:
		x.validatorHeaders(h)
		h.Set("Accept-Ranges", "bytes")
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(x.object.Size, 10))
		x.refuseWith(resp, problem{status: statusUnsatisfiable, Detail: "The range lies beyond the end.", Code: codeUnsatisfiable}, nil)
		return
	}
	resp.SetStatusCode(verdict.status)
	x.validatorHeaders(h)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Cache-Control", "private")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Server-Timing", serverTiming(x.record.Auth, x.record.Catalog, x.record.Origin))
	if verdict.status == statusNotModified {
		x.finish(nil)
		return
	}
	plan := planBody(verdict, x.object.Size, x.metadata.contentType)
	h.SetContentType(plan.contentType)
	h.Set("Content-Disposition", x.metadata.disposition)
	if plan.contentRange != "" {
		h.Set("Content-Range", plan.contentRange)
	}
	if x.reader != nil {
		x.record.Cache = x.reader.Status()
	}
	if v := cacheStatus(x.record.Cache); v != "" {
		h.Set("Cache-Status", v)
	}
	if x.params.head || plan.length == 0 {
		resp.SkipBody = x.params.head
		h.SetContentLength(int(plan.length))
		x.finish(nil)
		return
	}
	// The body writes to the socket itself, so the headers have to be out before:
	// with us, who hold them until its first bytes, or on their way.
	resp.ImmediateHeaderFlush = true
	b := &body{x: x, plan: plan, rate: newRateLimit(int64(x.s.cfg.Limit.StreamRate))}
	if x.corked != nil && b.rate.limiter == nil {
		x.corked.Cork()
	}
	resp.SetBodyStream(b, int(plan.length))
}

func (x *exchange) validatorHeaders(h *fasthttp.ResponseHeader) {
	h.SetCanonical([]byte("ETag"), []byte(x.valid.ETag))
	if !x.valid.Modified.IsZero() {
		h.Set("Last-Modified", x.metadata.modified)
	}
}

// refuse answers with what went wrong.
func (x *exchange) refuse(resp *fasthttp.Response, err error) {
	if media.RefusalOf(err) != nil {
		x.refuseWith(resp, problemFor(err, x.step), nil)
		return
	}
	x.refuseWith(resp, problemFor(err, x.step), err)
}

func (x *exchange) refuseWith(resp *fasthttp.Response, p problem, fault error) {
	writeProblem(resp, p)
	x.record.Status, x.record.Code = p.status, p.Code
	if !x.params.head {
		x.record.Bytes = int64(len(resp.Body()))
	}
	x.record.Outcome = "refused"
	x.finish(fault)
}

// cut ends an exchange from the outside, in the middle of a write if need be:
// the cause first, so that whoever wakes up finds it.
func (x *exchange) abort(cause error) {
	x.cancel(cause)
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.finished { // else the connection may serve its next request already
		x.aborted = true
		x.conn.SetWriteDeadline(time.Unix(1, 0))
	}
}

// finish gives back all that the exchange holds, and accounts for it. It is
// called once by whoever ends the exchange, the handler or the body, and does
// nothing when called again.
func (x *exchange) finish(fault error) {
	x.mu.Lock()
	if x.finished {
		x.mu.Unlock()
		return
	}
	x.finished = true
	if x.aborted {
		x.conn.SetWriteDeadline(time.Time{})
	}
	x.mu.Unlock()

	x.closeReader()
	x.stopTimeout()
	x.cancel(nil)
	if x.hasUserSlot {
		x.s.users.release(x.viewer.User.ID)
	}
	if x.admitted {
		x.s.streams.release()
	}
	x.s.exchanges.remove(x)
	x.s.metrics.request(x.record.Status, x.record.Cache)
	if x.record.Outcome == "" || fault != nil {
		x.record.Outcome = outcomeOf(fault)
	}
	switch {
	case fault == nil, media.RefusalOf(fault) != nil:
	case errors.Is(fault, errHangup), errors.Is(fault, errStalled), errors.Is(fault, errDrained): // everyday
	default:
		x.record.Err = fault
	}
	x.s.record(&x.record)
}

// closeReader closes the open reader. It is somebody else's code, run on the way
// out, and must not keep the rest from being given back.
func (x *exchange) closeReader() {
	if x.reader == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			x.s.logPanic(x.record.RequestID, p)
		}
	}()
	r := x.reader
	x.reader, x.firstPiece = nil, media.Piece{}
	if err := r.Close(); err != nil {
		x.s.log.Debug("closing a reader", "request_id", x.record.RequestID, "error", err.Error())
	}
}
