//go:build !linux

package corkedconn

import (
	"os"

	"github.com/lectiospace/lectern/internal/media"
)

type sending struct {
	slow    membership
	senders *senders
}

func (*sending) step(uintptr) bool       { return true }
func (*Conn) initSending()               {}
func (*Conn) readAvailable(uintptr) bool { return true }

// awaitRequest waits with a buffer: there is no portable way to wait without.
func (c *Conn) awaitRequest() error {
	buf := readBuffers.Get().(*readBuffer)
	n, err := c.TCPConn.Read(buf[:])
	if n == 0 {
		readBuffers.Put(buf)
		return err
	}
	c.buffered, c.readOff, c.readEnd = buf, 0, n
	return nil
}

// SendFile sends what was kept and then n bytes of f from off on, and returns how
// many bytes of the file were sent.
func (c *Conn) SendFile(f *os.File, _ *media.Residency, off, n int64) (int64, error) {
	if err := c.Uncork(); err != nil {
		return 0, err
	}
	return CopyFile(c.TCPConn, f, off, n)
}

// sendData sends what was kept and then data, and returns how many bytes of data were sent.
func (c *Conn) sendData(data []byte) (int64, error) {
	if err := c.Uncork(); err != nil {
		return 0, err
	}
	n, err := c.TCPConn.Write(data)
	return int64(n), err
}
