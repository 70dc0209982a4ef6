package corkedconn

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// block is a moment at which a send blocked.
type block struct {
	fast   bool
	mark   int // the socket's
	unsent int // bytes
}

// stalling is a connection on which a file is sent over and over. Its client reads as much
// as it is told to.
type stalling struct {
	blocked chan block
	reads   chan int64
	waited  chan time.Duration
}

// next has the client read n more bytes and the blocked send go on, once it counts as having
// waited for so long, and returns where it blocks next.
func (s *stalling) next(n int64, waited time.Duration) block {
	s.reads <- n
	s.waited <- waited
	return <-s.blocked
}

func newStalling(t *testing.T) *stalling {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	accepted, err := Listener{ln}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn := accepted.(*Conn)
	file, err := os.Create(filepath.Join(t.TempDir(), "content"))
	if err != nil {
		t.Fatal(err)
	}
	const size = 8 << 20
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}

	s := &stalling{blocked: make(chan block), reads: make(chan int64, 1000), waited: make(chan time.Duration)}
	done := make(chan struct{})
	conn.sendStep = func(fd uintptr) bool {
		if conn.sending.step(fd) {
			return true
		}
		b := block{fast: conn.sending.mark.fast}
		b.mark, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
		b.unsent, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD)
		select {
		case s.blocked <- b:
		case <-done:
			return false
		}
		select {
		case waited := <-s.waited:
			conn.sending.blockedAt = conn.sending.blockedAt.Add(-waited)
		case <-done:
		}
		return false
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for {
			if _, err := conn.SendFile(file, 0, size); err != nil {
				return
			}
		}
	}()
	go func() {
		for n := range s.reads {
			io.CopyN(io.Discard, client, n)
		}
	}()
	t.Cleanup(func() {
		close(done)
		close(s.reads)
		client.Close()
		conn.Close()
		<-sent
		file.Close()
	})
	return s
}

// segment is by how much a send may pass the mark: the last one is appended whole.
const segment = 64 << 10

// TestUnsentBytesAreBounded stalls a reader at once, and after it had been fast.
func TestUnsentBytesAreBounded(t *testing.T) {
	s := newStalling(t)
	b := <-s.blocked
	for !b.fast {
		if b.mark != startMark || b.unsent > startMark+segment {
			t.Fatalf("before it was fast: %+v", b)
		}
		b = s.next(fastMark, 0)
	}
	if b.mark != fastMark || b.unsent > fastMark+segment {
		t.Errorf("fast: %+v", b)
	}
	for most := b.unsent; most > startMark+segment; most = max(b.unsent, startMark+segment) {
		if b = s.next(fastMark, 2*slowAfter); b.fast || b.mark != startMark || b.unsent > most {
			t.Fatalf("after a long wait: %+v, no more than %d bytes expected", b, most)
		}
	}
}
