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

// drainer is Random for bodies that are dropped: one thread with an epoll loop of its own,
// which receives as soon as something has arrived. Goroutines, which the scheduler wakes, cost
// a quarter more at 64 KiB, and see a first byte when their turn comes instead of when it is
// there.
type drainer struct {
	target Target
	slots  int64
	length int64
	epoll  int
	conns  map[int32]*drained
	seen   Result
}

// drained is one of its connections.
type drained struct {
	fd     int
	viewer int
	req    []byte
	in     [headSize]byte
	filled int // of in, while the head is incomplete
	off    int64
	left   int64 // of the body; the head is read while it is 0
	sent   time.Time
	first  time.Duration // until the body's first byte; 0 before
}

// drain keeps conns connections busy until end.
func drain(ctx context.Context, t Target, conns int, length int64, end time.Time) (_ Result, err error) {
	d := &drainer{target: t, slots: t.Content.Size() / length, length: length, conns: map[int32]*drained{}}
	if d.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return Result{}, err
	}
	defer unix.Close(d.epoll)
	defer func() {
		for _, c := range d.conns {
			unix.Close(c.fd)
		}
	}()
	for viewer := range conns {
		if err := d.connect(viewer); err != nil {
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

// connect opens a connection that Go's own poller does not know of.
func (d *drainer) connect(viewer int) error {
	addr, err := net.ResolveTCPAddr("tcp4", d.target.Addr)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c := &drained{fd: fd, viewer: viewer}
	d.conns[int32(fd)] = c
	to := &unix.SockaddrInet4{Port: addr.Port}
	copy(to.Addr[:], addr.IP.To4())
	return errors.Join(
		unix.Connect(fd, to),
		unix.SetNonblock(fd, true),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}),
	)
}

// run asks on all connections and receives until end. What is under way then is not counted.
func (d *drainer) run(ctx context.Context, end time.Time) error {
	for _, c := range d.conns {
		if err := d.ask(c); err != nil {
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
			if err := d.receive(d.conns[e.Fd], now); err != nil {
				return err
			}
		}
	}
}

// ask sends the next request.
func (d *drainer) ask(c *drained) error {
	c.off = rand.Int64N(d.slots) * d.length
	c.req = appendRequest(c.req[:0], d.target, c.viewer, c.off, c.off+d.length-1)
	c.filled, c.first, c.sent = 0, 0, time.Now()
	n, err := unix.Write(c.fd, c.req)
	if err == nil && n < len(c.req) {
		err = io.ErrShortWrite // of a request into an empty socket
	}
	return err
}

// receive goes on with an answer of which something has arrived.
func (d *drainer) receive(c *drained, now time.Time) error {
	if c.left == 0 {
		body, err := d.readHead(c)
		if err != nil || c.left == 0 {
			return err
		}
		c.took(body, now)
	}
	if c.left > 0 {
		n, err := discard(c.fd, c.left)
		if err != nil {
			return fmt.Errorf("%d bytes missing: %w", c.left, err)
		}
		c.took(n, now)
	}
	if c.left > 0 {
		return nil
	}
	d.seen.Requests++
	d.seen.Bytes += d.length
	d.seen.First = append(d.seen.First, c.first)
	return d.ask(c)
}

// readHead reads a head and sets left to the body's length when it is complete. It returns
// how many bytes of the body came with it.
func (d *drainer) readHead(c *drained) (body int64, err error) {
	n, err := unix.Read(c.fd, c.in[c.filled:])
	switch {
	case errors.Is(err, unix.EAGAIN):
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
	if err := h.check(c.off, c.off+d.length-1, d.target.Content.Size()); err != nil {
		return 0, err
	}
	if c.left = h.length; int64(len(rest)) > c.left {
		return 0, errSurplus
	}
	return int64(len(rest)), nil
}

// took counts n bytes of the body.
func (c *drained) took(n int64, now time.Time) {
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
