package corkedconn

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// block is a moment at which a send blocked.
type block struct {
	pace   pace
	mark   int   // the socket's
	unsent int   // bytes
	slow   int64 // connections that count as slow while this one is blocked
}

const fileSize = 8 << 20

// newPair is a connection, its client with a read buffer of that size, and a file to send. The caller closes the first two.
func newPair(t *testing.T, readBuffer int) (conn *Conn, client net.Conn, file *os.File) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).SetReadBuffer(readBuffer); err != nil {
		t.Fatal(err)
	}
	accepted, err := NewListener(ln).Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn = accepted.(*Conn)
	file, err = os.Create(filepath.Join(t.TempDir(), "content"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(fileSize); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return conn, client, file
}

// stalling is a connection on which a file is sent over and over. Its client reads as much
// as it is told to.
type stalling struct {
	blocked chan block
	reads   chan int64
	waited  chan time.Duration
	looks   atomic.Int64 // how often the kernel's memory was looked at
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
	conn, client, file := newPair(t, 64<<10)
	s := &stalling{blocked: make(chan block), reads: make(chan int64, 1000), waited: make(chan time.Duration)}
	conn.sending.slow.of = newSlowConns(tcpMemory{bound: 1 << 40, used: func() (int64, bool) { s.looks.Add(1); return 0, true }})
	done := make(chan struct{})
	conn.sendStep = func(fd uintptr) bool {
		if conn.sending.step(fd) {
			return true
		}
		b := block{pace: conn.sending.mark.pace, slow: conn.sending.slow.of.n.Load()}
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
			if _, err := conn.SendFile(file, nil, 0, fileSize); err != nil {
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
	})
	return s
}

// segment is by how much a send may pass the mark: the last one is appended whole.
const segment = 64 << 10

// TestUnsentBytesAreBounded stalls a reader at once, and after it had been fast.
func TestUnsentBytesAreBounded(t *testing.T) {
	s := newStalling(t)
	b := <-s.blocked
	if s.looks.Load() != 0 || b.slow != 1 {
		t.Errorf("blocked for the first time: %d connections count as slow, and %d looks at the kernel's memory", b.slow, s.looks.Load())
	}
	for b.pace != fast {
		if b.mark != newMark && b.pace == unknown || b.unsent > b.mark+segment {
			t.Fatalf("before it was fast: %+v", b)
		}
		b = s.next(fastMark, 0)
	}
	if s.looks.Load() == 0 {
		t.Error("nobody has looked at the kernel's memory")
	}
	if b.mark != fastMark || b.unsent > fastMark+segment || b.slow != 1 {
		t.Errorf("fast: %+v", b)
	}
	for most := b.unsent; most > slowMark+segment; most = max(b.unsent, slowMark+segment) {
		if b = s.next(fastMark, 2*halfTakes(fastMark, slowRate)); b.pace != slow || b.mark != slowMark || b.unsent > most {
			t.Fatalf("after a long wait: %+v, no more than %d bytes expected", b, most)
		}
	}
}

// TestSendsTakeTurns sends to a client that takes megabytes at once.
func TestSendsTakeTurns(t *testing.T) {
	t.Run("all processors send", func(t *testing.T) {
		if longest := longestTurn(t, 1); longest > 2*turn {
			t.Errorf("%d bytes were sent while no other goroutine could run, want %d at most", longest, 2*turn)
		}
	})
	t.Run("one is left", func(t *testing.T) {
		if longest := longestTurn(t, 2); longest < longTurn || longest > longTurn+turn {
			t.Errorf("%d bytes were sent while no other goroutine could run on the processor, want %d and not much more", longest, longTurn)
		}
	})
}

// longestTurn is how many bytes one of a listener's sends, where so many processors are, sent at
// most without letting others run.
func longestTurn(t *testing.T, processors int64) int64 {
	t.Helper()
	conn, client, file := newPair(t, 4<<20)
	defer client.Close()
	sent, before, longest := int64(0), int64(0), int64(0)
	othersRun := func() {
		now := sent + fileSize - conn.sending.left
		longest, before = max(longest, now-before), now
	}
	conn.sending.senders = &senders{processors: processors}
	conn.sending.yield = othersRun
	conn.sendStep = func(fd uintptr) bool {
		done := conn.sending.step(fd)
		if !done {
			othersRun()
		}
		if n := conn.sending.senders.n.Load(); n != 0 {
			t.Errorf("%d sends are counted after one has blocked or ended", n)
		}
		return done
	}
	read := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, client)
		read <- n
	}()
	const size = 16 * fileSize
	for sent < size {
		n, err := conn.SendFile(file, nil, 0, fileSize)
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	conn.Close()
	if n := <-read; n != size {
		t.Errorf("%d of %d bytes arrived", n, size)
	}
	return longest
}

// TestSlowWritesEndInTime: no write of a Piece to a client of 700 KB/s waits until more than a Piece
// has left. With 60 s for a write, that is 70 kbit/s.
func TestSlowWritesEndInTime(t *testing.T) {
	t.Parallel()
	conn, client, file := newPair(t, 64<<10)
	defer conn.Close()
	var read atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 14_000)
		for {
			n, err := io.ReadFull(client, buf)
			read.Add(int64(n))
			if err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	for i := range 10 {
		before := read.Load()
		if _, err := conn.SendFile(file, nil, int64(i%8)*Piece, Piece); err != nil {
			t.Fatal(err)
		}
		// What is on its way, or in the client's buffer, is not unsent.
		if waited := read.Load() - before; i > 4 && waited > Piece+128<<10 {
			t.Errorf("write %d waited until %d bytes were read", i, waited)
		}
	}
	client.Close()
	<-done
}
