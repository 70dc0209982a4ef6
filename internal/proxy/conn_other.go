//go:build !linux

package proxy

import (
	"os"
	"syscall"
)

func boundUnsent(syscall.RawConn) {}

type sending struct{}

func (*sending) step(uintptr) bool   { return true }
func (*conn) fillAhead(uintptr) bool { return true }

// awaitRequest knows no portable way to wait without a buffer.
func (c *conn) awaitRequest() error {
	buf := aheadBuffers.Get().(*aheadBuffer)
	n, err := c.TCPConn.Read(buf[:])
	if n == 0 {
		aheadBuffers.Put(buf)
		return err
	}
	c.ahead, c.taken, c.filled = buf, 0, n
	return nil
}

func (c *conn) sendFile(f *os.File, off, n int64) (int64, error) {
	if err := c.release(); err != nil {
		return 0, err
	}
	return copyFile(c.TCPConn, f, off, n)
}
