package corkedconn

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/media"
)

// setUnsentMark sets a socket's mark. A kernel that refuses still serves, with more memory.
func setUnsentMark(fd uintptr, bytes int) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
}

// initSending prepares the connection's sends and sets its first mark.
func (c *Conn) initSending() {
	c.sending.yield = runtime.Gosched
	_ = c.raw.Control(c.sending.setMark)
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
		if n, err = readNow(fd, buf[:]); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if n > 0 {
		c.buffered, c.readOff, c.readEnd = buf, 0, n
		return true
	}
	readBuffers.Put(buf)
	switch {
	case err == nil:
		c.readErr = io.EOF
	case errors.Is(err, syscall.EAGAIN):
		return false
	default:
		c.readErr = &net.OpError{Op: "read", Net: "tcp", Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", err)}
	}
	return true
}

// send is one send in progress: the header, then the data or a file's bytes. The runtime
// calls its steps whenever the socket is writable, until they report true.
type send struct {
	header    []byte
	data      []byte
	from      int              // the file's descriptor; -1 where data is sent
	residency *media.Residency // the file's; nil where none is remembered
	off       int64
	left      int64 // of the data or the file
	err       error
	// residentUntil is up to where the file's bytes were found in the page cache, from off on,
	// since the send last blocked.
	residentUntil int64
}

// sending is a connection's send in progress and what is known of those before.
type sending struct {
	send
	mark unsentMark
	slow membership
	set  int // the socket's mark
	// accepted is how many bytes the kernel took since a send that had blocked went on, at
	// wentOn; zero before the first.
	accepted int64
	wentOn   time.Time
	// blockedAt is when the send in progress blocked; zero while it does not.
	blockedAt time.Time
	// inTurn is how many bytes were sent since other goroutines could run.
	inTurn  int64
	yield   func() // runtime.Gosched, or a test's
	senders *senders
	// residentUnknown is true where the kernel does not say what is in its page cache.
	residentUnknown bool
}

// step sends until all is sent, an error comes, or the socket takes no more.
func (s *sending) step(fd uintptr) bool {
	if !s.blockedAt.IsZero() {
		s.goOn(fd)
	}
	s.senders.n.Add(1)
	done := s.stepHeader(fd) && (s.err != nil || s.stepBody(fd))
	s.senders.n.Add(-1)
	if done {
		return true
	}
	s.blockedAt = time.Now()
	s.slow.set(true) // as far as is known: what it leaves unsent stays until it goes on
	return false
}

// goOn sets another mark where the time that the send was blocked calls for one.
func (s *sending) goOn(fd uintptr) {
	now := time.Now()
	var n int64
	var elapsed time.Duration
	if !s.wentOn.IsZero() {
		n, elapsed = s.accepted, now.Sub(s.wentOn)
	}
	s.mark.observe(n, elapsed, now.Sub(s.blockedAt), s.set)
	s.slow.set(s.mark.pace == slow || s.mark.pace == steady)
	s.slow.of.look(now)
	s.setMark(fd)
	s.accepted, s.wentOn, s.blockedAt, s.inTurn = 0, now, time.Time{}, 0
	s.residentUntil = 0
}

// setMark sets the socket's mark where it has changed.
func (s *sending) setMark(fd uintptr) {
	if mark := s.mark.bytes(s.slow.of.mark()); mark != s.set {
		setUnsentMark(fd, mark)
		s.set = mark
	}
}

// stepHeader sends the header with MSG_MORE, so that it waits for the body's first bytes
// and leaves with them.
func (s *sending) stepHeader(fd uintptr) bool {
	for len(s.header) > 0 {
		n, err := sendNow(fd, s.header, unix.MSG_MORE|unix.MSG_NOSIGNAL)
		switch {
		case err == nil:
			s.header = s.header[n:]
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return false
		default:
			s.err = os.NewSyscallError("sendmsg", err)
			return true
		}
	}
	return true
}

func (s *sending) stepBody(fd uintptr) bool {
	for s.left > 0 && s.err == nil {
		if s.inTurn >= s.senders.turn() {
			s.yield()
			s.inTurn = 0
			s.residentUntil = 0 // pages may have been reclaimed meanwhile
		}
		n, call, err := s.sendSome(int(fd))
		switch {
		case n > 0:
			s.left -= int64(n)
			s.accepted += int64(n)
			s.inTurn += int64(n)
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil:
			s.err = os.NewSyscallError(call, err)
		default:
			return true // the file ends early; the caller sees it from the count
		}
	}
	return true
}

// sendSome makes one system call, for a turn at most.
func (s *sending) sendSome(fd int) (n int, call string, err error) {
	most := min(s.left, turn)
	if s.from >= 0 {
		if s.residentNow(most) {
			began := time.Now()
			n, err = sendfileAtOnce(fd, s.from, &s.off, int(most))
			s.judge(time.Since(began))
		} else {
			n, err = syscall.Sendfile(fd, s.from, &s.off, int(most))
		}
		return n, "sendfile", err
	}
	from := int64(len(s.data)) - s.left
	n, err = syscall.SendmsgN(fd, s.data[from:from+most], nil, nil, unix.MSG_NOSIGNAL)
	return n, "sendmsg", err
}

// judge ends the trust in what is known of the file where a send of bytes that were taken to be in
// memory took as long as from a disk.
func (s *sending) judge(took time.Duration) {
	if took <= refutedBy {
		return
	}
	s.residentUntil = 0
	if s.residency != nil {
		s.residency.Set(time.Now(), false)
	}
}

// residentNow reports whether the next n bytes of the file are known to be in the page cache.
func (s *sending) residentNow(n int64) bool {
	if s.off+n <= s.residentUntil {
		return true
	}
	if s.residentUnknown {
		return false
	}
	if s.residency != nil && wholeResident(s.from, s.residency, time.Now()) {
		return true
	}
	yes, known := resident(s.from, s.off, n)
	if s.residentUnknown = !known; yes {
		s.residentUntil = s.off + n
	}
	return yes
}

// SendFile sends what was kept and then n bytes of f from off on, with sendfile(2),
// and returns how many bytes of the file were sent. residency is the file's, or nil.
func (c *Conn) SendFile(f *os.File, residency *media.Residency, off, n int64) (int64, error) {
	return c.send(send{from: int(f.Fd()), residency: residency, off: off, left: n})
}

// sendData sends what was kept and then data, and returns how many bytes of data were sent.
func (c *Conn) sendData(data []byte) (int64, error) {
	return c.send(send{data: data, from: -1, left: int64(len(data))})
}

func (c *Conn) send(body send) (int64, error) {
	s := &c.sending
	n := body.left
	if c.corked != nil {
		body.header = *c.corked
		s.inTurn = 0 // the goroutine has just waited for a request
	}
	s.send, s.blockedAt = body, time.Time{}
	beforeSend()
	err := c.raw.Write(c.sendStep)
	c.Discard()
	if err == nil {
		err = s.err
	}
	sent := n - s.left
	s.send = send{}
	return sent, err
}
