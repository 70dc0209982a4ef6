package conformance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// Tap passes connections of a proxy on to a gateway and records what passes. Its methods may
// be called from any goroutine.
type Tap struct {
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex
	links []*link           // guarded by mu
	conns map[net.Conn]bool // open, guarded by mu
}

// link is one connection of the proxy to the gateway: requests and answers in turn.
type link struct {
	turns []turn
	ended bool
}

// turn is what the proxy sent until the gateway answered, and the answer.
type turn struct {
	sent, answered []byte
}

// NewTap listens on a port that the kernel chooses.
func NewTap(target string) (*Tap, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &Tap{ln: ln, target: target, conns: map[net.Conn]bool{}}
	t.wg.Go(t.accept)
	return t, nil
}

// Address is where the proxy has to connect to.
func (t *Tap) Address() string { return t.ln.Addr().String() }

// Close ends all connections and returns when they have ended.
func (t *Tap) Close() {
	t.ln.Close()
	t.mu.Lock()
	for conn := range t.conns {
		conn.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
}

func (t *Tap) accept() {
	for {
		client, err := t.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", t.target)
		if err != nil {
			client.Close()
			continue
		}
		l := &link{}
		t.mu.Lock()
		t.links = append(t.links, l)
		t.conns[client], t.conns[server] = true, true
		t.mu.Unlock()
		t.wg.Go(func() { t.pass(l, client, server, l.addSent) })
		t.wg.Go(func() { t.pass(l, server, client, l.addAnswered) })
	}
}

// pass copies one direction. What passes is recorded before it is passed on, so that an answer
// is recorded behind its request.
func (t *Tap) pass(l *link, from, to net.Conn, record func([]byte)) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		t.mu.Lock()
		record(buf[:n])
		if err != nil {
			l.ended = true
			delete(t.conns, from)
		}
		t.mu.Unlock()
		if n > 0 {
			if _, errWrite := to.Write(buf[:n]); errWrite != nil {
				err = errWrite
			}
		}
		if err != nil {
			closeWrite(to)
			if !errors.Is(err, io.EOF) {
				from.Close()
			}
			return
		}
	}
}

// addSent and addAnswered are called with the tap's mutex held.
func (l *link) addSent(p []byte) {
	if len(p) == 0 {
		return
	}
	if n := len(l.turns); n == 0 || isAnswered(l.turns[n-1].answered) {
		l.turns = append(l.turns, turn{})
	}
	last := &l.turns[len(l.turns)-1]
	last.sent = append(last.sent, p...)
}

func (l *link) addAnswered(p []byte) {
	if len(p) == 0 {
		return
	}
	if len(l.turns) == 0 {
		l.turns = append(l.turns, turn{})
	}
	last := &l.turns[len(l.turns)-1]
	last.answered = append(last.answered, p...)
}

// Turns returns how many requests proxies have sent in all.
func (t *Tap) Turns() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.links {
		n += len(l.turns)
	}
	return n
}

// Disagreements returns where the gateway saw another number of requests than the proxy sent.
func (t *Tap) Disagreements() (found []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.links {
		found = append(found, l.disagreements()...)
	}
	return found
}

// disagreements of one connection. A turn without an answer is one only where the connection
// goes on: a server may close instead.
func (l *link) disagreements() (found []string) {
	for i, turn := range l.turns {
		answers, rest := splitAnswers(turn.answered, methodOf(string(turn.sent)))
		waited := len(answers) == 1 && answers[0].status == 408 // for what the proxy does not send
		if closes(answers) && !waited {
			continue // what the proxy sends behind it is read by nobody
		}
		complete := i < len(l.turns)-1 || l.ended
		if waited || len(answers) > 1 || len(rest) > 0 && complete || len(answers) == 0 && i < len(l.turns)-1 {
			found = append(found, fmt.Sprintf("%d answers and %q to what was sent as one request: %.400q", len(answers), rest, turn.sent))
		}
	}
	return found
}

// isAnswered reports whether something has come that is no interim answer.
func isAnswered(received []byte) bool {
	answers, rest := splitAnswers(received, "GET")
	return len(answers) > 0 || len(rest) > 0
}

// splitAnswers takes the answers to one request apart.
func splitAnswers(received []byte, method string) (answers []answer, rest []byte) {
	r := bufio.NewReader(bytes.NewReader(received))
	for {
		if _, err := r.Peek(1); err != nil {
			return answers, nil
		}
		a, err := readAnswer(r, method)
		if err != nil {
			return answers, []byte(err.Error())
		}
		if a.status >= 200 {
			answers = append(answers, a)
			method = "GET"
		}
	}
}

// closes reports whether the first answer ends the connection, and is the only one.
func closes(answers []answer) bool {
	return len(answers) == 1 && strings.EqualFold(answers[0].fields.Get("Connection"), "close")
}
