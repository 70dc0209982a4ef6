package clients

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// wire forwards TCP connections to the gateway, listens to the requests on them, counts what
// comes back, and cuts connections. The bytes pass as they are: a reverse proxy would tidy up
// what clients send.
type wire struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu       sync.Mutex
	open     map[net.Conn]bool // of clients; guarded by mu
	requests []request         // guarded by mu
	received int64             // bytes of answers with their headers; guarded by mu
	// cutAfter is after how many bytes of answers each of the next cuts connections is reset;
	// guarded by mu.
	cutAfter int64
	cuts     int // guarded by mu
}

// request is what a client sent.
type request struct{ method, path, ranges, agent string }

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, target: target, open: map[net.Conn]bool{}}
	w.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			w.running.Go(func() { w.forward(client.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		w.mu.Lock()
		for client := range w.open { // idle ones would wait for the gateway's timeout
			client.Close()
		}
		w.mu.Unlock()
		w.running.Wait()
	})
	return w
}

// url is the address of a path behind the wire.
func (w *wire) url(path string) string { return "http://" + w.listener.Addr().String() + path }

// begin forgets what has passed, and resets each of the next cuts connections after some bytes
// of answers.
func (w *wire) begin(cuts int, after int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests, w.received, w.cuts, w.cutAfter = nil, 0, cuts, after
}

// passed is what has passed since begin.
func (w *wire) passed() (requests []request, received int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]request(nil), w.requests...), w.received
}

// cut reports how many connections are still to be reset.
func (w *wire) cut() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cuts
}

func (w *wire) forward(client *net.TCPConn) {
	defer client.Close()
	w.mu.Lock()
	w.open[client] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, client)
	}()
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer server.Close()
	heads, copied := io.Pipe()
	var both sync.WaitGroup
	both.Go(func() { w.listen(heads) })
	both.Go(func() {
		_, err := io.Copy(io.MultiWriter(server, copied), client)
		copied.CloseWithError(err)
		// A half-closed connection is a hang-up for the gateway, as without the wire.
		_ = server.(*net.TCPConn).CloseWrite()
	})
	buf := make([]byte, 32<<10)
	var here int64
	for {
		n, err := server.Read(buf)
		if cut := w.count(here, int64(n)); cut {
			_ = client.SetLinger(0) // a reset, as when a train enters a tunnel
			client.Close()
			break
		}
		here += int64(n)
		if n > 0 {
			if _, err := client.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	client.Close()
	server.Close()
	both.Wait()
}

// count adds bytes of an answer, and reports whether the connection is to be reset instead.
func (w *wire) count(before, n int64) (cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cuts > 0 && before+n > w.cutAfter {
		w.cuts--
		return true
	}
	w.received += n
	return false
}

// listen reads requests, which have no bodies, until they end.
func (w *wire) listen(heads *io.PipeReader) {
	in := bufio.NewReader(heads)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			_, _ = io.Copy(io.Discard, in) // what is no request passes all the same
			return
		}
		agent, _, _ := strings.Cut(r.UserAgent(), " ")
		w.mu.Lock()
		w.requests = append(w.requests, request{r.Method, r.URL.Path, r.Header.Get("Range"), agent})
		w.mu.Unlock()
	}
}
