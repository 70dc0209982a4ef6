package stream

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// exchange is one request for a recording's bytes, from its headers to the last
// byte of its body. All methods but abort belong to the connection's goroutine.
type exchange struct {
	h      *Handler
	conn   net.Conn
	corked *corkedconn.Conn // conn, where it is one; else nil
	kept   *connection      // of corked; else nil
	params requestParams
	record accesslog.Record

	// repeat is what the connection remembers of a request like this one; nil for none.
	repeat *repeat
	// toRemember is this request, where it is to be remembered; else nil. lastingToken is its
	// token until holds is known.
	toRemember   *requestBytes
	lastingToken media.Token
	common       *fasthttp.ResponseHeader // of the answer as it was at first, where toRemember is set
	holds        func() bool

	// ctx ends with a cause: the client hung up, the origin timed out, the server
	// shuts down, access was revoked.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// deadline is when the current wait times out, in nanoseconds since
	// Handler.started, or 0. Past it the cause is respond.ErrTimeout.
	deadline atomic.Int64
	// waiting is true while nothing is written: the hang-up watcher has to look.
	waiting atomic.Bool
	// streaming is true while the body is written: access is checked again.
	streaming atomic.Bool

	upstream    respond.Upstream // what an error comes from
	viewer      media.Viewer
	recording   media.Recording
	companion   media.Companion // that is served instead of the recording; zero for none
	object      media.Object
	metadata    metadata
	valid       precondition.Validators
	admitted    bool
	hasUserSlot bool
	// leave ends the exchange's part in a traced playback, or is nil.
	leave      func(r *accesslog.Record, firstByte time.Duration)
	undoStart  func()       // takes back the start that was counted, or nil
	reader     media.Reader // open, or nil
	firstPiece media.Piece  // the reader's first piece, not yet written

	// seen: who walks over all exchanges has got this one, and may hold it. Guarded by registry.mu
	// while it is registered; nobody sets it after that.
	seen bool

	mu       sync.Mutex // orders abort and finish
	finished bool       // guarded by mu
	aborted  bool       // the write deadline is in the past; guarded by mu
}

// Serve answers GET and HEAD of {base}/recordings/{id}/stream/. The body is written
// after it returns, by fasthttp, which calls body.WriteTo and body.Close.
func (h *Handler) Serve(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
	h.serve(c, rec, id, accompanying{})
}

// serve answers for a recording, or for a file that accompanies it.
func (h *Handler) serve(c *fasthttp.RequestCtx, rec accesslog.Record, id int64, file accompanying) {
	x := h.newExchange(c.Conn(), rec)
	x.params = readParams(c, id)
	x.params.accompanying = file
	if file.derived != "" {
		x.params.tokens, x.params.noToken = credentials.StreamOrSession(c, h.links)
	} else {
		x.params.tokens, x.params.noToken = credentials.Tokens(&c.Request)
	}
	if h.playbacks != nil && rec.Trusted {
		x.params.readTrace(c)
	}
	x.record.Recording = id
	if x.kept != nil && x.plays() {
		x.toRemember = x.kept.repeated(&c.Request.Header)
	}
	if x.toRemember != nil {
		x.common = new(fasthttp.ResponseHeader)
		c.Response.Header.CopyTo(x.common)
	}
	x.run(&c.Response, func() { h.resetResponse(c) })
}

// run serves the exchange. A panic is answered like any other error, in a response that reset has
// emptied.
func (x *exchange) run(resp *fasthttp.Response, reset func()) {
	x.record.Range = x.params.rangeHeader
	defer func() {
		if p := recover(); p != nil {
			x.h.records.WritePanic(x.record.ID(), p)
			reset()
			x.refuse(resp, errPanic)
		}
	}()
	if err := x.serve(resp); err != nil {
		x.refuse(resp, err)
	}
}

// serve is an exchange's eight steps. What it returns as an error is what the client
// is answered; the order of the steps is the order in which refusals are considered.
func (x *exchange) serve(resp *fasthttp.Response) error {
	x.startTimeout()
	defer x.stopTimeout()

	// 1. What is needed of fasthttp's pooled context has been copied. Steps 2 and 3 take
	// what the connection remembers, where the request is repeated: see repeat.
	// 2. Authenticate: the token's user.
	if err := x.authenticate(); err != nil {
		return err
	}
	// 3. Authorize: the recording and the access rule.
	if err := x.authorize(); err != nil {
		return err
	}
	// 4. Admission: one of all users' slots, or 503; then one of the user's slots, or 429,
	// and the count of a playback start, which may go on beside step 5. Requests without
	// access hold no slot, however long the steps before take.
	if err := x.admit(); err != nil {
		return err
	}
	if err := x.acquireUserSlot(); err != nil {
		return err
	}
	x.joinPlayback()
	startCounted, err := x.countStart()
	if err != nil {
		return err
	}
	// 5. Resolve the location; preconditions (RFC 9110 section 13), then ranges
	// (section 14).
	// 6. Open a cache reader and await its first bytes, so that an origin's error can
	// still become a status.
	d, err := x.resolveAndOpen()
	if refusal := startCounted(); refusal != nil {
		x.closeReader()
		return refusal
	}
	if x.undoStart != nil && (err != nil || d.status >= http.StatusBadRequest) {
		x.undoStart() // what plays nothing is no start
	}
	if err != nil {
		return err
	}
	// 7. Status and headers are exact; the body is handed to fasthttp.
	x.answer(resp, d)
	// 8. body.WriteTo renews the deadline with every write, body.Close calls finish:
	// slots, fetch, access record and metrics.
	return nil
}

func (h *Handler) newExchange(conn net.Conn, rec accesslog.Record) *exchange {
	var x *exchange
	if corked, ok := conn.(*corkedconn.Conn); ok {
		kept := h.connectionOf(corked)
		x = kept.newExchange()
		x.corked, x.kept = corked, kept
	} else {
		x = new(exchange)
	}
	x.h, x.conn, x.record = h, conn, rec
	x.ctx, x.cancel = context.WithCancelCause(h.base)
	h.exchanges.add(x)
	return x
}

// startTimeout starts the time in which an origin has to answer; stopTimeout ends it.
// The hang-up watcher checks it: a timer for each exchange would be set and stopped
// four times for nothing.
func (x *exchange) startTimeout() {
	x.deadline.Store(int64(time.Since(x.h.started) + x.h.cfg.OriginTimeout))
}

func (x *exchange) stopTimeout() { x.deadline.Store(0) }

// wait runs a call that may block on another component. Meanwhile the hang-up watcher
// looks. When ctx has ended, its cause is the error, whatever the call made of it.
func (x *exchange) wait(blocking func(context.Context) error) error {
	x.waiting.Store(true)
	err := blocking(x.ctx)
	x.waiting.Store(false)
	if err == nil {
		return nil
	}
	return respond.Cause(x.ctx, err)
}

// abort ends an exchange from another goroutine, in the middle of a write if need be.
// The cause is set first, so that the failing write finds it.
func (x *exchange) abort(cause error) {
	x.cancel(cause)
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.finished { // else the connection may serve its next request already
		x.aborted = true
		x.conn.SetWriteDeadline(time.Unix(1, 0))
	}
}

// finish releases all that the exchange holds, and writes its access record and
// metrics. The handler or the body calls it, whichever ends the exchange; further
// calls do nothing.
func (x *exchange) finish(fault error) {
	if !x.markFinished() {
		return
	}
	x.closeReader()
	x.stopTimeout()
	x.cancel(nil)
	if x.hasUserSlot {
		x.h.users.release(x.viewer.User.ID)
	}
	if x.admitted {
		x.h.streams.release()
	}
	x.h.exchanges.remove(x)
	x.h.metrics.request(x.record.Status, x.record.Cache)
	if x.record.Outcome == "" || fault != nil {
		x.record.Outcome = outcomeOf(fault)
	}
	switch {
	case fault == nil, media.RefusalOf(fault) != nil:
	case errors.Is(fault, respond.ErrHangup), errors.Is(fault, errStalled), errors.Is(fault, respond.ErrDrained): // everyday
	default:
		x.record.Err = fault
	}
	if x.kept != nil {
		x.kept.records.Write(&x.record)
	} else {
		x.h.records.Write(&x.record)
	}
	if x.leave != nil {
		x.leave(&x.record, x.record.FirstByte)
	}
}

// markFinished reports whether this call is the first. From then on abort leaves the
// connection alone.
func (x *exchange) markFinished() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.finished {
		return false
	}
	x.finished = true
	if x.aborted {
		x.conn.SetWriteDeadline(time.Time{})
	}
	return true
}

// closeReader closes the open reader. A panic of the reader's must not keep the rest
// from being released.
func (x *exchange) closeReader() {
	if x.reader == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			x.h.records.WritePanic(x.record.ID(), p)
		}
	}()
	r := x.reader
	x.reader, x.firstPiece = nil, media.Piece{}
	if err := r.Close(); err != nil {
		x.h.log.Debug("stream: close a reader", slog.String("request_id", x.record.ID()), slog.String("error", err.Error()))
	}
}

// outcomeOf names how a body ended, for the access record.
func outcomeOf(err error) string {
	switch r := media.RefusalOf(err); {
	case err == nil:
		return "complete"
	case r != nil:
		return "revoked"
	case errors.Is(err, respond.ErrHangup):
		return "hangup"
	case errors.Is(err, respond.ErrDrained):
		return "cut"
	case errors.Is(err, errStalled):
		return "stalled"
	case errors.Is(err, errPanic):
		return "panic"
	case errors.Is(err, respond.ErrTimeout):
		return media.Timeout.String()
	default:
		return media.KindOf(err).String()
	}
}
