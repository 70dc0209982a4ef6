package corkedconn

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// echo answers what begins with "A", with the same bytes.
type echo struct {
	conn   *Conn
	last   string
	asked  func() // in Answers
	during func() // before the answer is written
	err    error  // of the answer
}

func (e *echo) Answers(request []byte) bool {
	e.last = string(request)
	if e.asked != nil {
		e.asked()
	}
	return request[0] == 'A'
}

func (e *echo) Answer() error {
	if e.during != nil {
		e.during()
	}
	if _, err := e.conn.Write([]byte(e.last)); err != nil {
		return err
	}
	return e.err
}

// newEcho is a connection with such an Answerer, and its client.
func newEcho(t *testing.T) (*echo, net.Conn) {
	t.Helper()
	conn, client, _ := newPair(t, 64<<10)
	t.Cleanup(func() { conn.Close(); client.Close() })
	for _, c := range []net.Conn{conn, client} {
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	e := &echo{conn: conn}
	conn.Answerer, conn.BetweenMessages = e, true
	return e, client
}

// exchange sends a request and reads an answer of the same length.
func exchange(t *testing.T, client net.Conn, request string) {
	t.Helper()
	if _, err := io.WriteString(client, request); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len(request))
	if _, err := io.ReadFull(client, answer); err != nil || string(answer) != request {
		t.Fatalf("%q, %v: want %q", answer, err, request)
	}
}

// wantEnd fails unless the client's connection is closed.
func wantEnd(t *testing.T, client net.Conn) {
	t.Helper()
	if n, err := client.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the client reads %d bytes, %v: want the end", n, err)
	}
}

// waitForByte is how fasthttp waits for a request.
func waitForByte(conn *Conn) (byte, error) {
	var b [1]byte
	_, err := conn.Read(b[:])
	return b[0], err
}

// TestAnswererComesFirst: the reader sees what the Answerer does not answer, as a whole.
func TestAnswererComesFirst(t *testing.T) {
	e, client := newEcho(t)
	e.during = func() {
		if e.conn.buffered != nil {
			t.Error("a buffer is held while an answer is written")
		}
	}
	type read struct {
		b   byte
		err error
	}
	first := make(chan read, 1)
	go func() {
		b, err := waitForByte(e.conn)
		first <- read{b, err}
	}()
	for _, request := range []string{"A1", "A22", "A333"} {
		exchange(t, client, request)
	}
	if _, err := io.WriteString(client, "B4"); err != nil {
		t.Fatal(err)
	}
	if r := <-first; r.b != 'B' || r.err != nil {
		t.Fatalf("%c, %v: want the first byte that is not answered", r.b, r.err)
	}
	rest := make([]byte, 10)
	if n, err := e.conn.Read(rest); err != nil || string(rest[:n]) != "4" {
		t.Errorf("%q, %v: want the rest", rest[:n], err)
	}
}

func TestAnswerersErrorEndsTheConnection(t *testing.T) {
	e, client := newEcho(t)
	e.err = io.ErrUnexpectedEOF
	if _, err := io.WriteString(client, "A"); err != nil {
		t.Fatal(err)
	}
	if _, err := waitForByte(e.conn); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v: want the answerer's error", err)
	}
}

// TestCloseWaitsForTheAnswer: a server that shuts down closes connections that it believes to be idle.
func TestCloseWaitsForTheAnswer(t *testing.T) {
	e, client := newEcho(t)
	e.during = func() {
		for range 2 {
			if err := e.conn.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := waitForByte(e.conn)
		ended <- err
	}()
	exchange(t, client, "A")
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v: want an error that says that the connection is closed", err)
	}
	wantEnd(t, client)
}

// TestCloseNowEndsTheAnswer: nobody waits for a client that reads nothing.
func TestCloseNowEndsTheAnswer(t *testing.T) {
	e, client := newEcho(t)
	e.during = func() {
		e.conn.Close()
		if err := e.conn.CloseNow(); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.WriteString(client, "A"); err != nil {
		t.Fatal(err)
	}
	if _, err := waitForByte(e.conn); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v: want the error of a connection that is closed", err)
	}
	wantEnd(t, client)
}

// TestCloseBeforeNoAnswer: a connection is closed as well while the Answerer finds that it has no answer.
func TestCloseBeforeNoAnswer(t *testing.T) {
	e, client := newEcho(t)
	e.asked = func() { e.conn.Close() }
	if _, err := io.WriteString(client, "B"); err != nil {
		t.Fatal(err)
	}
	if _, err := waitForByte(e.conn); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v: want an error that says that the connection is closed", err)
	}
}

// TestAnswererIsNotAskedWithinAMessage: there a byte is waited for as well.
func TestAnswererIsNotAskedWithinAMessage(t *testing.T) {
	e, client := newEcho(t)
	e.conn.BetweenMessages = false
	if _, err := io.WriteString(client, "A"); err != nil {
		t.Fatal(err)
	}
	if b, err := waitForByte(e.conn); b != 'A' || err != nil || e.last != "" {
		t.Errorf("%c, %v; the answerer saw %q", b, err, e.last)
	}
}
