package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cutter forwards TCP connections to a database until it is cut.
type cutter struct {
	ln      net.Listener
	target  string
	mu      sync.Mutex
	away    bool
	running map[net.Conn]bool
}

func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{ln: ln, target: target, running: map[net.Conn]bool{}}
	t.Cleanup(func() { ln.Close(); c.set(true) })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go c.forward(conn)
		}
	}()
	return c
}

// forward copies both ways; a connection that comes while the database is away is closed.
func (c *cutter) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer server.Close()
	c.mu.Lock()
	if c.away {
		c.mu.Unlock()
		return
	}
	c.running[client] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.running, client)
		c.mu.Unlock()
	}()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// set makes the database unavailable, ending all connections, or available.
func (c *cutter) set(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
	if away {
		for conn := range c.running {
			conn.Close()
		}
	}
}
