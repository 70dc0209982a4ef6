package proxy

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// handleUnreadable answers what could not be parsed as a request. The texts repeat
// nothing of what was sent.
func (s *Server) handleUnreadable(c *fasthttp.RequestCtx, err error) {
	if errors.Is(err, fasthttp.ErrBodyTooLarge) && s.refuseLarge(c) {
		discard(c.Conn(), 4<<20, 250*time.Millisecond)
		c.Conn().SetWriteDeadline(time.Now().Add(s.cfg.HeaderTimeout))
		return
	}
	rec := s.beginRecord(c)
	s.commonHeaders(c)
	rec.Route, rec.Method = "", ""
	var netErr net.Error
	var small *fasthttp.ErrSmallBuffer
	p := problemMalformed
	switch {
	case errors.As(err, &small) && targetTooLong(c.Conn()):
		p = problemLongTarget
	case errors.As(err, &small):
		p = respond.Problem{Status: http.StatusRequestHeaderFieldsTooLarge, Detail: "The request's headers are too large.", Code: respond.CodeHeadersTooLarge}
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p = respond.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The request's body is too large.", Code: respond.CodeTooLarge}
	case errors.Is(err, fasthttp.ErrUnsupportedTransferEncoding):
		p = problemCoding
	case errors.As(err, &netErr) && netErr.Timeout():
		p = respond.Problem{Status: http.StatusRequestTimeout, Detail: "The request did not arrive in time.", Code: respond.CodeRequestTimeout}
	}
	if p.Status != http.StatusRequestTimeout {
		discardPending(c.Conn())
	}
	c.Conn().SetWriteDeadline(time.Now().Add(s.cfg.HeaderTimeout))
	respond.Error(&c.Response, p)
	rec.Code = p.Code
	s.records.WriteAnswered(c, rec)
}

func targetTooLong(conn net.Conn) bool {
	c, ok := conn.(*corkedconn.Conn)
	return ok && c.TargetTooLong(maxHeader+maxRequestLine)
}

// discardPending reads what the client has already sent. Closing a connection with
// unread bytes sends a reset, which would overtake the answer.
func discardPending(conn net.Conn) { discard(conn, 1<<20, 20*time.Millisecond) }

// discard reads at most most bytes, until nothing has come for a time.
func discard(conn net.Conn, most int, pause time.Duration) {
	until := time.Now().Add(10 * pause)
	buf := make([]byte, 16<<10)
	for discarded := 0; discarded < most; {
		now := time.Now()
		if now.After(until) || conn.SetReadDeadline(now.Add(pause)) != nil {
			return
		}
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		discarded += n
	}
}
