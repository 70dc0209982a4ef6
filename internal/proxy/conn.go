package proxy

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// conn is a client's connection with what streams need beside net.Conn, and with
// no memory of its own while it waits:
//
//   - Headers are held back until the first bytes of the body are there, and leave
//     in one segment with them: one system call less for us and one wake-up less
//     for the client.
//   - A file's bytes are sent from an offset, so that no file position has to be
//     set and looked at.
//   - Reading one byte, which is how fasthttp waits for the next request, waits
//     without a buffer and then takes all that has come.
//
// Reading and writing belong to the connection's goroutine; Close, the deadlines
// and what looks at the descriptor may be called from any.
type conn struct {
	*net.TCPConn
	raw syscall.RawConn

	// held is what Write was given since hold, nil when nothing is held back.
	held *[]byte

	ahead    *aheadBuffer // bytes read and not yet asked for: [taken, filled)
	taken    int
	filled   int
	readErr  error
	fill     func(fd uintptr) bool // fillAhead, bound once
	sending  sending
	sendStep func(fd uintptr) bool // sending.step, bound once
}

// aheadBuffer has room for what a player asks in; longer requests come in parts.
type aheadBuffer [4 << 10]byte

var (
	aheadBuffers  = sync.Pool{New: func() any { return new(aheadBuffer) }}
	headerBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}
)

// listener makes a conn of each TCP connection.
type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	return newConn(tcp), nil
}

func newConn(tcp *net.TCPConn) net.Conn {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return tcp // closed already: whoever reads will see
	}
	c := &conn{TCPConn: tcp, raw: raw}
	c.fill = c.fillAhead
	c.sendStep = c.sending.step
	boundUnsent(raw)
	return c
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if c.ahead == nil {
		if len(p) != 1 {
			return c.TCPConn.Read(p)
		}
		if err := c.awaitRequest(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.ahead[c.taken:c.filled])
	if c.taken += n; c.taken == c.filled {
		aheadBuffers.Put(c.ahead)
		c.ahead = nil
	}
	return n, nil
}

// hold keeps what is written from now on until a send, release or drop.
func (c *conn) hold() {
	if c.held == nil {
		c.held = headerBuffers.Get().(*[]byte)
		*c.held = (*c.held)[:0]
	}
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if c.held == nil {
		return c.TCPConn.Write(p)
	}
	*c.held = append(*c.held, p...)
	return len(p), nil
}

// release sends what is held back.
func (c *conn) release() error {
	if c.held == nil {
		return nil
	}
	_, err := c.TCPConn.Write(*c.held)
	c.drop()
	return err
}

// drop forgets what is held back.
func (c *conn) drop() {
	if c.held != nil {
		headerBuffers.Put(c.held)
		c.held = nil
	}
}

// sendBytes sends what is held back, and data, and tells how much of data. Little
// data leaves with the headers; much is worth a call of its own.
func (c *conn) sendBytes(data []byte) (int64, error) {
	if c.held != nil && len(data) <= cap(*c.held)-len(*c.held) {
		head := len(*c.held)
		n, err := c.TCPConn.Write(append(*c.held, data...))
		c.drop()
		return int64(max(0, n-head)), err
	}
	if err := c.release(); err != nil {
		return 0, err
	}
	n, err := c.TCPConn.Write(data)
	return int64(n), err
}

// copyFile sends n bytes of f from off on to a connection that knows no better.
func copyFile(dst io.Writer, f *os.File, off, n int64) (int64, error) {
	return io.Copy(dst, io.NewSectionReader(f, off, n))
}
