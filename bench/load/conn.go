// Package load requests bytes from a server. Two clients share all of the code but the
// receiving of a body: one compares every byte, for correctness, and one has the kernel
// drop the bytes, for throughput and processor time. Both use plain sockets: on a machine
// that also runs the server, the client's CPU time is taken from the server.
package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/bench/content"
)

// Target is a file at a server.
type Target struct {
	Addr string // host:port
	Path string
	// Paths are names of the file that viewers take in turn, as they watch different
	// recordings; empty for Path alone.
	Paths []string
	// Headers are header lines with their line ends; requests take them in turn,
	// as those of different viewers. Empty for none.
	Headers []string
	Content *content.Content
	// TLS is the configuration of connections over TLS; nil for none.
	TLS *tls.Config
	// Drop has the kernel drop the bodies' bytes instead of comparing them. Status,
	// lengths and offsets are checked all the same. Over TLS the bytes are decrypted and
	// not looked at, because only the kernel's own TLS could drop them earlier.
	Drop bool
	// Threads has Random receive what is dropped in a thread for each connection instead of in
	// one for all.
	Threads bool
}

func (t Target) header(viewer int) string {
	if len(t.Headers) == 0 {
		return ""
	}
	return t.Headers[viewer%len(t.Headers)]
}

func (t Target) path(viewer int) string {
	if len(t.Paths) == 0 {
		return t.Path
	}
	return t.Paths[viewer%len(t.Paths)]
}

const (
	// readSize is how much a client takes from the socket at a time: what still lies
	// in the processor's cache when it is compared.
	readSize = 128 << 10
	// headSize is how much a client that drops bodies takes from the socket before it
	// knows where the head ends. The bytes of the body among them are copied and counted.
	headSize = 1 << 10
	// dropSize is the most that the kernel is asked to drop at a time.
	dropSize = 1 << 30
)

// patience bounds the wait for anything from a server.
const patience = 60 * time.Second

var (
	// errSurplus is a body that is longer than its Content-Length.
	errSurplus = errors.New("bytes behind the end of the body")
	// errNoAnswer is a connection that the server has closed before the first byte of an answer.
	errNoAnswer = errors.New("closed before the answer")
)

// Conn is a kept connection. It belongs to one goroutine.
type Conn struct {
	tcp    *net.TCPConn
	stream net.Conn // tcp, or TLS over it
	raw    syscall.RawConn
	buf    []byte
	req    []byte

	// The arguments and results of receive, which is called through raw: a closure for
	// each call would be an allocation.
	receive func(fd uintptr) bool
	limit   int
	flags   int
	got     int
	errno   syscall.Errno
}

// Dial connects to the target's server.
func Dial(ctx context.Context, t Target) (*Conn, error) {
	c, err := dial(ctx, t)
	if err != nil {
		return nil, err
	}
	size := readSize
	if t.Drop && t.TLS == nil {
		size = headSize
	}
	c.buf = make([]byte, size)
	return c, nil
}

// dial connects without a buffer.
func dial(ctx context.Context, t Target) (*Conn, error) {
	var d net.Dialer
	dialed, err := d.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{tcp: dialed.(*net.TCPConn), stream: dialed}
	if c.raw, err = c.tcp.SyscallConn(); err != nil {
		dialed.Close()
		return nil, err
	}
	c.receive = func(fd uintptr) bool {
		// The socket does not block, so that the scheduler need not know of the call. With
		// MSG_TRUNC the kernel writes nothing, and there is no buffer that it could write to.
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, 0, uintptr(c.limit), uintptr(c.flags), 0, 0)
		c.got, c.errno = int(n), errno
		return c.flags&unix.MSG_DONTWAIT != 0 || errno != unix.EAGAIN && errno != unix.EINTR
	}
	if t.TLS != nil {
		secure := tls.Client(dialed, t.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			dialed.Close()
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		c.stream = secure
	}
	return c, nil
}

// Close hangs up.
func (c *Conn) Close() error { return c.tcp.Close() }

// Get asks for [off, off+length) and reads all of it.
func (c *Conn) Get(t Target, viewer int, off, length int64) (first time.Duration, err error) {
	return c.get(t, viewer, off, off+length-1, length)
}

// GetFrom asks for everything from off on, as browsers do, and reads want bytes
// of it; when that is less than all, the connection is of no more use.
func (c *Conn) GetFrom(t Target, viewer int, off, want int64) (first time.Duration, err error) {
	return c.get(t, viewer, off, OpenEnd, want)
}

// get returns the time to the body's first byte.
func (c *Conn) get(t Target, viewer int, off, last, want int64) (first time.Duration, err error) {
	began := time.Now()
	n, err := c.request(t, viewer, off, last)
	if err != nil {
		return 0, err
	}
	for {
		if n = min(n, want); n > 0 && first == 0 {
			first = time.Since(began)
		}
		off, want = off+n, want-n
		if want == 0 {
			return first, nil
		}
		if n, err = c.take(t, off, want); err != nil {
			return first, fmt.Errorf("%d bytes missing: %w", want, err)
		}
	}
}

// request sends a request and reads the answer's head. It returns how many bytes of the body
// came with the head, and has compared them where the target asks for it.
func (c *Conn) request(t Target, viewer int, off, last int64) (n int64, err error) {
	c.req = appendRequest(c.req[:0], t, viewer, off, last)
	if err := c.tcp.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err := c.stream.Write(c.req); err != nil {
		return 0, unanswered(err)
	}
	filled := 0
	for {
		got, err := c.stream.Read(c.buf[filled:])
		if err != nil && filled == 0 {
			return 0, unanswered(err)
		}
		if err != nil {
			return 0, err
		}
		filled += got
		raw, body, ok := bytes.Cut(c.buf[:filled], []byte("\r\n\r\n"))
		if !ok {
			if filled == len(c.buf) {
				return 0, errors.New("a head without end")
			}
			continue
		}
		head, err := parseHead(raw)
		if err != nil {
			return 0, err
		}
		if err := head.check(off, last, t.Content.Size()); err != nil {
			return 0, err
		}
		if int64(len(body)) > head.length {
			return 0, errSurplus
		}
		return int64(len(body)), compare(t, body, off)
	}
}

// unanswered marks an error that says that the server has closed the connection.
func unanswered(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return err
}

func appendRequest(req []byte, t Target, viewer int, off, last int64) []byte {
	req = append(req, "GET "...)
	req = append(req, t.path(viewer)...)
	req = append(req, " HTTP/1.1\r\nHost: "...)
	req = append(req, t.Addr...)
	req = append(req, "\r\nRange: bytes="...)
	req = strconv.AppendInt(req, off, 10)
	req = append(req, '-')
	if last != OpenEnd {
		req = strconv.AppendInt(req, last, 10)
	}
	req = append(req, "\r\n"...)
	req = append(req, t.header(viewer)...)
	return append(req, "\r\n"...)
}

// take receives some of the body, at most want bytes, and returns how many. It never takes
// what does not belong to the body: surplus bytes are found where the next head should be.
func (c *Conn) take(t Target, off, want int64) (int64, error) {
	if t.Drop && t.TLS == nil {
		return c.drop(want)
	}
	n, err := c.stream.Read(c.buf[:min(int64(len(c.buf)), want)])
	if err != nil {
		return 0, err
	}
	return int64(n), compare(t, c.buf[:n], off)
}

// compare makes sure that p is the content at off, where the target asks for it.
func compare(t Target, p []byte, off int64) error {
	if !t.Drop && !t.Content.Matches(p, off) {
		return fmt.Errorf("wrong bytes between %d and %d", off, off+int64(len(p)))
	}
	return nil
}

// drop has the kernel discard what has arrived, at most want bytes (tcp(7), MSG_TRUNC), and
// waits where nothing has.
func (c *Conn) drop(want int64) (int64, error) {
	c.limit, c.flags = int(min(want, dropSize)), unix.MSG_TRUNC
	if err := c.raw.Read(c.receive); err != nil {
		return 0, err
	}
	switch {
	case c.errno != 0:
		return 0, c.errno
	case c.got == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return int64(c.got), nil
}

// Drained makes sure that nothing came behind the last body, as far as it has arrived. Over
// TLS it finds nothing: what the socket holds may be the protocol's own.
func (c *Conn) Drained() error {
	if c.stream != net.Conn(c.tcp) {
		return nil
	}
	c.limit, c.flags = 1, unix.MSG_TRUNC|unix.MSG_PEEK|unix.MSG_DONTWAIT
	if err := c.raw.Read(c.receive); err != nil {
		return err
	}
	if c.errno == 0 && c.got > 0 {
		return errSurplus
	}
	return nil
}
