package proxy

import (
	"net"
	"sync"
)

// connTable is the set of open connections, so that a shutdown can end with none.
// Safe for concurrent use.
type connTable struct {
	mu   sync.Mutex
	open map[net.Conn]struct{} // guarded by mu
	// removed is signalled after a connection was removed.
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
	t.delete(c)
	select {
	case t.removed <- struct{}{}:
	default:
	}
}

func (t *connTable) delete(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, c)
}

func (t *connTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open)
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
