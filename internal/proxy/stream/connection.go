package stream

import (
	"net"

	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
)

// connection is what the handler keeps of a client's connection from one exchange to the
// next. It belongs to the connection's goroutine.
type connection struct {
	records *accesslog.Connection
	digest  uint64  // of the last request, where it may be remembered; else 0
	repeat  *repeat // the last request, where it was remembered; else nil

	h    *Handler
	conn *corkedconn.Conn
	// rangeHeader is the value of Range of the request that is answered next, see Answers.
	rangeHeader string
}

// reuse keeps an exchange that has ended for the next one of a connection whose requests are
// repeated, unless a watcher may still hold it: it would end the next one.
func (k *connection) reuse(x *exchange) {
	if k.repeat != nil && !x.seen {
		k.repeat.unused = x
	}
}

// newExchange returns an empty exchange, in the memory of the last one where nobody needs that.
func (k *connection) newExchange() *exchange {
	if k.repeat == nil || k.repeat.unused == nil {
		return new(exchange)
	}
	x := k.repeat.unused
	k.repeat.unused = nil
	*x = exchange{}
	return x
}

// connectionOf returns what is kept of a connection, from its first exchange on.
func (h *Handler) connectionOf(c *corkedconn.Conn) *connection {
	kept, ok := c.Kept.(*connection)
	if !ok {
		kept = &connection{records: h.records.Connection(), h: h, conn: c}
		c.Kept, c.Answerer = kept, kept
	}
	return kept
}

// ConnectionClosed releases what is kept of a connection. It is called by the connection's
// goroutine, after its last exchange.
func (h *Handler) ConnectionClosed(c net.Conn) {
	corked, ok := c.(*corkedconn.Conn)
	if !ok {
		return
	}
	if kept, ok := corked.Kept.(*connection); ok {
		kept.records.Close()
		corked.Kept, corked.Answerer = nil, nil
	}
}
