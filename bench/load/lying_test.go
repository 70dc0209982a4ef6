package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/bench/content"
)

// lyingServer answers each request on each connection with what answer returns for it, byte
// by byte, and then closes or resets the connection where it says so.
func lyingServer(t *testing.T, c *content.Content, answer func(nth int, r *http.Request) (raw []byte, hangUp string)) Target {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for nth := 0; ; nth++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					raw, hangUp := answer(nth, r)
					if _, err := conn.Write(raw); err != nil {
						return
					}
					switch hangUp {
					case "close":
						return
					case "reset":
						_ = conn.(*net.TCPConn).SetLinger(0)
						return
					}
				}
			}()
		}
	}()
	return Target{Addr: ln.Addr().String(), Path: "/lesson", Content: c}
}

// honest is the right answer to a request for [from, from+n).
func honest(c *content.Content, from, n int64) (head string, body []byte) {
	body = make([]byte, n)
	_, _ = c.ReadAt(body, from)
	return fmt.Sprintf("HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\n\r\n", n, from, from+n-1, c.Size()), body
}

// TestBothClientsSeeALyingServer makes sure that dropping bodies unseen does not let through
// what is wrong about their lengths, offsets and ends.
func TestBothClientsSeeALyingServer(t *testing.T) {
	const n = 64 << 10
	c := content.New(n+1, 1)
	head, body := honest(c, 0, n)
	for name, lie := range map[string]struct {
		raw    string
		hangUp string
		want   string // regular expression of the error; "" for an honest answer
	}{
		"honest":                    {raw: head + string(body)},
		"a short body":              {head + string(body[:n-1]), "close", "1 bytes missing"},
		"no body":                   {head, "close", "65536 bytes missing"},
		"a reset within the body":   {head + string(body[:n/2]), "reset", "bytes missing"},
		"half a head":               {head[:40], "close", "EOF"},
		"extra bytes":               {raw: head + string(body) + "x", want: "behind the end|answered .xHTTP"},
		"extra bytes, short answer": {raw: strings.ReplaceAll(strings.ReplaceAll(head, "65536", "1"), "0-65535", "0-0") + "xy", want: "asked for"},
		"another place":             {raw: strings.Replace(head, "0-65535", "1-65536", 1) + string(body), want: "asked for"},
		"another end":               {raw: strings.Replace(head, "0-65535", "0-65534", 1) + string(body), want: "asked for"},
		"another size":              {raw: strings.Replace(head, "/65537", "/65538", 1) + string(body), want: "asked for"},
		"another length":            {raw: strings.Replace(head, "Content-Length: 65536", "Content-Length: 65535", 1) + string(body), want: "Content-Length of 65535"},
		"no length":                 {raw: strings.Replace(head, "Content-Length", "X-Content-Len", 1) + string(body), want: "no Content-Range or no Content-Length"},
		"two lengths":               {raw: strings.Replace(head, "\r\n\r\n", "\r\nContent-Length: 65536\r\n\r\n", 1) + string(body), want: "two Content-Length"},
		"a signed length":           {raw: strings.Replace(head, "Length: 6", "Length: +6", 1) + string(body), want: "no length"},
		"200":                       {raw: strings.Replace(head, "206 Partial Content", "200 OK", 1) + string(body), want: "instead of 206"},
		"206 in the reason only":    {raw: strings.Replace(head, "206 Partial Content", "503 206", 1) + string(body), want: "instead of 206"},
		"a head without end":        {raw: "HTTP/1.1 206 Partial Content\r\nX: " + strings.Repeat("x", readSize), want: "without end"},
	} {
		t.Run(name, func(t *testing.T) {
			target := lyingServer(t, c, func(int, *http.Request) ([]byte, string) { return []byte(lie.raw), lie.hangUp })
			for _, target.Drop = range []bool{false, true} {
				err := getOnce(target, n)
				switch {
				case lie.want == "" && err != nil:
					t.Errorf("drop %v: %v", target.Drop, err)
				case lie.want != "" && (err == nil || !regexp.MustCompile(lie.want).MatchString(err.Error())):
					t.Errorf("drop %v: %v, not %q", target.Drop, err, lie.want)
				}
			}
			// The file has one range of n bytes, so that it is the one at 0 that is asked for.
			runFor := 20 * time.Millisecond
			if lie.want != "" {
				runFor = patience // the error ends it
			}
			for _, target.Threads = range []bool{false, true} {
				_, err := randomDropped(context.Background(), target, 1, n, runFor)
				switch {
				case lie.want == "" && err != nil:
					t.Errorf("threads %v: %v", target.Threads, err)
				case lie.want != "" && (err == nil || !regexp.MustCompile(lie.want).MatchString(err.Error())):
					t.Errorf("threads %v: %v, not %q", target.Threads, err, lie.want)
				}
			}
		})
	}
}

func getOnce(target Target, n int64) error {
	conn, err := Dial(context.Background(), target)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Get(target, 0, 0, n); err != nil {
		return err
	}
	// A second request finds what the first answer has left behind, and what it had not
	// sent yet.
	_, err = conn.Get(target, 0, 0, n)
	return err
}

// TestDrainedSeesASurplus: after the last request of a connection there is no next head in
// whose place extra bytes would be found.
func TestDrainedSeesASurplus(t *testing.T) {
	const n = 64 << 10
	c := content.New(1<<20, 1)
	head, body := honest(c, 0, n)
	for surplus, want := range map[string]error{"": nil, "x": errSurplus} {
		target := lyingServer(t, c, func(int, *http.Request) ([]byte, string) { return []byte(head + string(body) + surplus), "close" })
		target.Drop = true
		conn, err := Dial(context.Background(), target)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = conn.Get(target, 0, 0, n); err != nil {
			t.Fatal(err)
		}
		var pollErr error
		err = conn.raw.Read(func(fd uintptr) bool { // until the surplus or the end has arrived
			_, pollErr = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
			return true
		})
		if err = errors.Join(err, pollErr); err != nil {
			t.Fatal(err)
		}
		if err := conn.Drained(); !errors.Is(err, want) {
			t.Errorf("surplus %q: %v", surplus, err)
		}
		conn.Close()
	}
}

// TestDropsExactlyTheBody: the bytes of the next answer, which lie right behind a body in the
// socket, are not dropped with it.
func TestDropsExactlyTheBody(t *testing.T) {
	const n = 64 << 10
	c := content.New(1<<20, 1)
	head, body := honest(c, 0, n)
	target := lyingServer(t, c, func(nth int, _ *http.Request) ([]byte, string) {
		if nth == 0 {
			return []byte(strings.Repeat(head+string(body), 20)), ""
		}
		return nil, ""
	})
	target.Drop = true
	conn, err := Dial(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 20 {
		if _, err := conn.Get(target, 0, 0, n); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
}
