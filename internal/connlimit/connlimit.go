// Package connlimit bounds the connections of a listener, all together and of one address,
// so that nobody who opens many and sends nothing takes the memory and the descriptors of
// the others.
package connlimit

import (
	"net"
	"net/netip"
	"sync"
)

// Listener closes connections beyond its limits as soon as they are accepted. It does not
// wait: a queue would be as full as the limit. Safe for concurrent use.
type Listener struct {
	net.Listener
	total, perAddress int

	mu    sync.Mutex
	open  int                // guarded by mu
	peers map[netip.Addr]int // guarded by mu
}

// New limits the connections of ln. Those of one address, of one /64 with IPv6, are
// limited where it is no loopback address: a reverse proxy on this machine has the
// connections of everybody.
func New(ln net.Listener, total, perAddress int) *Listener {
	return &Listener{Listener: ln, total: total, perAddress: perAddress, peers: map[netip.Addr]int{}}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := network(c.RemoteAddr())
		if l.add(peer) {
			return &conn{Conn: c, listener: l, peer: peer}, nil
		}
		c.Close()
	}
}

func (l *Listener) add(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || peer.IsValid() && l.peers[peer] >= l.perAddress {
		return false
	}
	l.open++
	if peer.IsValid() {
		l.peers[peer]++
	}
	return true
}

func (l *Listener) remove(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if !peer.IsValid() {
		return
	}
	if l.peers[peer]--; l.peers[peer] == 0 {
		delete(l.peers, peer)
	}
}

// network is whose connections count together; the zero Addr for those that do not.
func network(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	if ip.IsLoopback() {
		return netip.Addr{}
	}
	if ip.Is6() {
		prefix, err := ip.Prefix(64)
		if err == nil {
			return prefix.Addr()
		}
	}
	return ip
}

// conn counts as open until it is closed for the first time.
type conn struct {
	net.Conn
	listener *Listener
	peer     netip.Addr
	once     sync.Once
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() { c.listener.remove(c.peer) })
	return c.Conn.Close()
}
