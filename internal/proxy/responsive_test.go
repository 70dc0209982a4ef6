package proxy

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestResponsiveNeedsTheConnectionTable holds a lock: every probe fails and names it,
// all failed probes together leave one goroutine, and none once the lock is free.
func TestResponsiveNeedsTheConnectionTable(t *testing.T) {
	h := newFixture(t, 10, nil)
	h.do("GET", "/")
	if err := h.server.Responsive(t.Context()); err != nil {
		t.Fatalf("a healthy server: %v", err)
	}
	h.server.conns.mu.Lock()
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		err := h.server.Responsive(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection table") {
			t.Errorf("with the connection table locked: %v", err)
		}
	}
	if n := probes(); n != 1 {
		t.Errorf("%d goroutines wait for the lock", n)
	}
	h.server.conns.mu.Unlock()
	if err := h.server.Responsive(t.Context()); err != nil {
		t.Errorf("after the lock was released: %v", err)
	}
	waitFor(t, "the probe to end", func() bool { return probes() == 0 })
}

// probes is how many goroutines take locks for a probe.
func probes() int {
	buf := make([]byte, 1<<20)
	return bytes.Count(buf[:runtime.Stack(buf, true)], []byte("proxy.(*lockProbe).run("))
}

// TestResponsiveTakesLocksInOrder: a probe names the first lock that is held, and
// takes the later ones when it is released.
func TestResponsiveTakesLocksInOrder(t *testing.T) {
	var p lockProbe
	release, taken := make(chan struct{}), false
	locks := []lock{{"stream registry", func() { <-release }}, {"connection table", func() { taken = true }}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.take(ctx, locks); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stream registry") || taken {
		t.Errorf("with the first lock held: %v, the second taken: %v", err, taken)
	}
	close(release)
	if err := p.take(t.Context(), locks); err != nil || !taken {
		t.Errorf("with no lock held: %v, the second taken: %v", err, taken)
	}
}

func TestResponsiveNeedsAnAcceptLoop(t *testing.T) {
	h := newFixture(t, 10, nil)
	s, err := New(DefaultConfig(), Deps{Access: h, Origins: h, Store: h})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(t.Context())
	if err := s.Responsive(t.Context()); err != nil {
		t.Errorf("before Serve: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	s.Serve(ln) // returns at once; fasthttp hides that the listener was closed
	if err := s.Responsive(t.Context()); err == nil || !strings.Contains(err.Error(), "accept loop") {
		t.Errorf("after the accept loop ended: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Responsive(t.Context()); err != nil {
		t.Errorf("while draining: %v", err)
	}
}
