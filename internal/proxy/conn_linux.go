package proxy

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentRoom is how much of a stream lies in the kernel behind what is on its
// way: two seconds of a lesson. Without a bound the send buffer of a client that
// takes 1 Mbit/s grows as that of a fast one, to megabytes each.
const maxUnsent = 256 << 10

// boundUnsent sets it; a kernel that will not is none the worse for serving.
func limitUnsent(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}

// awaitRequest waits for bytes and reads them ahead.
func (c *Conn) awaitRequest() error {
	if err := c.raw.Read(c.fill); err != nil {
		return err
	}
	err := c.readErr
	c.readErr = nil
	return err
}

// fillAhead reads what has come into a buffer taken for it, or says that nothing
// has, without one.
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

// sending is one send under way. Its steps are called by the runtime whenever
// the socket has room, and again until they say that they are through.
type send struct {
	header []byte
	from   int
	off    int64
	left   int64
	err    error
}

// stepHeader sends the header with the word that more is coming, so that it
// waits for the file's first bytes and leaves with them.
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
			return true // the file ends early, which is the caller's to tell
		}
	}
	return true
}

// sendFile sends what is held back, and n bytes of f from off on, and tells how
// many of the file.
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
