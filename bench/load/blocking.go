package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// drainThreads is Random for bodies that are dropped, as a thread for each connection, which
// sleeps in recv(2) until something has arrived. The kernel wakes each when its bytes come, as it
// does with viewers on machines of their own, and a server sends while the client receives. With
// the one thread of drain it sends while the client is at another connection, so that pieces are
// larger and wake-ups fewer than viewers allow.
func drainThreads(ctx context.Context, conns []*dropping, end time.Time) (total Result, err error) {
	// A thread that returns from a system call finds a processor of the scheduler's free.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(len(conns) + 4))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		for _, c := range conns {
			_ = unix.Shutdown(c.fd, unix.SHUT_RDWR) // wakes the thread
		}
	})
	defer func() {
		if !stop() {
			<-woken // the caller closes the descriptors, and their numbers become those of others
		}
	}()
	var mu sync.Mutex
	var threads sync.WaitGroup
	for _, c := range conns {
		threads.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread() // a thread that ended would take the servers that it started with it
			seen, err := c.drain(ctx, end)
			if err != nil {
				cancel(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total.Requests += seen.Requests
			total.Bytes += seen.Bytes
			total.First = append(total.First, seen.First...)
		})
	}
	threads.Wait()
	return total, context.Cause(ctx)
}

// drain asks and receives until end.
func (c *dropping) drain(ctx context.Context, end time.Time) (seen Result, err error) {
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return seen, err
	}
	for time.Now().Before(end) && ctx.Err() == nil {
		if err := c.ask(); err != nil {
			return seen, err
		}
		for asked := time.Now(); c.left == 0; {
			body, err := c.readHead()
			if err != nil {
				return seen, err
			}
			if c.left > 0 {
				c.took(body, time.Now())
			} else if time.Since(asked) > patience {
				return seen, fmt.Errorf("no head came for %s", patience)
			}
		}
		for c.left > 0 {
			n, err := discardBlocking(c.fd, c.left)
			if err != nil {
				return seen, fmt.Errorf("%d bytes missing: %w", c.left, err)
			}
			c.took(n, time.Now())
		}
		seen.count(c)
	}
	return seen, nil
}

// discardBlocking is discard that waits for the first byte.
func discardBlocking(fd int, n int64) (int64, error) {
	got, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(min(n, dropSize)), unix.MSG_TRUNC, 0, 0)
	switch {
	case errno == unix.EINTR:
		return 0, nil
	case errno == unix.EAGAIN:
		return 0, errors.New("nothing came for " + patience.String())
	case errno != 0:
		return 0, errno
	case got == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return int64(got), nil
}
