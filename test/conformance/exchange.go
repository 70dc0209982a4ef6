package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// Delivery is how the bytes of a case reach the server.
type Delivery uint8

// The deliveries.
const (
	First  Delivery = iota // the first bytes of a connection
	Behind                 // in one segment with a request before them
	Pieces                 // in pieces of 1 to 7 bytes, as many as are few
)

// String implements fmt.Stringer.
func (d Delivery) String() string { return [...]string{"first", "behind", "pieces"}[d] }

// Server is a server to which the cases are sent.
type Server struct {
	Name    string
	Dial    func() (net.Conn, error)
	Subject *Subject
	// Proxy is set where the server is a proxy. Which refusal it chooses is its own affair, and
	// so is whether it keeps a connection on which the request has ended.
	Proxy bool
	// Patience is how long the server may be silent before the client closes its side.
	Patience time.Duration
}

// probe is the request behind each case. No case asks for its range.
const probe = get + "Range: bytes=941-947\r\nConnection: close\r\n\r\n"

const probeRange = "bytes 941-947/"

// transcript is what a server answered to a case.
type transcript struct {
	answers []answer // without the one to the probe, and without interim ones
	interim int      // how many 100s came before the last answer
	probed  bool     // the probe was answered
	waited  bool     // the server was silent for longer than Patience
	rest    []byte   // what is no answer
	proxy   bool     // see Server.Proxy
}

// Send sends one case and returns what is wrong with the answers, nothing for none.
func (s Server) Send(c Case, d Delivery) (faults []string) {
	return s.transcript(c, d).judge(c, s.Subject)
}

// transcript sends a case, and behind it the probe, and reads until the server closes.
func (s Server) transcript(c Case, d Delivery) (t transcript) {
	t.proxy = s.Proxy
	conn, err := s.Dial()
	if err != nil {
		t.rest = []byte("dial: " + err.Error())
		return t
	}
	defer conn.Close()
	text := s.Subject.expand(c.Send)
	if !c.Half() {
		text += s.Subject.expand(probe)
	}
	methods := []string{methodOf(text)}
	if d == Behind {
		text = s.Subject.expand(get+"Range: bytes=1-1\r\n\r\n") + text
		methods = []string{"GET", methods[0]}
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if d == Pieces {
			writePieces(conn, text)
		} else {
			_, _ = io.WriteString(conn, text) // a server that refuses closes before the end
		}
		if c.Half() {
			closeWrite(conn)
		}
	}()
	received := s.receive(conn, &t)
	conn.Close()
	<-sent
	t.parse(received, methods)
	if d == Behind {
		if len(t.answers) == 0 || t.answers[0].status != 206 {
			t.rest = fmt.Appendf(t.rest, "the request before it was not answered: %.80q", received)
			return t
		}
		t.answers = t.answers[1:]
	}
	return t
}

// receive reads until the server closes the connection. A server that is silent for too long
// gets the end of the client's side, and then no more patience.
func (s Server) receive(conn net.Conn, t *transcript) []byte {
	var all bytes.Buffer
	buf := make([]byte, 16<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(s.Patience))
		n, err := conn.Read(buf)
		all.Write(buf[:n])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !t.waited:
			t.waited = true
			closeWrite(conn)
		case err != nil:
			return all.Bytes()
		}
	}
}

// closeWrite ends the client's side of a connection.
func closeWrite(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // the server may have closed already
	}
}

// writePieces writes a text in pieces that end at other places from one text to the next. Long
// texts get larger ones.
func writePieces(conn net.Conn, text string) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true)
	}
	least := 1 + len(text)/200
	for i := 0; len(text) > 0; i++ {
		n := min(len(text), least+(len(text)*7+i)%7)
		if _, err := io.WriteString(conn, text[:n]); err != nil {
			return
		}
		text = text[n:]
	}
}

// methodOf is the method of the first request in a text, as far as it has one.
func methodOf(text string) string {
	method, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), " ")
	return method
}
