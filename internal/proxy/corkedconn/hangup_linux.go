package corkedconn

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// HungUp asks the kernel, without waiting, whether the other side has closed the
// connection or its half of it. POLLRDHUP shows a FIN even behind unread bytes, as of
// a pipelined request, where peeking would not. A client that closes only its sending
// half counts as gone, as with net/http.
func HungUp(conn net.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(fds, 0)
		gone = err == nil && n > 0 && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil // Control fails only on a connection that this side has closed
}
