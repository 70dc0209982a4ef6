// Package faultproxy is a TCP proxy in front of the PostgreSQL of a test that fails on
// request: it is away, slow or silent, cuts connections after some bytes, at a statement
// before the server has seen it or after the server has answered it, and abandons
// connections so that neither side learns of it.
//
// It reads the protocol on its way (PostgreSQL's manual, "Message Formats"), so that a cut
// falls between two messages or at a chosen statement. A commit whose answer is lost is the
// case that it is for: the client does not know whether its transaction was committed.
package faultproxy

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Action is what happens at a statement.
type Action uint8

// The actions. Each ends the connection but Pass and Hang.
const (
	// Pass passes the statement and its answer on.
	Pass Action = iota
	// CutBefore cuts the connection before the server has seen the statement. The server
	// rolls the transaction back.
	CutBefore
	// CutAfter cuts the connection after the server has answered the statement. The client
	// does not get the answer.
	CutAfter
	// Hang passes the statement on, and abandons the connection after the server has
	// answered: the client waits for an answer that never comes.
	Hang
)

// Faults are what goes wrong. The zero value changes nothing.
type Faults struct {
	// Away closes each connection as it comes, and cuts those that there are.
	Away bool
	// Stalled passes nothing on, in either direction, and closes nothing. What was held goes
	// on when the proxy is no longer stalled.
	Stalled bool
	// Delay is waited before each message of either side.
	Delay time.Duration
	// Rate is how many bytes a second the server's messages of one connection have; 0 = all.
	Rate int64
	// CutAfterBytes cuts each connection that begins from now on after so many bytes of the
	// server's, if that is > 0.
	CutAfterBytes int64
	// At decides what happens at a statement: its text, or "COMMIT" and the like in the
	// spelling of the client. nil passes all. It is called by many goroutines.
	At func(statement string) Action
}

// Commits is an At for the next n commits of explicit transactions.
func Commits(n int, action Action) func(string) Action {
	var mu sync.Mutex
	return func(statement string) Action {
		if !strings.EqualFold(strings.TrimSpace(statement), "commit") {
			return Pass
		}
		mu.Lock()
		defer mu.Unlock()
		if n == 0 {
			return Pass
		}
		n--
		return action
	}
}

// Stats counts what has happened since the proxy started.
type Stats struct {
	Connections int // that were passed on
	Cut         int // of them, by a fault
	Abandoned   int // of them, by a fault
	CutBefore   int // statements
	CutAfter    int // statements, those of Hang too
}

// Proxy is safe for concurrent use.
type Proxy struct {
	ln      net.Listener
	target  string
	url     string
	running sync.WaitGroup

	mu      sync.Mutex
	faults  Faults         // guarded by mu
	changed chan struct{}  // closed and replaced by Set; guarded by mu
	conns   map[*conn]bool // guarded by mu
	closed  bool           // guarded by mu
	stats   Stats          // guarded by mu
	keep    time.Duration  // see KeepAbandoned; guarded by mu
}

// Start starts a proxy in front of the database of a URL. The test's end closes it.
func Start(t testing.TB, databaseURL string) *Proxy {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatalf("faultproxy: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("faultproxy: %v", err)
	}
	p := &Proxy{ln: ln, target: u.Host, changed: make(chan struct{}), conns: map[*conn]bool{}}
	u.Host = ln.Addr().String()
	p.url = u.String()
	p.running.Go(p.accept)
	t.Cleanup(p.Close)
	return p
}

// URL is the database's URL through the proxy.
func (p *Proxy) URL() string { return p.url }

// Set replaces the faults. Away cuts at once.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
	close(p.changed)
	p.changed = make(chan struct{})
	if f.Away {
		p.cutAll()
	}
}

// Cut cuts the connections that there are.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAll()
}

// cutAll cuts all connections. p.mu is held.
func (p *Proxy) cutAll() {
	for c := range p.conns {
		if !c.abandoned {
			p.stats.Cut++
			c.client.Close()
			c.server.Close()
		}
	}
}

// KeepAbandoned sets how long the server keeps connections that are abandoned from now on,
// as its TCP keepalive would; 0, the default, is until the proxy is closed.
func (p *Proxy) KeepAbandoned(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep = d
}

// Abandon makes the connections that there are pass nothing on for ever, and closes none of
// them: as when a firewall forgets them, or a machine loses its power. The server keeps what
// their sessions hold until it finds out by itself, or the proxy is closed. New connections
// work.
func (p *Proxy) Abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		p.abandon(c)
	}
}

// abandon abandons a connection. p.mu is held.
func (p *Proxy) abandon(c *conn) {
	if !c.abandoned {
		c.abandoned = true
		p.stats.Abandoned++
		close(c.dead)
		if p.keep > 0 {
			c.expire = time.AfterFunc(p.keep, func() { c.server.Close() })
		}
	}
}

// Stats returns the counts.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Open is how many connections are passed on now, without those that were abandoned.
func (p *Proxy) Open() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if !c.abandoned {
			n++
		}
	}
	return n
}

// Close ends all connections, the abandoned ones too. A second call does nothing.
func (p *Proxy) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.ln.Close()
		for c := range p.conns {
			p.abandon(c) // ends what waits
			c.client.Close()
			c.server.Close()
		}
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}
