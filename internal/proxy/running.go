package proxy

import (
	"net"
	"sync"
)

// running is the table of exchanges under way, which those who look over them
// (hang-ups, rechecks, shutdown) go through. Safe for concurrent use.
type registry struct {
	mu        sync.Mutex
	exchanges map[*exchange]struct{} // guarded by mu
}

func (r *registry) add(x *exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges[x] = struct{}{}
}

func (r *registry) remove(x *exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.exchanges, x)
}

// appendTo adds those that keep says yes to, and returns the longer list. keep
// must not block.
func (r *registry) appendTo(list []*exchange, keep func(*exchange) bool) []*exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	for x := range r.exchanges {
		if keep(x) {
			list = append(list, x)
		}
	}
	return list
}

// connTable knows the open connections, so that a shutdown can end with none.
// Safe for concurrent use.
type connTable struct {
	mu   sync.Mutex
	open map[net.Conn]struct{} // guarded by mu
	// left is signalled after a connection has gone.
	removed chan struct{}
}

func newConnTable() *connTable {
	return &connTable{open: map[net.Conn]struct{}{}, removed: make(chan struct{}, 1)}
}

func (t *connTable) add(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[c] = struct{}{}
}

func (t *connTable) remove(c net.Conn) {
	t.mu.Lock()
	delete(t.open, c)
	t.mu.Unlock()
	select {
	case t.removed <- struct{}{}:
	default:
	}
}

func (t *connTable) list() []net.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	conns := make([]net.Conn, 0, len(t.open))
	for c := range t.open {
		conns = append(conns, c)
	}
	return conns
}
