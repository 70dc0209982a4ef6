// Package corkedconn is a client's TCP connection with what streams need beside
// net.Conn: headers that leave together with the first bytes of the body, files sent
// from an offset with sendfile(2), waiting for a request without a buffer, and a
// question whether the client has hung up.
package corkedconn

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"github.com/lectiospace/lectern/internal/requestline"
	"github.com/lectiospace/lectern/internal/tcpmemory"
)

// Conn is a client's connection. It holds no buffer while it waits.
//
//   - While corked, writes are kept until the first bytes of the body are there, and
//     leave in one segment with them: one system call less here, and one wake-up less
//     for the client.
//   - A file's bytes are sent from an offset, so that no file position has to be set.
//   - A read of one byte, which is how fasthttp waits for the next request, waits
//     without a buffer and then reads all that has arrived.
//   - What has arrived then is shown to the Answerer first, where there is one. What that
//     answers, the reader never sees.
//   - The request that follows such a read is scanned: once it is impossible, the next
//     read fails with requestline.ErrNoRequest instead of waiting. A request that has
//     arrived together with the one before it is not scanned.
//
// Reads and writes belong to the connection's goroutine; Close, the deadlines and
// HungUp may be called from any.
type Conn struct {
	*net.TCPConn
	raw syscall.RawConn

	// Kept is what a handler keeps of the connection between two requests. It belongs to the
	// connection's goroutine.
	Kept any

	// Answerer answers requests before the server reads them; nil: none. It is asked only while
	// BetweenMessages, which the server sets: a read of one byte can also be one in the middle of a
	// message, for the last byte of a buffer. Both belong to the connection's goroutine.
	Answerer        Answerer
	BetweenMessages bool

	// corked is what was written since Cork; nil when the connection is not corked.
	corked *[]byte

	buffered *readBuffer // bytes received and not yet read: [readOff, readEnd)
	readOff  int
	readEnd  int
	readErr  error
	scanner  requestline.Scanner
	refused  bool                  // the scanned request is impossible, the failing read is due
	scanned  bool                  // nothing is left to scan
	line     int                   // bytes read since the last LF
	fill     func(fd uintptr) bool // readAvailable, bound once
	sending  sending
	sendStep func(fd uintptr) bool // sending.step, bound once

	answering answering
}

// readBuffer is as large as a player's request; longer requests come in parts.
type readBuffer [4 << 10]byte

var (
	readBuffers   = sync.Pool{New: func() any { return new(readBuffer) }}
	headerBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}
)

// Listener wraps each TCP connection that it accepts in a Conn.
type Listener struct {
	net.Listener
	slow    *slowConns
	senders *senders
}

// NewListener returns a Listener of the connections that ln accepts.
func NewListener(ln net.Listener) *Listener {
	return &Listener{
		Listener: ln,
		slow:     newSlowConns(tcpMemory{bound: tcpmemory.Bound(), group: tcpmemory.GroupLimit(), used: tcpmemory.Used}),
		senders:  &senders{processors: int64(runtime.GOMAXPROCS(0))},
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	return newConn(tcp, l.slow, l.senders), nil
}

func newConn(tcp *net.TCPConn, slow *slowConns, all *senders) net.Conn {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return tcp // closed already: the next read fails
	}
	c := &Conn{TCPConn: tcp, raw: raw}
	c.sending.slow.of, c.sending.senders = slow, all
	c.fill = c.readAvailable
	c.sendStep = c.sending.step
	c.initSending()
	return c
}

// Close implements net.Conn. While the Answerer answers, the connection is closed when it has
// answered: to the server the connection is idle, and a server that shuts down closes idle ones.
func (c *Conn) Close() error {
	if c.answering.closeAfter() {
		return nil
	}
	return c.CloseNow()
}

// CloseNow closes the connection in the middle of an answer as well.
func (c *Conn) CloseNow() error {
	c.sending.slow.close()
	return c.TCPConn.Close()
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.read(p)
	if lf := bytes.LastIndexByte(p[:n], '\n'); lf >= 0 {
		c.line = n - lf - 1
	} else {
		c.line += n
	}
	return n, err
}

func (c *Conn) read(p []byte) (int, error) {
	if c.buffered == nil {
		if c.refused {
			c.refused = false
			return 0, requestline.ErrNoRequest
		}
		if len(p) != 1 {
			n, err := c.TCPConn.Read(p)
			c.scan(p[:n])
			return n, err
		}
		if err := c.awaitUnanswered(); err != nil {
			return 0, err
		}
		c.scanner, c.scanned = requestline.Scanner{CRLF: true}, false
		c.scan(c.buffered[c.readOff:c.readEnd])
	}
	n := copy(p, c.buffered[c.readOff:c.readEnd])
	if c.readOff += n; c.readOff == c.readEnd {
		readBuffers.Put(c.buffered)
		c.buffered = nil
	}
	return n, nil
}

// TargetTooLong reports whether the request that could not be read has a target that is
// too long: by the scan or, where the request came together with the one before it, because
// its line fills a buffer of so many bytes.
func (c *Conn) TargetTooLong(buffer int) bool {
	return c.scanner.TargetTooLong() || c.line >= buffer
}

// scan scans what has arrived of a request. The failing read comes once, so that what
// arrives after it can be discarded.
func (c *Conn) scan(p []byte) {
	if !c.scanned && !c.scanner.Scan(p) {
		c.scanned, c.refused = true, true
	}
}

// Cork keeps what is written from now on until SendBytes, SendFile, Uncork or
// Discard.
func (c *Conn) Cork() {
	if c.corked == nil {
		c.corked = headerBuffers.Get().(*[]byte)
		*c.corked = (*c.corked)[:0]
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if c.corked == nil {
		return c.TCPConn.Write(p)
	}
	*c.corked = append(*c.corked, p...)
	return len(p), nil
}

// Uncork sends what was kept.
func (c *Conn) Uncork() error {
	if c.corked == nil {
		return nil
	}
	_, err := c.TCPConn.Write(*c.corked)
	c.Discard()
	return err
}

// Discard uncorks without sending what was kept.
func (c *Conn) Discard() {
	if c.corked != nil {
		headerBuffers.Put(c.corked)
		c.corked = nil
	}
}

// SendBytes sends what was kept and then data, and returns how many bytes of data
// were sent. Little data shares a system call with the headers; much gets its own.
func (c *Conn) SendBytes(data []byte) (int64, error) {
	if c.corked != nil && len(data) <= cap(*c.corked)-len(*c.corked) {
		head := len(*c.corked)
		n, err := c.TCPConn.Write(append(*c.corked, data...))
		c.Discard()
		return int64(max(0, n-head)), err
	}
	return c.sendData(data)
}

// CopyFile sends n bytes of f from off on to a connection that is not a Conn.
func CopyFile(dst io.Writer, f *os.File, off, n int64) (int64, error) {
	return io.Copy(dst, io.NewSectionReader(f, off, n))
}
