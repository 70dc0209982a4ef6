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
type Conn struct {
	*net.TCPConn
	raw syscall.RawConn

	// held is what Write was given since hold, nil when nothing is held back.
	corked *[]byte

	buffered *readBuffer // bytes read and not yet asked for: [taken, filled)
	readOff  int
	readEnd  int
	readErr  error
	fill     func(fd uintptr) bool // fillAhead, bound once
	sending  send
	sendStep func(fd uintptr) bool // sending.step, bound once
}

// aheadBuffer has room for what a player asks in; longer requests come in parts.
type readBuffer [4 << 10]byte

var (
	readBuffers   = sync.Pool{New: func() any { return new(readBuffer) }}
	headerBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}
)

// listener makes a conn of each TCP connection.
type Listener struct{ net.Listener }

func (l Listener) Accept() (net.Conn, error) {
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
	c := &Conn{TCPConn: tcp, raw: raw}
	c.fill = c.readAvailable
	c.sendStep = c.sending.step
	limitUnsent(raw)
	return c
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if c.buffered == nil {
		if len(p) != 1 {
			return c.TCPConn.Read(p)
		}
		if err := c.awaitRequest(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buffered[c.readOff:c.readEnd])
	if c.readOff += n; c.readOff == c.readEnd {
		readBuffers.Put(c.buffered)
		c.buffered = nil
	}
	return n, nil
}

// hold keeps what is written from now on until a send, release or drop.
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

// release sends what is held back.
func (c *Conn) Uncork() error {
	if c.corked == nil {
		return nil
	}
	_, err := c.TCPConn.Write(*c.corked)
	c.Discard()
	return err
}

// drop forgets what is held back.
func (c *Conn) Discard() {
	if c.corked != nil {
		headerBuffers.Put(c.corked)
		c.corked = nil
	}
}

// sendBytes sends what is held back, and data, and tells how much of data. Little
// data leaves with the headers; much is worth a call of its own.
func (c *Conn) SendBytes(data []byte) (int64, error) {
	if c.corked != nil && len(data) <= cap(*c.corked)-len(*c.corked) {
		head := len(*c.corked)
		n, err := c.TCPConn.Write(append(*c.corked, data...))
		c.Discard()
		return int64(max(0, n-head)), err
	}
	if err := c.Uncork(); err != nil {
		return 0, err
	}
	n, err := c.TCPConn.Write(data)
	return int64(n), err
}

// copyFile sends n bytes of f from off on to a connection that knows no better.
func CopyFile(dst io.Writer, f *os.File, off, n int64) (int64, error) {
	return io.Copy(dst, io.NewSectionReader(f, off, n))
}
