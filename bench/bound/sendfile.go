// Package bound has the servers that do the least that a server of a workload can do. What
// they reach on a machine is what the machine allows, and the limit for every peer.
package bound

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// requestSize bounds a request's head.
	requestSize = 4 << 10
	// turn is how much a connection is sent before others have theirs.
	turn = 512 << 10
)

// Sendfile answers every request with the range of one file that it asks for: a head that
// leaves with the first bytes, and sendfile. It verifies, looks up, counts and logs nothing.
// It has a thread with an epoll loop for each processor, and ends with an error. Its system calls
// are made without Go's scheduler, which would take the processor from a thread that sends for
// longer than 20 us and give it back: that is no cost of sending.
func Sendfile(addr, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	failed := make(chan error, runtime.NumCPU())
	for range runtime.NumCPU() {
		l, err := newLoop(addr, file, info.Size())
		if err != nil {
			return err
		}
		go func() {
			runtime.LockOSThread()
			failed <- l.run()
		}()
	}
	return <-failed
}

// loop is one thread's epoll instance, listener and connections.
type loop struct {
	epoll, listener int
	file            *os.File
	size            int64
	conns           map[int32]*conn
}

// conn is a connection: either a request is being read, or left bytes are owed.
type conn struct {
	fd      int
	in      [requestSize]byte
	head    [256]byte // of the answer
	filled  int
	at      int64
	left    int64
	waiting bool // for space in the socket
}

func newLoop(addr string, file *os.File, size int64) (*loop, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return nil, err
	}
	l := &loop{file: file, size: size, conns: map[int32]*conn{}}
	if l.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	sockaddr := &unix.SockaddrInet4{Port: tcp.Port}
	copy(sockaddr.Addr[:], tcp.IP.To4())
	if err := errors.Join(
		unix.SetsockoptInt(l.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(l.listener, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
		unix.Bind(l.listener, sockaddr),
		unix.Listen(l.listener, 4096),
	); err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	return l, l.watch(unix.EPOLL_CTL_ADD, l.listener, unix.EPOLLIN)
}

func (l *loop) watch(op, fd int, events uint32) error {
	return unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (l *loop) run() error {
	var events [128]unix.EpollEvent
	for {
		n, err := wait(l.epoll, events[:])
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == l.listener {
				if err := l.accept(); err != nil {
					return err
				}
				continue
			}
			if c := l.conns[e.Fd]; l.serve(c) != nil { // a client that hangs up, or asks for nothing
				delete(l.conns, e.Fd)
				_ = unix.Close(c.fd)
			}
		}
	}
}

func (l *loop) accept() error {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ECONNABORTED) {
			return nil
		}
		if err != nil {
			return err
		}
		l.conns[int32(fd)] = &conn{fd: fd}
		if err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), l.watch(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN)); err != nil {
			return err
		}
	}
}

// serve goes on with a connection that is ready.
func (l *loop) serve(c *conn) error {
	if c.left > 0 {
		return l.send(c)
	}
	n, err := call(unix.SYS_READ, c.fd, uintptr(unsafe.Pointer(&c.in[c.filled])), uintptr(len(c.in)-c.filled), 0)
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("hung up")
	}
	c.filled += n
	if !bytes.HasSuffix(c.in[:c.filled], []byte("\r\n\r\n")) {
		if c.filled == len(c.in) {
			return errors.New("a request without end")
		}
		return nil
	}
	from, last, err := requestedRange(c.in[:c.filled], l.size)
	if err != nil {
		return err
	}
	c.filled, c.at, c.left = 0, from, last-from+1
	answer := append(c.head[:0], "HTTP/1.1 206 Partial Content\r\nContent-Type: video/mp4\r\nContent-Length: "...)
	answer = strconv.AppendInt(answer, c.left, 10)
	answer = append(answer, "\r\nContent-Range: bytes "...)
	answer = strconv.AppendInt(answer, from, 10)
	answer = append(answer, '-')
	answer = strconv.AppendInt(answer, last, 10)
	answer = append(answer, '/')
	answer = strconv.AppendInt(answer, l.size, 10)
	answer = append(answer, "\r\n\r\n"...)
	// The socket is empty: the last answer has left before the next request came.
	if _, err := call(unix.SYS_SENDTO, c.fd, uintptr(unsafe.Pointer(&answer[0])), uintptr(len(answer)), unix.MSG_MORE|unix.MSG_NOSIGNAL); err != nil {
		return err
	}
	return l.send(c)
}

// send sends up to a turn and waits for space in the socket, or for the next request.
func (l *loop) send(c *conn) error {
	for sent := 0; c.left > 0 && sent < turn; {
		n, err := call(unix.SYS_SENDFILE, c.fd, l.file.Fd(), uintptr(unsafe.Pointer(&c.at)), uintptr(min(c.left, turn)))
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the file has become shorter")
		}
		sent, c.left = sent+n, c.left-int64(n)
	}
	if wait := c.left > 0; wait != c.waiting {
		c.waiting = wait
		events := uint32(unix.EPOLLIN)
		if wait {
			events = unix.EPOLLOUT
		}
		return l.watch(unix.EPOLL_CTL_MOD, c.fd, events)
	}
	return nil
}

// wait is epoll_wait(2). Only a wait that takes time is made with the scheduler's knowledge: it gives
// the processor to others meanwhile.
func wait(epoll int, events []unix.EpollEvent) (int, error) {
	if n, err := call(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0); n > 0 || err != nil {
		return n, err
	}
	return unix.EpollWait(epoll, events, -1)
}

// call makes a system call that does not block. Pointers among its arguments are converted in
// the call's own expression, as package unsafe wants it.
//
//go:uintptrescapes
func call(number uintptr, fd int, a, b, c uintptr) (int, error) {
	n, _, errno := unix.RawSyscall6(number, uintptr(fd), a, b, c, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// requestedRange reads "Range: bytes=from-last" or "bytes=from-" as the clients of the
// benchmark write it.
func requestedRange(request []byte, size int64) (from, last int64, err error) {
	_, value, ok := bytes.Cut(request, []byte("\r\nRange: bytes="))
	if !ok {
		return 0, 0, errors.New("no range")
	}
	value, _, _ = bytes.Cut(value, []byte("\r\n"))
	first, end, _ := bytes.Cut(value, []byte("-"))
	from, err = strconv.ParseInt(string(first), 10, 64)
	last = size - 1
	if len(end) > 0 && err == nil {
		last, err = strconv.ParseInt(string(end), 10, 64)
	}
	if err != nil || from < 0 || from > last || last >= size {
		return 0, 0, fmt.Errorf("range %q", value)
	}
	return from, last, nil
}
