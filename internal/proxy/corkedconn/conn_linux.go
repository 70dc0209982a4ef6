package corkedconn

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxUnsent bounds the bytes of a stream that wait in the kernel behind those in
// flight: two seconds of a lesson. Without a bound the send buffer of a client that
// reads 1 Mbit/s grows like that of a fast one, to megabytes each.
const maxUnsent = 256 << 10

// limitUnsent sets maxUnsent. A kernel that refuses still serves, with more memory.
func limitUnsent(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}

// awaitRequest waits until bytes arrive, and reads them into a buffer.
func (c *Conn) awaitRequest() error {
	if err := c.raw.Read(c.fill); err != nil {
		return err
	}
	err := c.readErr
	c.readErr = nil
	return err
}

// readAvailable reads what has arrived into a buffer from the pool. It reports false,
// and keeps no buffer, when nothing has arrived.
func (c *Conn) readAvailable(fd uintptr) bool {
	buf := readBuffers.Get().(*readBuffer)
	var n int
	var err error
	for {
		if n, err = syscall.Read(int(fd), buf[:]); err != syscall.EINTR {
			break
		}
	}
	if n > 0 {
		c.buffered, c.readOff, c.readEnd = buf, 0, n
		return true
	}
	readBuffers.Put(buf)
	switch err {
	case nil:
		c.readErr = io.EOF
	case syscall.EAGAIN:
		return false
	default:
		c.readErr = &net.OpError{Op: "read", Net: "tcp", Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", err)}
	}
	return true
}

// send is one send in progress. The runtime calls its steps whenever the socket is
// writable, until they report true.
type send struct {
	header []byte
	from   int
	off    int64
	left   int64
	err    error
}

// stepHeader sends the header with MSG_MORE, so that it waits for the file's first
// bytes and leaves with them.
func (s *send) stepHeader(fd uintptr) bool {
	for len(s.header) > 0 {
		n, err := syscall.SendmsgN(int(fd), s.header, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			s.header = s.header[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			s.err = os.NewSyscallError("sendmsg", err)
			return true
		}
	}
	return true
}

func (s *send) step(fd uintptr) bool {
	if !s.stepHeader(fd) {
		return false
	}
	for s.left > 0 && s.err == nil {
		n, err := syscall.Sendfile(int(fd), s.from, &s.off, int(s.left))
		switch {
		case n > 0:
			s.left -= int64(n)
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			s.err = os.NewSyscallError("sendfile", err)
		default:
			return true // the file ends early; the caller sees it from the count
		}
	}
	return true
}

// SendFile sends what was kept and then n bytes of f from off on, with sendfile(2),
// and returns how many bytes of the file were sent.
func (c *Conn) SendFile(f *os.File, off, n int64) (int64, error) {
	s := &c.sending
	*s = send{from: int(f.Fd()), off: off, left: n}
	if c.corked != nil {
		s.header = *c.corked
	}
	err := c.raw.Write(c.sendStep)
	c.Discard()
	if err == nil {
		err = s.err
	}
	sent := n - s.left
	*s = send{}
	return sent, err
}
