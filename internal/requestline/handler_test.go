package requestline

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestHandler sends what a server of package net/http alone would answer with the content,
// or with another status.
func TestHandler(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	server.Listener.Close()
	server.Listener = Listener{ln}
	server.Config.MaxHeaderBytes = 16 << 10
	server.Start()
	defer server.Close()
	for _, c := range []struct{ name, text, want string }{
		{"a request", "GET /a@b HTTP/1.1\r\nHost: x\r\n", "200"},
		{"an absolute target", "GET http://x/a@b HTTP/1.1\r\nHost: x\r\n", "200"},
		{"userinfo in Host", "GET / HTTP/1.1\r\nHost: lms.example@evil.example\r\n", "400"},
		{"userinfo in the target", "GET http://lms.example@evil.example/ HTTP/1.1\r\nHost: x\r\n", "400"},
		{"an empty user", "GET http://@evil.example/ HTTP/1.1\r\nHost: x\r\n", "400"},
		{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n", "505"},
		{"a target of 8 KiB", "GET /" + strings.Repeat("a", MaxTarget-1) + " HTTP/1.1\r\nHost: x\r\n", "200"},
		{"a longer one", "GET /" + strings.Repeat("a", MaxTarget) + " HTTP/1.1\r\nHost: x\r\n", "414"},
		{"one that does not end", "GET /" + strings.Repeat("a", 2*MaxTarget), "414"},
		{"another expectation", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: tea\r\n", "417"},
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		if strings.HasSuffix(c.text, "\n") {
			c.text += "Connection: close\r\n\r\n"
		}
		io.WriteString(conn, c.text)
		answer, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 "+c.want+" ") {
			t.Errorf("%s: %.60q, want %s", c.name, answer, c.want)
		}
		conn.Close()
	}
}
