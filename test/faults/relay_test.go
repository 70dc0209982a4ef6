package faults

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay passes connections on to another address.
type relay struct {
	net.Listener
	to string

	mu    sync.Mutex
	conns map[net.Conn]bool // guarded by mu
}

func startRelay(t *testing.T, addr, to string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: ln, to: to, conns: map[net.Conn]bool{}}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			group.Go(func() { r.pass(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); r.closeConnections(); group.Wait() })
	return r
}

// pass copies both directions until either ends.
func (r *relay) pass(conn net.Conn) {
	defer r.forget(conn)
	far, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer r.forget(far)
	r.mu.Lock()
	r.conns[conn], r.conns[far] = true, true
	r.mu.Unlock()
	var group sync.WaitGroup
	for _, way := range [][2]net.Conn{{conn, far}, {far, conn}} {
		group.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			way[0].Close()
			way[1].Close()
		})
	}
	group.Wait()
}

func (r *relay) forget(conn net.Conn) {
	conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
}

// closeConnections closes all.
func (r *relay) closeConnections() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.conns {
		conn.Close()
	}
}
