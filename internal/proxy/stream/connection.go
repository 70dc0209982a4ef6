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
	// unused is the last exchange, where the next one may have its memory; else nil. It refers to
	// the bytes of the request, and is dropped together with repeat. Most of what a
	// small range leaves to be collected is its exchange, and first bytes come late while the
	// garbage collector works.
	unused *exchange
}

// reuse keeps an exchange that has ended for the next one of a connection whose requests are
// repeated, unless a watcher may still hold it: it would end the next one. k may be nil.
func (k *connection) reuse(x *exchange) {
	if k != nil && k.repeat != nil && x.unseen {
		k.unused = x
	}
}

// unusedExchange returns the memory for an exchange, which may have what another left in it. k
// may be nil.
func (k *connection) unusedExchange() *exchange {
	if k == nil || k.unused == nil {
		return new(exchange)
	}
	x := k.unused
	k.unused = nil
	return x
}

// connectionOf returns what is kept of a connection, from its first exchange on.
func (h *Handler) connectionOf(c *corkedconn.Conn) *connection {
	kept, ok := c.Kept.(*connection)
	if !ok {
		kept = &connection{records: h.records.Connection()}
		c.Kept = kept
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
		corked.Kept = nil
	}
}
