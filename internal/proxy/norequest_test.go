package proxy

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestWhatIsNoRequestIsAnsweredAtOnce: nothing waits for the header timeout that can
// never become a request, however slowly it comes.
func TestWhatIsNoRequestIsAnsweredAtOnce(t *testing.T) {
	h := newFixture(t, 10, func(cfg *Config, _ *fixture) { cfg.HeaderTimeout = 10 * testTimeout })
	hello, err := os.ReadFile("../requestline/testdata/tls-hello.bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text string }{
		{"TLS", string(hello)},
		{"the first byte of TLS", "\x16"},
		{"SSH", "SSH-2.0-OpenSSH_9.6\r\n"},
		{"SSH, its first bytes", "SSH-2.0"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"},
		{"HTTP/2, its first bytes", "PRI * HTTP/2"},
		{"a line feed", "\n"},
		{"a control byte", "\x05"},
		{"an empty line and a control byte", "\r\n\x00"},
		{"a control byte in the request line", "GET /\x00"},
		{"a control byte in a field", "GET / HTTP/1.1\r\nHost: x\r\nA: \x1b"},
	} {
		for _, pause := range []time.Duration{0, 5 * time.Millisecond} {
			conn := h.dial() // with a deadline before the server's
			if pause == 0 {
				io.WriteString(conn, c.text)
			} else if !trickle(conn, c.text, pause) {
				t.Errorf("%s: no write", c.name)
			}
			answer, err := io.ReadAll(conn)
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%s: %v", c.name, err)
			}
			if status, _, _ := strings.Cut(string(answer), "\r\n"); status != "" && status != "HTTP/1.1 400 Bad Request" {
				t.Errorf("%s: %s", c.name, status)
			}
		}
	}
	// What may still become one is awaited.
	conn := h.dial()
	trickle(conn, "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", time.Millisecond)
	if a := h.receive(conn, "GET"); a.StatusCode != 200 {
		t.Errorf("a slow request: %d", a.StatusCode)
	}
	// So is the second request of a connection, and it is scanned as well.
	conn = h.dial()
	h.send(conn, "GET", "/")
	if a := h.receive(conn, "GET"); a.StatusCode != 200 {
		t.Errorf("a request: %d", a.StatusCode)
	}
	conn.Write(hello)
	answer, err := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("TLS after a request: %q %v", answer, err)
	}
}

// trickle sends a text byte by byte, until the other side has closed; false when nothing
// could be sent.
func trickle(conn net.Conn, text string, pause time.Duration) bool {
	for i := range len(text) {
		if _, err := conn.Write([]byte(text[i : i+1])); err != nil {
			return i > 0
		}
		time.Sleep(pause)
	}
	return true
}
