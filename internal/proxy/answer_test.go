package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/media"
)

// A connection's requests from the third on, if they differ in the range alone, are answered without
// fasthttp. What fasthttp does for all others has to hold for them as well.

func repeatedRequest(span string) string {
	return rangeRequest("Authorization: Bearer "+goodToken, "Range: bytes="+span)
}

// logged is a configuration in which each request has its line.
func logged(cfg *Config) { cfg.AccessLog = "request" }

// dialRepeated is a connection whose next repeatedRequest is answered from what it remembers.
func (r *repeatFixture) dialRepeated() net.Conn {
	r.t.Helper()
	conn := r.dial()
	for range 2 {
		if answer, err := r.ask(conn, repeatedRequest("0-9")); err != nil || !strings.Contains(answer, " 206 ") {
			r.t.Fatalf("%v\n%s", err, answer)
		}
		r.wantLine("before", map[string]any{"status": 206})
	}
	return conn
}

// beginRepeated sends such a request and reads the header of its answer.
func (r *repeatFixture) beginRepeated(span string) *http.Response {
	r.t.Helper()
	conn := r.dialRepeated()
	if _, err := io.WriteString(conn, repeatedRequest(span)); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatalf("no answer: %v", err)
	}
	return resp
}

// TestDrainLetsRepeatedRequestsEnd: to fasthttp their connections are idle, and it closes idle ones.
func TestDrainLetsRepeatedRequestsEnd(t *testing.T) {
	release := make(chan struct{})
	r := newRepeatFixture(t, logged)
	r.open = func(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
		return &memReader{data: r.content[span.Off:span.End()], most: 500, before: func(_ context.Context, left int) error {
			if left == 500 {
				<-release
			}
			return nil
		}}, nil
	}
	idle := r.dialRepeated()
	resp := r.beginRepeated("0-999")
	down := make(chan error, 1)
	go func() { down <- r.server.Shutdown(context.Background()) }()
	if n, err := idle.Read(make([]byte, 1)); n != 0 || err != io.EOF { // fasthttp has begun to close
		t.Errorf("an idle connection: %d, %v", n, err)
	}
	close(release)
	if body, err := io.ReadAll(resp.Body); err != nil || len(body) != 1000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	r.wantLine("drained", map[string]any{"outcome": "complete", "bytes": 1000})
}

// TestDrainCutsRepeatedRequests ends the drain while two of them run: one takes nothing, one waits for
// its origin.
func TestDrainCutsRepeatedRequests(t *testing.T) {
	var waits atomic.Bool
	r := newRepeatFixture(t, logged)
	r.obj.Size = huge
	give := endless(4096)
	r.open = func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
		if waits.Load() && span.Len > 10 {
			return &memReader{data: pattern(8192), most: 4096, before: stall(4096)}, nil
		}
		return give(ctx, obj, span)
	}
	r.beginRepeated("0-")
	waits.Store(true)
	r.beginRepeated("0-")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if n := r.server.Active(); n != 0 {
		t.Errorf("%d streams outlive the shutdown", n)
	}
	for range 2 {
		r.wantLine("cut", map[string]any{"outcome": "cut"})
	}
}

// TestRepeatedRequestsKeepTheConnection: it may be idle for as long after each of them as after others.
func TestRepeatedRequestsKeepTheConnection(t *testing.T) {
	const keepAlive = 400 * time.Millisecond
	r := newRepeatFixture(t, func(cfg *Config) { cfg.KeepAlive = keepAlive })
	conn := r.dial()
	began := time.Now()
	for time.Since(began) < 3*keepAlive {
		if answer, err := r.ask(conn, repeatedRequest("5-9")); err != nil || !strings.HasSuffix(answer, string(r.content[5:10])) {
			t.Fatalf("after %s: %v\n%s", time.Since(began), err, answer)
		}
		time.Sleep(keepAlive / 20)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("an idle connection: %d, %v", n, err)
	}
}

// TestRepeatedRequestStalls: a client that reads nothing is given up.
func TestRepeatedRequestStalls(t *testing.T) {
	r := newRepeatFixture(t, func(cfg *Config) { logged(cfg); cfg.WriteIdle = 100 * time.Millisecond })
	r.obj.Size = huge
	r.open = endless(1 << 20)
	r.beginRepeated("0-")
	r.wantLine("stalled", map[string]any{"outcome": "stalled"})
}

// TestRepeatedRequestFails: the answers to which no body belongs are those of a new connection, and
// the connection stays.
func TestRepeatedRequestFails(t *testing.T) {
	r := newRepeatFixture(t, func(cfg *Config) {
		logged(cfg)
		cfg.PublicURL, cfg.CORS.Origins = "https://lms.example", []string{"https://a.example"}
	})
	var fails atomic.Int64
	open := r.open
	r.open = func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
		switch fails.Load() {
		case 500:
			panic("x")
		case 503:
			return nil, media.Faultf(media.Unavailable, "test: open", "x")
		}
		return open(ctx, obj, span)
	}
	conn := r.dialRepeated()
	for _, c := range []struct {
		fails  int64
		span   string
		status string
	}{{0, "2000-", "416"}, {0, "0-9", "206"}, {500, "0-9", "500"}, {0, "0-9", "206"}, {503, "0-9", "503"}, {0, "0-9", "206"}} {
		fails.Store(c.fails)
		got, err := r.ask(conn, repeatedRequest(c.span))
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		fresh, err := r.ask(r.dial(), repeatedRequest(c.span))
		if err != nil || got != fresh || !strings.Contains(got, " "+c.status+" ") {
			t.Errorf("%+v: %v\n%s\non a new connection\n%s", c, err, got, fresh)
		}
	}
}

// TestRepeatedRequestWithinAMessage: what looks like one in the middle of another message is a part of that.
// fasthttp waits for a single byte as well when its buffer lacks one.
func TestRepeatedRequestWithinAMessage(t *testing.T) {
	r := newRepeatFixture(t, logged)
	conn := r.dialRepeated()
	begun := "GET /" + " HTTP/1.1\r\nHost: lms.example\r\nX: "
	begun += strings.Repeat("x", maxHeader+maxRequestLine-1-len(begun))
	if _, err := io.WriteString(conn, begun); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // until all of it was read; where that takes longer, nothing is tested
	answer, err := r.ask(conn, repeatedRequest("0-9"))
	if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
		t.Errorf("%v, %.100s: want the answer to a header that is too large", err, answer)
	}
}

// TestFoldedRangeIsNotRepeated: a value in two lines is read by fasthttp alone.
func TestFoldedRangeIsNotRepeated(t *testing.T) {
	r := newRepeatFixture(t, nil)
	conn := r.dial()
	request := func(first string) string {
		return rangeRequest("Authorization: Bearer "+goodToken, "Range: bytes="+first+"\r\n , 0-4")
	}
	for _, first := range []string{"2000-", "2000-", "2000-", "10-19", "2000-"} {
		got, err := r.ask(conn, request(first))
		if err != nil {
			t.Fatal(err)
		}
		if fresh, err := r.ask(r.dial(), request(first)); err != nil || withoutBoundary(got) != withoutBoundary(fresh) {
			t.Errorf("%s: %v\n%s\non a new connection\n%s", first, err, got, fresh)
		}
	}
}

// TestRepeatedRequestWhileADrainBegins says that its connection ends.
func TestRepeatedRequestWhileADrainBegins(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	r := newRepeatFixture(t, logged)
	open := r.open
	var requests atomic.Int64
	r.open = func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
		if requests.Add(1) == 3 {
			close(entered)
			<-release
		}
		return open(ctx, obj, span)
	}
	conn := r.dialRepeated()
	if _, err := io.WriteString(conn, repeatedRequest("3-7")); err != nil {
		t.Fatal(err)
	}
	<-entered
	down := make(chan error, 1)
	go func() { down <- r.server.Shutdown(context.Background()) }()
	waitFor(t, "draining", r.server.Draining)
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || !resp.Close || string(body) != string(r.content[3:8]) {
		t.Errorf("close %t, %q, %v", resp.Close, body, err)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// TestRepeatedRequestsInAnyPieces: however a stream of requests is cut up on its way, each gets its own answer.
func TestRepeatedRequestsInAnyPieces(t *testing.T) {
	r := newRepeatFixture(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		conn := r.dial()
		defer conn.Close()
		answers := bufio.NewReader(conn)
		for range rapid.IntRange(2, 6).Draw(rt, "batches") {
			var sent string
			var firsts []int
			for range rapid.IntRange(1, 4).Draw(rt, "requests") {
				first := rapid.IntRange(0, 900).Draw(rt, "first")
				sent += repeatedRequest(fmt.Sprintf("%d-%d", first, first+first%90))
				firsts = append(firsts, first)
			}
			for sent != "" {
				n := len(sent)
				if rapid.Bool().Draw(rt, "cut") {
					n = rapid.IntRange(1, len(sent)).Draw(rt, "piece")
				}
				if _, err := io.WriteString(conn, sent[:n]); err != nil {
					rt.Fatal(err)
				}
				if sent = sent[n:]; rapid.Bool().Draw(rt, "pause") {
					time.Sleep(time.Millisecond) // long enough for most pieces to be read apart
				}
			}
			for _, first := range firsts {
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					rt.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				want := r.content[first : first+first%90+1]
				if err != nil || resp.StatusCode != http.StatusPartialContent || !bytes.Equal(body, want) {
					rt.Fatalf("%s, %d bytes, %v: want %d from %d on", resp.Status, len(body), err, len(want), first)
				}
			}
			if answers.Buffered() > 0 {
				rt.Fatal("there is more than the answers")
			}
		}
	})
}
