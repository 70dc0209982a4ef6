// Package load requests bytes from a server and compares every one. It uses plain
// sockets: on a machine that also runs the server, the client's CPU time is taken
// from the server.
package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/bench/content"
)

// Target is a file at a server.
type Target struct {
	Addr string // host:port
	Path string
	// Headers are header lines with their line ends; requests take them in turn,
	// as those of different viewers. Empty for none.
	Headers []string
	Content *content.Content
}

func (t Target) header(viewer int) string {
	if len(t.Headers) == 0 {
		return ""
	}
	return t.Headers[viewer%len(t.Headers)]
}

// readSize is how much a client takes from the socket at a time: what still lies
// in the processor's cache when it is compared.
const readSize = 128 << 10

// patience bounds the wait for anything from a server.
const patience = 60 * time.Second

// Conn is a kept connection. It belongs to one goroutine.
type Conn struct {
	tcp *net.TCPConn
	buf []byte
	req []byte
}

// Dial connects.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{tcp: c.(*net.TCPConn), buf: make([]byte, readSize)}, nil
}

// Close hangs up.
func (c *Conn) Close() error { return c.tcp.Close() }

// Get asks for [off, off+length) and reads all of it.
func (c *Conn) Get(t Target, viewer int, off, length int64) (first time.Duration, err error) {
	return c.get(t, viewer, off, fmt.Sprintf("%d-%d", off, off+length-1), length)
}

// GetFrom asks for everything from off on, as browsers do, and reads want bytes
// of it; when that is less than all, the connection is of no more use.
func (c *Conn) GetFrom(t Target, viewer int, off, want int64) (first time.Duration, err error) {
	return c.get(t, viewer, off, fmt.Sprintf("%d-", off), want)
}

func (c *Conn) get(t Target, viewer int, off int64, span string, want int64) (first time.Duration, err error) {
	began := time.Now()
	have, err := c.ask(t, viewer, off, span)
	if err != nil {
		return 0, err
	}
	if len(have) == 0 {
		if have, err = c.read(); err != nil {
			return 0, err
		}
	}
	first = time.Since(began)
	for {
		have = have[:min(int64(len(have)), want)]
		if !t.Content.Matches(have, off) {
			return first, fmt.Errorf("wrong bytes between %d and %d", off, off+int64(len(have)))
		}
		off, want = off+int64(len(have)), want-int64(len(have))
		if want == 0 {
			return first, nil
		}
		if have, err = c.read(); err != nil {
			return first, fmt.Errorf("%d bytes missing: %w", want, err)
		}
	}
}

// ask sends a request and reads the answer's head; what came of the body with it
// is returned and is valid until the next read.
func (c *Conn) ask(t Target, viewer int, off int64, span string) ([]byte, error) {
	c.req = append(c.req[:0], "GET "...)
	c.req = append(c.req, t.Path...)
	c.req = append(c.req, " HTTP/1.1\r\nHost: "...)
	c.req = append(c.req, t.Addr...)
	c.req = append(c.req, "\r\nRange: bytes="...)
	c.req = append(c.req, span...)
	c.req = append(c.req, "\r\n"...)
	c.req = append(c.req, t.header(viewer)...)
	c.req = append(c.req, "\r\n"...)
	if err := c.tcp.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := c.tcp.Write(c.req); err != nil {
		return nil, err
	}
	n := 0
	for {
		got, err := c.tcp.Read(c.buf[n:])
		if err != nil {
			return nil, err
		}
		n += got
		if head, body, ok := bytes.Cut(c.buf[:n], []byte("\r\n\r\n")); ok {
			return body, checkHead(string(head), off, span, t.Content.Size())
		}
		if n == len(c.buf) {
			return nil, errors.New("a head without end")
		}
	}
}

func (c *Conn) read() ([]byte, error) {
	n, err := c.tcp.Read(c.buf)
	return c.buf[:n], err
}

// checkHead makes sure that the answer is the one asked for, to the byte.
func checkHead(head string, off int64, span string, size int64) error {
	status, fields, _ := strings.Cut(head, "\r\n")
	if !strings.HasPrefix(status, "HTTP/1.1 206 ") {
		return fmt.Errorf("answered %q instead of 206", status)
	}
	if strings.HasSuffix(span, "-") {
		span += strconv.FormatInt(size-1, 10)
	}
	_, last, _ := strings.Cut(span, "-")
	end, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		return err
	}
	want := map[string]string{
		"content-range":  "bytes " + span + "/" + strconv.FormatInt(size, 10),
		"content-length": strconv.FormatInt(end-off+1, 10),
	}
	found := 0
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		// Folding every name would cost more than all the rest of this.
		if len(name) != len("content-range") && len(name) != len("content-length") {
			continue
		}
		expected, ok := want[strings.ToLower(name)]
		if !ok {
			continue
		}
		if strings.TrimSpace(value) != expected {
			return fmt.Errorf("%q where %q was asked for", line, expected)
		}
		found++
	}
	if found != len(want) {
		return errors.New("no Content-Range or no Content-Length")
	}
	return nil
}
