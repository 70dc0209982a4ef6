package pgtest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// Statements counts the statements that a program sends to PostgreSQL: begins and commits
// too, and those that ask whether a connection still works. It reads the protocol on its
// way, so that nothing but the address differs for the program. Safe for concurrent use.
type Statements struct {
	mu    sync.Mutex
	kinds map[string]int // guarded by mu
	n     int            // guarded by mu
}

// CountStatements returns a counter, and the URL of the same database through it. Programs
// that prepare a statement and send it several times are not counted right: Lectern's do
// not, because of poolers.
func CountStatements(t testing.TB, databaseURL string) (_ *Statements, through string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	s := &Statements{kinds: map[string]int{}}
	target := u.Host
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.relay(client, target) })
		}
	})
	t.Cleanup(func() { ln.Close(); running.Wait() })
	u.Host = ln.Addr().String()
	return s, u.String()
}

// Take returns what was counted since the last call: all statements, and how many of each
// text.
func (s *Statements) Take() (n int, kinds map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, kinds = s.n, s.kinds
	s.n, s.kinds = 0, map[string]int{}
	return n, kinds
}

// relay passes one connection on. A message is a type, a length that counts itself, and
// a body; only the first one has no type (PostgreSQL's manual, "Message Formats").
func (s *Statements) relay(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(client, server); client.Close() }()
	in, first := bufio.NewReader(client), true
	for {
		var header [5]byte
		head := header[:]
		if first {
			head = header[:4]
		}
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		if !first && (header[0] == 'P' || header[0] == 'Q') {
			s.mu.Lock()
			s.n++
			s.kinds[string(body)]++
			s.mu.Unlock()
		}
		first = false
		if _, err := server.Write(slices.Concat(head, body)); err != nil {
			return
		}
	}
}
