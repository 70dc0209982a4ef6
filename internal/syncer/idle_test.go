package syncer_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestIdleSyncerIsQuiet: a syncer with nothing to do sends PostgreSQL at most three
// statements a second, begins and commits included.
func TestIdleSyncerIsQuiet(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for most of a minute")
	}
	counter := &statementCounter{kinds: map[string]int{}}
	s := syncertest.New(t, syncertest.OnPostgres, syncertest.Through(counter.listen(t)), syncertest.Configured(func(c *syncer.Config) {
		c.SupervisorEvery, c.IdlePoll = 0, 0 // as in production
	}))
	s.Start()
	s.Idle()
	counter.count()              // what the start sent
	time.Sleep(12 * time.Second) // and what follows it: the polls go on for a while
	counter.count()
	const window = 30 * time.Second // in which every round of the supervisor has its turn
	time.Sleep(window)
	n, kinds := counter.count()
	if rate := float64(n) / window.Seconds(); rate > 3 || n == 0 {
		t.Errorf("%.1f statements a second:", rate)
		for statement, n := range kinds {
			t.Errorf("%4d %.160s", n, statement)
		}
	}
}

// statementCounter stands between a program and PostgreSQL and counts the statements.
type statementCounter struct {
	mu    sync.Mutex
	kinds map[string]int
	n     int
}

// count returns what was counted since the last call.
func (c *statementCounter) count() (int, map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, kinds := c.n, c.kinds
	c.n, c.kinds = 0, map[string]int{}
	return n, kinds
}

func (c *statementCounter) listen(t *testing.T) func(string) string {
	return func(database string) string {
		u, err := url.Parse(database)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		target := u.Host
		running.Go(func() {
			for {
				client, err := ln.Accept()
				if err != nil {
					return
				}
				running.Go(func() { c.relay(client, target) })
			}
		})
		t.Cleanup(func() { ln.Close(); running.Wait() })
		u.Host = ln.Addr().String()
		return u.String()
	}
}

// relay passes one connection on. A message is a type, a length that counts itself, and
// a body; only the first one has no type (PostgreSQL's manual, "Message Formats").
func (c *statementCounter) relay(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(client, server); client.Close() }()
	in, first := bufio.NewReader(client), true
	for {
		header := make([]byte, 5)
		if first {
			header = header[:4]
		}
		if _, err := io.ReadFull(in, header); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(header[len(header)-4:])-4)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		if !first && (header[0] == 'P' || header[0] == 'Q') {
			c.mu.Lock()
			c.n++
			c.kinds[string(body)]++
			c.mu.Unlock()
		}
		first = false
		if _, err := server.Write(append(header, body...)); err != nil {
			return
		}
	}
}
