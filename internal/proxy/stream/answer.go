package stream

import (
	"bufio"
	"errors"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// A player's next request is mostly one that its connection remembers, see repeat. Such a request is
// answered here, without fasthttp: it would take the request and the answer's header apart and put
// them together again, which is an eighth of what a small range costs. To fasthttp the
// connection is idle meanwhile.
//
// Whatever is not as simple as that is left to fasthttp and ServeRepeat: what has not arrived as a
// whole or not alone, several ranges, HTTP/1.0, and everything while the server drains.

var errCloseAfter = errors.New("the answer says that the connection is closed")

// Answers implements corkedconn.Answerer.
func (k *connection) Answers(request []byte) (answers bool) {
	r := k.repeat
	if r == nil || k.h.draining() {
		return false
	}
	value, ok := r.request.rangeOf(request)
	if !ok {
		return false
	}
	defer func() {
		if recover() != nil {
			answers = false // ServeRepeat has the same panic, and an answer to it
		}
	}()
	if !r.holds() {
		return false
	}
	k.rangeHeader = string(value)
	return true
}

// Answer implements corkedconn.Answerer.
func (k *connection) Answer() (err error) {
	h, r := k.h, k.repeat
	x := h.newRepeated(k.conn, r, k.rangeHeader)
	defer func() {
		if p := recover(); p != nil {
			h.records.WritePanic(x.record.ID(), p)
			x.finish(errPanic)
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	resp := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(resp)
	reset := func() {
		resp.Reset()
		r.common.CopyTo(&resp.Header)
	}
	reset()
	x.run(resp, reset)
	if h.draining() { // since it was asked last
		resp.SetConnectionClose()
	}
	if err := k.write(resp); err != nil {
		return err
	}
	if resp.ConnectionClose() {
		return errCloseAfter
	}
	return k.conn.SetReadDeadline(time.Now().Add(h.cfg.KeepAlive))
}

// write sends a response, as fasthttp does. Its first write has a deadline, the body sets those of
// the others.
func (k *connection) write(resp *fasthttp.Response) error {
	if err := k.conn.SetWriteDeadline(time.Now().Add(k.h.cfg.WriteIdle)); err != nil {
		return respond.ErrHangup
	}
	b, ok := resp.BodyStream().(*body)
	if !ok {
		return k.writeWhole(resp)
	}
	defer b.Close()
	resp.Header.SetContentLength(int(b.plan.length))
	if _, err := k.conn.Write(resp.Header.Header()); err != nil {
		return respond.ErrHangup
	}
	_, err := b.WriteTo(nil)
	return err
}

// writeWhole sends a response without a body, or with that of an error.
func (k *connection) writeWhole(resp *fasthttp.Response) error {
	w := bufio.NewWriter(k.conn)
	if err := resp.Write(w); err != nil {
		return respond.ErrHangup
	}
	if err := w.Flush(); err != nil {
		return respond.ErrHangup
	}
	return nil
}
