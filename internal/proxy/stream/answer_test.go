package stream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
)

// TestRepeatedRequestsPassTheServerBy: only those do that came as a whole, alone, and with one range.
func TestRepeatedRequestsPassTheServerBy(t *testing.T) {
	access := lastingAccess{oneRecording{pattern(1000)}, func() {}}
	h := newHandler(t, access)
	var served atomic.Int64
	addr := serveWith(t, h, &fasthttp.Server{ReduceMemoryUsage: true, ConnState: func(c net.Conn, state fasthttp.ConnState) {
		c.(*corkedconn.Conn).BetweenMessages = state == fasthttp.StateIdle
	}, Handler: func(c *fasthttp.RequestCtx) {
		served.Add(1)
		if !h.ServeRepeat(c) {
			h.Serve(c, h.records.Begin(c, netip.Addr{}, false), 7)
		}
	}})
	client, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answers := bufio.NewReader(client)
	request := func(value string) string {
		return "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token\r\nRange:" + value + "\r\nAccept: */*\r\n\r\n"
	}
	const (
		usual  = " bytes=10-19"
		either = -1
	)
	half := len(request(usual)) / 2
	for i, c := range []struct {
		name   string
		sends  []string
		served int64
		status int
	}{
		{"the first", []string{request(usual)}, 1, 206},
		{"the second", []string{request(usual)}, 1, 206},
		{"the third", []string{request(usual)}, 0, 206},
		{"another range", []string{request(" bytes=20-")}, 0, 206},
		{"a range without a blank", []string{request("bytes=-5")}, 0, 206},
		{"nothing that is there", []string{request(" bytes=1000-")}, 0, 416},
		{"two ranges", []string{request(" bytes=0-1,3-4")}, 1, 206},
		{"no range", []string{request(" bytes=")}, 1, 200},
		{"another unit", []string{request(" lines=1-2")}, 1, 200},
		{"a range backwards", []string{request(" bytes=9-1")}, 0, 200},
		{"a blank behind the range", []string{request(" bytes=1-2 ")}, 1, 206},
		{"in two parts", []string{request(usual)[:half], request(usual)[half:]}, either, 206}, // they may arrive together
		{"two at once", []string{request(usual) + request(usual)}, 2, 206},
		{"again", []string{request(usual)}, 0, 206},
	} {
		before := served.Load()
		for _, part := range c.sends {
			if _, err := io.WriteString(client, part); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(len(c.sends)-1) * 20 * time.Millisecond)
		}
		for range strings.Count(strings.Join(c.sends, ""), "GET ") {
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != c.status {
				t.Errorf("%s: %s, %v", c.name, resp.Status, err)
			}
		}
		if n := served.Load() - before; n != c.served && c.served != either {
			t.Errorf("%d, %s: the server saw %d requests, want %d", i, c.name, n, c.served)
		}
	}
}

// FuzzRangeOf: what is taken for a repeated request is one to fasthttp too, with the same range.
func FuzzRangeOf(f *testing.F) {
	const first = "GET /stream/?a=b HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nCookie: c=d\r\n\r\n"
	for _, second := range []string{
		first, strings.Replace(first, "0-1", "5-", 1), strings.Replace(first, "0-1", "-5", 1), strings.Replace(first, " bytes", "bytes", 1),
		strings.Replace(first, "0-1", "0-1\r\nX: 2-3", 1), strings.Replace(first, "0-1", "0-1,3-4", 1), first + first, first[:len(first)-2],
		strings.Replace(first, "0-1", "0-1\r\n", 1), strings.Replace(first, "0-1", "--", 1), strings.Replace(first, "?a=b", "?a=c", 1), strings.Replace(first, "c=d", "c=e", 1),
		strings.Replace(first, "Host: a", "Host: b", 1), strings.Replace(first, "1.1", "1.0", 1), strings.Replace(first, "GET", "PUT", 1), strings.Replace(first, "0-1", "", 1),
	} {
		f.Add(first, second)
	}
	f.Add(strings.Replace(first, "1.1", "1.0", 1), strings.Replace(first, "1.1", "1.0", 1))
	f.Add("GET / HTTP/1.1\nHost: a\nRange: bytes=0-\n\n", "GET / HTTP/1.1\nHost: a\nRange: bytes=1-\n\n")
	f.Add("GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n ,\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=2-3\r\n ,\r\n\r\n")
	f.Add("GET / HTTP/1.1\r\nHost: a\r\nRange:\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nRange:bytes=1-\r\n\r\n")
	f.Fuzz(func(t *testing.T, first, second string) {
		var one fasthttp.RequestHeader
		if one.Read(bufio.NewReaderSize(strings.NewReader(first), 16<<10)) != nil {
			return
		}
		remembered, ok := requestBytesOf(&one)
		if !ok {
			return
		}
		check := func(message string) (repeated bool) {
			value, repeated := remembered.rangeOf([]byte(message))
			if !repeated {
				return false
			}
			var h fasthttp.RequestHeader
			rest := bufio.NewReaderSize(strings.NewReader(message), 16<<10)
			if err := h.Read(rest); err != nil || rest.Buffered() > 0 {
				t.Fatalf("%q after %q: %v, and %d bytes are left", message, first, err, rest.Buffered())
			}
			if !remembered.match(&h) || string(h.Peek("Range")) != string(value) || len(h.PeekAll("Range")) != 1 {
				t.Fatalf("%q after %q: Range is %q, not %q", message, first, h.Peek("Range"), value)
			}
			before := "GET " + remembered.target + " HTTP/1.1\r\n" + remembered.before
			if around := strings.TrimLeft(strings.TrimPrefix(message, before), " "); around != string(value)+remembered.after {
				t.Fatalf("%q after %q: there is more than a Range of %q that differs", message, first, value)
			}
			return true
		}
		check(second)
		again := "GET " + remembered.target + " " + remembered.protocol + "\r\n" + remembered.before + " bytes=3-7" + remembered.after
		if repeated := check(again); repeated != (remembered.protocol == "HTTP/1.1") {
			t.Fatalf("%q after %q: repeated is %t", again, first, repeated)
		}
	})
}
