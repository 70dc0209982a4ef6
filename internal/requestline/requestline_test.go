package requestline

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
)

// TestScan gives each text at once and byte by byte. at is how many bytes it takes to
// see that it is no request, 0 for never.
func TestScan(t *testing.T) {
	hello, err := os.ReadFile("testdata/tls-hello.bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		at         int
	}{
		{"a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0},
		{"a request with a binary body", "POST / HTTP/1.1\r\nHost: x\r\n\r\n\x00\x16\r\x01", 0},
		{"lines that end with LF alone", "GET / HTTP/1.1\nHost: x\n\n\x00", 0},
		{"an empty line before it", "\r\nGET / HTTP/1.1\r\n\r\n", 0},
		{"a rare method", "VERSION-CONTROL /a HTTP/1.1\r\n\r\n", 0},
		{"a tab and letters outside ASCII", "GET /\xd1\x8f HTTP/1.1\r\nA:\t\xff\r\n\r\n", 0},
		{"the first letters", "PR", 0},
		{"a method like SSH", "SSH / HTTP/1.1\r\n\r\n", 0},
		{"a method like PRI", "PRI /a HTTP/1.1\r\n\r\n", 0},
		{"TLS", string(hello), 1},
		{"SSH", "SSH-2.0-OpenSSH_9.6\r\n", 4},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 12},
		{"SOCKS", "\x05\x01\x00", 1},
		{"RDP", "\x03\x00\x00\x13", 1},
		{"PostgreSQL", "\x00\x00\x00\x08\x04\xd2\x16\x2f", 1},
		{"PROXY version 2", "\r\n\r\n\x00\r\nQUIT\n", 5},
		{"JSON", `{"a":1}`, 1},
		{"an empty line of LF", "\nGET / HTTP/1.1\r\n\r\n", 1},
		{"CR alone", "\rGET", 2},
		{"a space first", " GET /", 1},
		{"an answer's byte above ASCII", "\xffET", 1},
		{"a line of one word", "HELP\r\n", 5},
		{"a control character in the target", "GET /\x00", 6},
		{"CR within the request line", "GET /\rX", 7},
		{"a control character in a field", "GET / HTTP/1.1\r\nA: \x1b[2J", 20},
		{"DEL in a field", "GET / HTTP/1.1\r\nA\x7f", 18},
		{"CR within a field", "GET / HTTP/1.1\r\nA: b\rc", 22},
		{"only empty lines", strings.Repeat("\r\n", 100), 17},
		{"an endless method", strings.Repeat("A", 1000), 65},
	} {
		var whole Scanner
		if ok := whole.Scan([]byte(c.text)); ok != (c.at == 0) {
			t.Errorf("%s, at once: %v", c.name, ok)
		}
		var s Scanner
		at := 0
		for i := range len(c.text) {
			if !s.Scan([]byte(c.text[i : i+1])) {
				at = i + 1
				break
			}
		}
		if at != c.at {
			t.Errorf("%s, byte by byte: impossible at %d, want %d", c.name, at, c.at)
		}
	}
}

// TestScanCRLF: with CRLF a LF alone is impossible wherever a line may end.
func TestScanCRLF(t *testing.T) {
	for text, want := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n": true, "\r\nGET / HTTP/1.1\r\n\r\n": true,
		"GET / HTTP/1.1\n": false, "GET / HTTP/1.1\r\nHost: x\n": false, "GET / HTTP/1.1\r\n\n": false, "GET / HTTP/1.1\r\nHost: x\r\n\n": false,
	} {
		s := Scanner{CRLF: true}
		if ok := s.Scan([]byte(text)); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

// TestListener: a server of package net/http answers at once.
func TestListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Listener.Close()
	server.Listener = Listener{ln}
	server.Config.ReadHeaderTimeout = 10 * time.Second
	server.Start()
	defer server.Close()
	for text, want := range map[string]string{
		"\x16": "HTTP/1.1 400 ", "SSH-": "HTTP/1.1 400 ", "\n": "HTTP/1.1 400 ", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": "HTTP/1.1 404 ",
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(conn, text)
		if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), want) {
			t.Errorf("%q: %q %v", text, answer, err)
		}
		conn.Close()
	}
}

// FuzzScan: what net/http can read as a request is never impossible.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\nHost: x\nA:\tb\n\n", "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil || len(req.Method) > maxMethod || strings.HasPrefix(req.Method, "SSH-") || req.Method == "PRI" {
			return
		}
		for _, values := range req.Header { // net/http's server looks at these later
			if strings.ContainsFunc(strings.Join(values, ""), func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
				return
			}
		}
		var s Scanner
		if !s.Scan(text) {
			t.Errorf("%q is a request", text)
		}
	})
}
