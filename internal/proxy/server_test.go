package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

func TestHeaderSizes(t *testing.T) {
	h := newFixture(t, 10, nil)
	for _, c := range []struct {
		bytes, status int
	}{
		{8 << 10, 200}, {15 << 10, 200}, {16<<10 - 200, 200}, {18 << 10, 431}, {64 << 10, 431},
	} {
		a := h.get("X-Pad: " + strings.Repeat("a", c.bytes))
		if a.StatusCode != c.status {
			t.Errorf("%d bytes of header: %d, want %d", c.bytes, a.StatusCode, c.status)
		}
		if c.status == 431 && a.problem(t).Code != respond.CodeHeadersTooLarge {
			t.Errorf("%s", a.body)
		}
	}
}

func TestUnreadableRequests(t *testing.T) {
	h := newFixture(t, 10, nil)
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"garbage":       {"SECRET\x00\x01\r\n\r\n", 400},
		"no version":    {"GET /SECRET\r\n\r\n", 400},
		"bad header":    {"GET / HTTP/1.1\r\nHost: x\r\nSECRET\r\n\r\n", 400},
		"large a body":  {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 413},
		"bad length":    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
		"two encodings": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
	} {
		conn := h.dial()
		io.WriteString(conn, c.request)
		a := h.receive(conn, "GET")
		if a.StatusCode != c.status || strings.Contains(string(a.body), "SECRET") || a.problem(t).Detail == "" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	if strings.Contains(h.log.String(), "SECRET") {
		t.Errorf("the log repeats what was sent: %s", h.log)
	}
}

// TestSlowHeaders dribbles a header until the server has enough, on a new
// connection and on a kept one, which may be idle for longer than that.
func TestSlowHeaders(t *testing.T) {
	h := newFixture(t, 10, func(c *Config, _ *fixture) {
		c.HeaderTimeout = 200 * time.Millisecond
		c.KeepAlive = testTimeout
	})
	dribble := func(conn net.Conn) {
		began := time.Now()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		go func() { // each byte comes well within the time
			for range 100 {
				if _, err := io.WriteString(conn, "a"); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		a := h.receive(conn, "GET")
		if a.StatusCode != 408 || a.problem(t).Code != respond.CodeRequestTimeout {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
		if took := time.Since(began); took < 150*time.Millisecond {
			t.Errorf("cut after %s already", took)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("the connection lives on: %v", err)
		}
	}
	dribble(h.dial())
	kept := h.dial()
	h.send(kept, "GET", "/")
	h.receive(kept, "GET")
	time.Sleep(400 * time.Millisecond) // idle for two header timeouts
	h.send(kept, "GET", "/")
	if a := h.receive(kept, "GET"); a.StatusCode != 200 {
		t.Errorf("after idling: %d", a.StatusCode)
	}
	dribble(kept)
}

func TestIdleConnectionsEnd(t *testing.T) {
	h := newFixture(t, 10, func(c *Config, _ *fixture) { c.KeepAlive = 50 * time.Millisecond })
	conn := h.dial()
	h.send(conn, "GET", "/")
	h.receive(conn, "GET")
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("an idle connection: %d, %v", n, err)
	}
}

// TestDrainLetsStreamsEnd shuts down while a stream runs and lets it finish.
func TestDrainLetsStreamsEnd(t *testing.T) {
	release := make(chan struct{})
	h := newFixture(t, 1000, func(_ *Config, h *fixture) {
		h.open = func(context.Context, media.Object, media.Span) (media.Reader, error) {
			return &memReader{data: h.content, most: 500, before: func(_ context.Context, left int) error {
				if left == 500 {
					<-release
				}
				return nil
			}}, nil
		}
	})
	_, resp := h.begin()
	down := make(chan error, 1)
	go func() { down <- h.server.Shutdown(context.Background()) }()
	waitFor(t, "draining", h.server.Draining)
	waitFor(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", h.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(release)
	if body, err := io.ReadAll(resp.Body); err != nil || len(body) != 1000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	h.wantLine("drained", map[string]any{"outcome": "complete"})
	if err := h.server.Shutdown(context.Background()); err != nil {
		t.Errorf("the second Shutdown: %v", err)
	}
}

// TestDrainCutsAtThePieceBorder ends the drain while three streams run: one
// reads, one takes nothing, one waits for its origin.
func TestDrainCutsAtThePieceBorder(t *testing.T) {
	const piece = 4096
	var waits atomic.Bool
	h := newFixture(t, 0, func(c *Config, h *fixture) {
		h.obj.Size = huge
		give := endless(piece)
		h.open = func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
			if waits.Load() {
				return &memReader{data: pattern(2 * piece), most: piece, before: stall(piece)}, nil
			}
			return give(ctx, obj, span)
		}
	})
	h.begin() // takes nothing
	_, reading := h.begin()
	var got atomic.Int64
	var reader sync.WaitGroup
	reader.Go(func() {
		n, err := io.Copy(counter{&got}, reading.Body)
		if err == nil || n%piece != 0 {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	waits.Store(true)
	h.begin()
	waitFor(t, "bytes", func() bool { return got.Load() > 1<<20 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := h.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if n := h.server.Active(); n != 0 {
		t.Errorf("%d streams outlive the shutdown", n)
	}
	for range 3 {
		h.wantLine("cut", map[string]any{"outcome": "cut"})
	}
	reader.Wait()
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) { c.n.Add(int64(len(p))); return len(p), nil }

func TestShutdownWithoutServe(t *testing.T) {
	h := newFixture(t, 10, nil)
	s, err := New(DefaultConfig(), Deps{Access: h, Origins: h, Store: h})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ln); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

func TestConnectionCloseWhileDraining(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	h := newFixture(t, 10, func(_ *Config, h *fixture) {
		h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) {
			close(entered)
			<-release
			return media.Recording{}, media.Refuse(media.CodeNoAccess, "no")
		}
	})
	conn := h.dial()
	h.send(conn, "GET", streamPath, "Authorization: Bearer "+goodToken)
	<-entered
	down := make(chan error, 1)
	go func() { down <- h.server.Shutdown(context.Background()) }()
	waitFor(t, "draining", h.server.Draining)
	time.Sleep(50 * time.Millisecond) // fasthttp notices on its own a moment later
	close(release)
	if a := h.receive(conn, "GET"); a.StatusCode != 403 || !a.Close {
		t.Errorf("%d, close %t", a.StatusCode, a.Close)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(testTimeout); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
