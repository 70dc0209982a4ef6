package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// fleetRecordings is how many recordings a fleet shares.
const fleetRecordings = 24

// cutter forwards TCP connections to a database until it is cut.
type cutter struct {
	ln      net.Listener
	target  string
	mu      sync.Mutex
	away    bool
	running map[net.Conn]bool
}

func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{ln: ln, target: target, running: map[net.Conn]bool{}}
	t.Cleanup(func() { ln.Close(); c.set(true) })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go c.forward(conn)
		}
	}()
	return c
}

// forward copies both ways; a connection that comes while the database is away is closed.
func (c *cutter) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer server.Close()
	c.mu.Lock()
	if c.away {
		c.mu.Unlock()
		return
	}
	c.running[client] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.running, client)
		c.mu.Unlock()
	}()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// set makes the database unavailable, ending all connections, or available.
func (c *cutter) set(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
	if away {
		for conn := range c.running {
			conn.Close()
		}
	}
}

// rangeReader reads ranges of all recordings through the proxy and counts them.
type rangeReader struct {
	p         *reverseProxy
	video     []byte
	tokens    []string
	pause     time.Duration
	read, bad atomic.Int64
	mu        sync.Mutex
	failures  []string // the first ones
}

// run reads until ctx ends, with two requests at a time for each user.
func (r *rangeReader) run(ctx context.Context) (wait func()) {
	var readers sync.WaitGroup
	for _, tok := range r.tokens {
		for n := range 2 {
			readers.Go(func() {
				for i := n; ctx.Err() == nil; i++ {
					if err := r.one(tok, i); err != nil {
						r.bad.Add(1)
						r.mu.Lock()
						if len(r.failures) < 5 {
							r.failures = append(r.failures, time.Now().Format(time.TimeOnly)+" "+err.Error())
						}
						r.mu.Unlock()
					}
					r.read.Add(1)
					select {
					case <-time.After(r.pause):
					case <-ctx.Done():
					}
				}
			})
		}
	}
	return readers.Wait
}

// one reads the i-th range. A request is begun even when the run has ended meanwhile.
func (r *rangeReader) one(tok string, i int) error {
	const length = 32 << 10
	from := i * 7919 * 512 % (len(r.video) - length)
	req, err := http.NewRequest("GET", fmt.Sprintf("https://%s/api/recordings/%d/stream/", r.p.host(), 3+i%fleetRecordings), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+length-1))
	res, err := r.p.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusPartialContent || !bytes.Equal(body, r.video[from:from+length]) {
		return fmt.Errorf("%s, %d bytes %.120q, %v", res.Status, len(body), body[:min(len(body), 120)], err)
	}
	return nil
}

// TestFleet: three gateways behind the example for HAProxy. Known viewers notice neither
// the database's absence and return nor the restart of a gateway. `make outage` does
// the same for a minute and restarts every gateway.
func TestFleet(t *testing.T) {
	t.Parallel()
	outage, ranges, long := 1500*time.Millisecond, 0, false
	if text := os.Getenv("OUTAGE"); text != "" {
		var err error
		if outage, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		if ranges, err = strconv.Atoi(os.Getenv("OUTAGE_RANGES")); err != nil {
			t.Fatal(err)
		}
		long = true
	}
	direct := pgtest.Start(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	database := newCutter(t, u.Host)
	u.Host = database.ln.Addr().String()
	c := newPlaybackFixture(t, direct, u.String())
	var more strings.Builder
	more.WriteString("recordings:\n")
	for i := range fleetRecordings {
		fmt.Fprintf(&more, "  - {id: %d, lesson: One, title: R%d, status: ready, visibility: lesson_group, provider: local, key: one.mp4, duration: 60}\n", 3+i, i)
	}
	if _, err := document.Apply(t.Context(), c.store, strings.NewReader(more.String()), false); err != nil {
		t.Fatal(err)
	}

	fleet := make([]*gateway, 3)
	addresses := make([]string, 3)
	for i := range fleet {
		addresses[i] = freeAddress(t)
		fleet[i] = c.serve(t, "LECTERN_LISTEN="+addresses[i], "LECTERN_SHUTDOWN_DELAY=1500ms", "LECTERN_LIMIT_STREAMS_PER_USER=0")
	}
	p := startProxy(t, haproxyExample, backends{addresses[0], freeAddress(t), freeAddress(t)}, func(text string) string {
		text = replaceAll(text, map[string]string{"#server gateway": "server gateway", "10.0.0.2:8080": addresses[1], "10.0.0.3:8080": addresses[2]})
		if !long {
			text = replaceAll(text, map[string]string{"inter 1s fastinter 500ms": "inter 200ms fastinter 100ms"})
		}
		return text
	})
	r := &rangeReader{p: p, video: c.video, tokens: []string{token(t, "--user", pupil), token(t, "--user", tutor)}, pause: 5 * time.Millisecond}
	if long {
		r.pause = 10 * time.Millisecond
	}
	for _, tok := range r.tokens {
		for i := range fleetRecordings {
			if err := r.one(tok, i); err != nil {
				t.Fatalf("before the outage: %v", err)
			}
		}
	}
	var served []string
	for _, g := range fleet {
		n := strings.Count(g.stderr.String(), `"msg":"exchange"`)
		served = append(served, strconv.Itoa(n))
		if n == 0 {
			t.Error("a gateway of the fleet gets no recordings")
		}
	}

	ctx, end := context.WithCancel(t.Context())
	wait := r.run(ctx)
	report := func(what string) {
		t.Logf("%s: %d ranges, %d failed", what, r.read.Load(), r.bad.Load())
		if n := r.bad.Swap(0); n > 0 {
			t.Errorf("%s: %d ranges failed, the first: %q", what, n, r.failures)
		}
		r.read.Store(0)
	}
	database.set(true)
	began := time.Now()
	for time.Since(began) < outage || r.read.Load() < int64(ranges) {
		time.Sleep(20 * time.Millisecond) // the outage lasts
	}
	report(fmt.Sprintf("database away for %s, shares before %v", time.Since(began).Round(100*time.Millisecond), served))
	for i, g := range fleet {
		if metricOf(t, g, "lectern_database_up") != 0 {
			t.Errorf("gateway %d saw no outage", i+1)
		}
	}
	database.set(false)
	began = time.Now()
	waitFor(t, "the gateways to see the database again", func() bool {
		for _, g := range fleet {
			if metricOf(t, g, "lectern_database_up") != 1 {
				return false
			}
		}
		return true
	})
	after := r.read.Load()
	waitFor(t, "ranges after the outage", func() bool { return r.read.Load() > after+50 && time.Since(began) > 2*time.Second })
	report("database back")

	restarts := 1
	if long {
		restarts = len(fleet)
	}
	for i := range restarts {
		fleet[i].stop(t, syscall.SIGTERM)
		fleet[i] = c.serve(t, "LECTERN_LISTEN="+addresses[i], "LECTERN_SHUTDOWN_DELAY=1500ms", "LECTERN_LIMIT_STREAMS_PER_USER=0")
		waitFor(t, "ranges at the restarted gateway", func() bool { return strings.Contains(fleet[i].stderr.String(), `"status":206`) })
	}
	report(fmt.Sprintf("%d gateways restarted", restarts))
	end()
	wait()
	report("end")
}
