package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// dropping is a connection whose bodies the kernel drops. It asks for random ranges of one length.
// Go's own poller does not know of it.
type dropping struct {
	target Target
	slots  int64
	length int64
	viewer int

	fd     int
	req    []byte
	in     [headSize]byte
	filled int // of in, while the head is incomplete
	off    int64
	left   int64 // of the body; the head is read while it is 0
	sent   time.Time
	first  time.Duration // until the body's first byte; 0 before
}

// connect opens the connection, which blocks.
func (c *dropping) connect() error {
	addr, err := net.ResolveTCPAddr("tcp4", c.target.Addr)
	if err != nil {
		return err
	}
	if c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Port: addr.Port}
	copy(to.Addr[:], addr.IP.To4())
	if err := errors.Join(unix.Connect(c.fd, to), unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)); err != nil {
		return errors.Join(err, unix.Close(c.fd))
	}
	return nil
}

// ask sends the next request.
func (c *dropping) ask() error {
	c.off = rand.Int64N(c.slots) * c.length
	c.req = appendRequest(c.req[:0], c.target, c.viewer, c.off, c.off+c.length-1)
	c.filled, c.first, c.sent = 0, 0, time.Now()
	n, err := unix.Write(c.fd, c.req)
	if err == nil && n < len(c.req) {
		err = io.ErrShortWrite // of a request into an empty socket
	}
	return err
}

// readHead reads a head and sets left to the body's length when it is complete. It returns
// how many bytes of the body came with it.
func (c *dropping) readHead() (body int64, err error) {
	n, err := unix.Read(c.fd, c.in[c.filled:])
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	}
	c.filled += n
	raw, rest, ok := bytes.Cut(c.in[:c.filled], []byte("\r\n\r\n"))
	if !ok {
		if c.filled == len(c.in) {
			return 0, errors.New("a head without end")
		}
		return 0, nil
	}
	h, err := parseHead(raw)
	if err != nil {
		return 0, err
	}
	if err := h.check(c.off, c.off+c.length-1, c.target.Content.Size()); err != nil {
		return 0, err
	}
	if c.left = h.length; int64(len(rest)) > c.left {
		return 0, errSurplus
	}
	return int64(len(rest)), nil
}

// receive goes on with an answer of which something has arrived. It reports whether the answer
// is complete.
func (c *dropping) receive(now time.Time) (complete bool, err error) {
	if c.left == 0 {
		body, err := c.readHead()
		if err != nil || c.left == 0 {
			return false, err
		}
		c.took(body, now)
	}
	if c.left > 0 {
		n, err := discard(c.fd, c.left)
		if err != nil {
			return false, fmt.Errorf("%d bytes missing: %w", c.left, err)
		}
		c.took(n, now)
	}
	return c.left == 0, nil
}

// took counts n bytes of the body.
func (c *dropping) took(n int64, now time.Time) {
	if n > 0 && c.first == 0 {
		c.first = now.Sub(c.sent)
	}
	c.left -= n
}

// discard has the kernel drop up to n bytes that have arrived (tcp(7), MSG_TRUNC). There is
// no buffer that it could write to. 0 is nothing yet.
func discard(fd int, n int64) (int64, error) {
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(min(n, dropSize)), unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, errno
	case got == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return int64(got), nil
}

// drainer is Random for bodies that are dropped, as one thread with an epoll loop, which receives
// as soon as something has arrived. It costs the least for small ranges. Connections wait for each
// other's turn.
type drainer struct {
	epoll int
	conns map[int32]*dropping
	seen  Result
}

// drain keeps connections busy until end.
func drain(ctx context.Context, conns []*dropping, end time.Time) (_ Result, err error) {
	d := &drainer{conns: map[int32]*dropping{}}
	if d.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return Result{}, err
	}
	defer unix.Close(d.epoll)
	for _, c := range conns {
		d.conns[int32(c.fd)] = c
		if err := errors.Join(unix.SetNonblock(c.fd, true),
			unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})); err != nil {
			return Result{}, err
		}
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- d.run(ctx, end)
	}()
	err = <-done
	return d.seen, err
}

// run asks on all connections and receives until end. What is under way then is not counted.
func (d *drainer) run(ctx context.Context, end time.Time) error {
	for _, c := range d.conns {
		if err := c.ask(); err != nil {
			return err
		}
	}
	var events [64]unix.EpollEvent
	for heard := time.Now(); ; {
		n, err := unix.EpollWait(d.epoll, events[:], 50)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !now.Before(end):
			return nil
		case n > 0:
			heard = now
		case now.Sub(heard) > patience:
			return fmt.Errorf("nothing came for %s", patience)
		}
		for _, e := range events[:max(n, 0)] {
			c := d.conns[e.Fd]
			complete, err := c.receive(now)
			if err == nil && complete {
				d.seen.count(c)
				err = c.ask()
			}
			if err != nil {
				return err
			}
		}
	}
}

// count adds a complete answer.
func (r *Result) count(c *dropping) {
	r.Requests++
	r.Bytes += c.length
	r.First = append(r.First, c.first)
}
