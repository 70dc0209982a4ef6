package intake_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// aloneEnv marks the process that runs TestStalledBodies and nothing beside it.
const aloneEnv = "LECTERN_TEST_STALLED_BODIES"

// TestStalledBodies sends 400 halves of bodies and stalls, without a signature and with
// one that is shaped like Zoom's. All are answered, in bounded memory, and a genuine
// webhook is stored meanwhile or right after. It measures in a process of its own: the
// memory of the tests that run in parallel is not that of the bodies.
func TestStalledBodies(t *testing.T) {
	if os.Getenv(aloneEnv) == "" {
		t.Parallel()
		alone := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestStalledBodies$", "-test.v")
		alone.Env = append(os.Environ(), aloneEnv+"=1")
		out, err := alone.CombinedOutput()
		t.Logf("%s", out)
		if err != nil || !bytes.Contains(out, []byte("--- PASS: TestStalledBodies/forged")) {
			t.Fatalf("alone: %v", err)
		}
		return
	}
	s := syncertest.New(t).Start()
	address := strings.TrimPrefix(s.HTTP.URL, "http://")
	const senders, half = 400, 512 << 10
	body := bytes.Repeat([]byte(" "), half)
	for _, c := range []struct {
		name, header string
		status       map[int]bool
	}{
		{"unsigned", "", map[int]bool{401: true}},
		{"forged", fmt.Sprintf("X-Zm-Signature: v0=%s\r\nX-Zm-Request-Timestamp: %d\r\n", strings.Repeat("a", 64), time.Now().Unix()), map[int]bool{408: true, 503: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, ended := memory(), make(chan struct{})
			peak := make(chan uint64)
			go func() {
				var most uint64
				for tick := time.NewTicker(20 * time.Millisecond); ; {
					select {
					case <-tick.C:
						most = max(most, memory())
					case <-ended:
						tick.Stop()
						peak <- most
						return
					}
				}
			}()
			var mu sync.Mutex
			statuses := map[int]int{}
			var group sync.WaitGroup
			for range senders {
				group.Go(func() {
					status, err := sendHalf(address, c.header, 2*half, body)
					mu.Lock()
					defer mu.Unlock()
					if statuses[status]++; !c.status[status] {
						t.Errorf("answered %d: %v", status, err)
					}
				})
			}
			group.Wait()
			close(ended)
			grown := int64(<-peak) - int64(before)
			t.Logf("%v, %d KiB more memory", statuses, grown>>10)
			if grown > 64<<20 {
				t.Errorf("%d halves took %d MiB", senders, grown>>20)
			}
			event := []byte(`{"event": "recording.started", "event_ts": 1, "payload": {"account_id": "` + c.name + `", "object": {}}}`)
			req, err := zoomemu.Request(t.Context(), s.HTTP.URL+"/api/zoom/webhook/", syncertest.WebhookSecret, event, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if code, what := ask(t, req); code != http.StatusOK {
				t.Errorf("a genuine webhook: %d %s", code, what)
			}
		})
	}
}

// memory is what the process holds in heap and stacks.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// sendHalf announces a body of length bytes, sends the beginning of one, and returns the
// status of the answer. It gives up after ten seconds.
func sendHalf(address, header string, length int, beginning []byte) (int, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	// A refused sender may be answered before all is sent.
	_, _ = fmt.Fprintf(conn, "POST /api/zoom/webhook/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n", header, length)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = conn.Write(beginning)
	}()
	defer func() { <-sent }()
	defer conn.Close()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	return res.StatusCode, nil
}

// TestHeadersDecideFirst: what the headers refuse is refused without a read of the body.
func TestHeadersDecideFirst(t *testing.T) {
	s := syncertest.New(t).Start()
	const path, signature = "/api/zoom/webhook/", "v0=0000000000000000000000000000000000000000000000000000000000000000"
	now := fmt.Sprint(time.Now().Unix())
	for _, c := range []struct {
		name, method, path, kind, signature, timestamp string
		status                                         int
	}{
		{"an unknown tenant", "POST", path + "nobody/", "application/json", signature, now, 404},
		{"another method", "PUT", path, "application/json", signature, now, 405},
		{"another type", "POST", path, "text/plain", signature, now, 415},
		{"no signature", "POST", path, "application/json", "", now, 401},
		{"another scheme of signatures", "POST", path, "application/json", "v1" + signature[2:], now, 401},
		{"a short signature", "POST", path, "application/json", signature[:60], now, 401},
		{"no timestamp", "POST", path, "application/json", signature, "", 401},
		{"a timestamp that is no number", "POST", path, "application/json", signature, "now", 401},
	} {
		body := &unread{}
		req := httptest.NewRequest(c.method, c.path, body)
		req.Header.Set("Content-Type", c.kind)
		req.Header.Set("X-Zm-Signature", c.signature)
		req.Header.Set("X-Zm-Request-Timestamp", c.timestamp)
		w := httptest.NewRecorder()
		s.Syncer.Handler().ServeHTTP(w, req)
		if w.Code != c.status || body.reads != 0 || w.Header().Get("Connection") != "close" {
			t.Errorf("%s: %d, want %d; %d reads of the body; Connection %q", c.name, w.Code, c.status, body.reads, w.Header().Get("Connection"))
		}
	}
}

// unread is a body that counts its reads.
type unread struct{ reads int }

func (u *unread) Read([]byte) (int, error) {
	u.reads++
	return 0, io.EOF
}
