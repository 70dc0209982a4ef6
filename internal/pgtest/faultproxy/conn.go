package faultproxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// What happens to the messages of one connection.

// conn is one connection of a client, and the one to the server that belongs to it.
type conn struct {
	p              *Proxy
	client, server net.Conn
	dead           chan struct{} // closed when the connection is abandoned
	abandoned      bool          // guarded by Proxy.mu
	expire         *time.Timer   // closes what was abandoned; nil = nothing does; guarded by Proxy.mu
	cutAfter       int64         // bytes of the server's; 0 = never
	action         chan Action   // the action at the statement that the server works on; holds at most one
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	away := p.faults.Away || p.closed
	p.mu.Unlock()
	if away {
		client.Close()
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		client.Close()
		return
	}
	c := &conn{p: p, client: client, server: server, dead: make(chan struct{}), action: make(chan Action, 1)}
	p.mu.Lock()
	if p.faults.Away || p.closed {
		p.mu.Unlock()
		client.Close()
		server.Close()
		return
	}
	p.stats.Connections++
	c.cutAfter = p.faults.CutAfterBytes
	p.conns[c] = true
	p.mu.Unlock()
	var directions sync.WaitGroup
	directions.Go(func() { c.end(c.toServer()) })
	directions.Go(func() { c.end(c.toClient()) })
	directions.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	if c.expire != nil {
		c.expire.Stop()
	}
	p.mu.Unlock()
	client.Close()
	server.Close()
}

var (
	errCut       = errors.New("cut")
	errAbandoned = errors.New("abandoned")
)

// end ends one direction. An abandoned connection stays open at the server until the proxy
// is closed.
func (c *conn) end(err error) {
	c.p.mu.Lock()
	abandoned, closed := c.abandoned, c.p.closed
	if errors.Is(err, errCut) {
		c.p.stats.Cut++
	}
	c.p.mu.Unlock()
	if abandoned && !closed {
		// Both sides' sockets stay; what is read has nowhere to go.
		_, _ = io.Copy(io.Discard, c.server)
		return
	}
	c.client.Close()
	c.server.Close()
}

// pass waits as long as the faults want before a message of n bytes may go on.
func (c *conn) pass(n int) error {
	for {
		c.p.mu.Lock()
		f, changed := c.p.faults, c.p.changed
		c.p.mu.Unlock()
		select {
		case <-c.dead:
			return errAbandoned
		default:
		}
		if !f.Stalled {
			wait := f.Delay
			if f.Rate > 0 {
				wait += time.Duration(n) * time.Second / time.Duration(f.Rate)
			}
			if wait == 0 {
				return nil
			}
			select {
			case <-time.After(wait):
				return nil
			case <-c.dead:
				return errAbandoned
			}
		}
		select {
		case <-changed:
		case <-c.dead:
			return errAbandoned
		}
	}
}

// message reads a message: a type, a length that counts itself, and a body. Only the first
// message of a client has no type.
func message(in *bufio.Reader, first bool) (kind byte, raw []byte, err error) {
	head := make([]byte, 5)
	if first {
		head = head[:4]
	}
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, nil, err
	}
	length := int(binary.BigEndian.Uint32(head[len(head)-4:])) - 4
	if length < 0 || length > 1<<30 {
		return 0, nil, errors.New("not a message of PostgreSQL's")
	}
	raw = make([]byte, len(head)+length)
	copy(raw, head)
	_, err = io.ReadFull(in, raw[len(head):])
	if !first {
		kind = raw[0]
	}
	return kind, raw, err
}

// statement is the text of a Query or Parse message.
func statement(kind byte, raw []byte) (text string, ok bool) {
	body := string(raw[5:])
	switch kind {
	case 'Q':
		return strings.TrimRight(body, "\x00"), true
	case 'P': // name of the prepared statement, text, types of parameters
		if _, rest, found := strings.Cut(body, "\x00"); found {
			text, _, _ := strings.Cut(rest, "\x00")
			return text, true
		}
	}
	return "", false
}

// toServer passes the client's messages on.
func (c *conn) toServer() error {
	in, first := bufio.NewReader(c.client), true
	for {
		kind, raw, err := message(in, first)
		if err != nil {
			return err
		}
		if text, ok := statement(kind, raw); !first && ok {
			if err := c.begin(text); err != nil {
				return err
			}
		}
		first = false
		if err := c.pass(len(raw)); err != nil {
			return err
		}
		if _, err := c.server.Write(raw); err != nil {
			return err
		}
	}
}

// begin decides what happens at a statement.
func (c *conn) begin(text string) error {
	c.p.mu.Lock()
	at := c.p.faults.At
	c.p.mu.Unlock()
	if at == nil {
		return nil
	}
	action := at(text)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	switch action {
	case CutBefore:
		c.p.stats.CutBefore++
		return errCut
	case CutAfter, Hang:
		c.p.stats.CutAfter++
		select {
		case c.action <- action:
		default: // of several statements in one round trip the first decides
		}
	}
	return nil
}

// toClient passes the server's messages on.
func (c *conn) toClient() error {
	in, sent := bufio.NewReader(c.server), int64(0)
	for {
		kind, raw, err := message(in, false)
		if err != nil {
			return err
		}
		if len(c.action) > 0 {
			if kind != 'Z' { // ReadyForQuery: the statement has ended
				continue
			}
			if <-c.action == CutAfter {
				return errCut
			}
			c.p.mu.Lock()
			c.p.abandon(c)
			c.p.mu.Unlock()
			return errAbandoned
		}
		if err := c.pass(len(raw)); err != nil {
			return err
		}
		if c.cutAfter > 0 && sent+int64(len(raw)) > c.cutAfter {
			_, _ = c.client.Write(raw[:c.cutAfter-sent])
			return errCut
		}
		if _, err := c.client.Write(raw); err != nil {
			return err
		}
		sent += int64(len(raw))
	}
}
