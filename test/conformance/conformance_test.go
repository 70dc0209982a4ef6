package conformance

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

var testSubject = &Subject{Stream: "/s", Playback: "/p", Host: "x", Token: "t", Content: []byte(strings.Repeat("0123456789", 100)), ETag: `"a"`, Modified: time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)}

// TestTable: ids are unique, and every condition is one that judge knows.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		if seen[c.ID] {
			t.Errorf("two cases %s", c.ID)
		}
		seen[c.ID] = true
		if strings.Contains(testSubject.expand(c.Send), "{") && !strings.Contains(c.ID, "braces") {
			t.Errorf("%s: a placeholder is left", c.ID)
		}
		if number, section, ok := strings.Cut(c.Section, " "); !ok || !strings.HasPrefix(number, "91") || section == "" {
			t.Errorf("%s: the section %q", c.ID, c.Section)
		}
		for word := range strings.FieldsSeq(strings.ReplaceAll(c.Want, "|", " ")) {
			key, _, _ := strings.Cut(word, "=")
			status := len(word) == 3 && word[0] >= '1' && word[0] <= '5'
			known := strings.Contains(" n keep close silent interim !interim whole none bytes parts unsatisfied ", " "+key+" ")
			if !status && !known && !strings.ContainsAny(word, "+!~") {
				t.Errorf("%s: the condition %q", c.ID, word)
			}
		}
	}
	for proxy, theirs := range Proxies {
		for id := range theirs {
			if !seen[id] {
				t.Errorf("%s: no case %s", proxy, id)
			}
		}
	}
}

// TestJudge: each fault of an answer is seen.
func TestJudge(t *testing.T) {
	const (
		date   = "HTTP/1.1 200 OK\r\nDate: x\r\n"
		probed = "HTTP/1.1 206 Partial Content\r\nDate: x\r\nContent-Range: bytes 941-947/1000\r\nContent-Length: 7\r\n\r\n1234567"
		part   = "HTTP/1.1 206 Partial Content\r\nDate: x\r\n"
	)
	whole := date + "Content-Length: 1000\r\n\r\n" + string(testSubject.Content)
	for _, c := range []struct {
		name, method, received, want string
		fault                        string // part of one, "" for none
	}{
		{"as it should be", "GET", whole + probed, "200 keep whole", ""},
		{"the second alternative", "GET", "HTTP/1.1 400 Bad Request\r\nDate: x\r\nContent-Length: 0\r\n\r\n", "200 keep | 400 close", ""},
		{"another status", "GET", "HTTP/1.1 404 Not Found\r\nDate: x\r\nContent-Length: 0\r\n\r\n" + probed, "200 keep", "404 keep, want 200"},
		{"the probe is not answered", "GET", whole, "200 keep", "200 close, want"},
		{"the probe is answered", "GET", whole + probed, "200 close", "200 keep, want"},
		{"two answers", "GET", whole + whole + probed, "200 keep", "2 answers"},
		{"no answer", "GET", "", "400 close", "0 answers"},
		{"no answer is wanted", "GET", "", "silent", ""},
		{"other bytes", "GET", strings.Replace(whole, "0123", "1123", 1) + probed, "200 keep whole", "whole"},
		{"a short body", "GET", date + "Content-Length: 9\r\n\r\nshort", "200", "ends before its length"},
		{"a length and an encoding", "GET", date + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200", "a length and an encoding"},
		{"a body of HEAD", "HEAD", date + "Content-Length: 5\r\n\r\nhello" + probed, "200 keep none", "beyond the answers"},
		{"a body of 304", "GET", "HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 5\r\n\r\nhello" + probed, "304 keep", "beyond the answers"},
		{"a length of 204", "GET", "HTTP/1.1 204 No Content\r\nDate: x\r\nContent-Length: 0\r\n\r\n" + probed, "204 keep", "without a body"},
		{"no date", "GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404", "no Date"},
		{"no Allow", "GET", "HTTP/1.1 405 No\r\nDate: x\r\nContent-Length: 0\r\n\r\n", "405", "no Allow"},
		{"no challenge", "GET", "HTTP/1.1 401 No\r\nDate: x\r\nContent-Length: 0\r\n\r\n", "401", "no WWW-Authenticate"},
		{"a range", "GET", part + "Content-Range: bytes 0-4/1000\r\nContent-Length: 5\r\n\r\n01234", "206 bytes=0-4", ""},
		{"another range", "GET", part + "Content-Range: bytes 1-5/1000\r\nContent-Length: 5\r\n\r\n12345", "206 bytes=0-4", "bytes=0-4"},
		{"the bytes of another range", "GET", part + "Content-Range: bytes 0-4/1000\r\nContent-Length: 5\r\n\r\n12345", "206 bytes=0-4", "bytes=0-4"},
		{"no Content-Range", "GET", part + "Content-Length: 5\r\n\r\n01234", "206", "no Content-Range"},
		{"parts", "GET", part + "Content-Type: multipart/byteranges; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n--b\r\nContent-Range: bytes 0-0/1000\r\n\r\n0\r\n--b--\r\n\r\n0\r\n\r\n", "206 parts=0-0", ""},
		{"a part too few", "GET", part + "Content-Type: multipart/byteranges; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n--b\r\nContent-Range: bytes 0-0/1000\r\n\r\n0\r\n--b--\r\n\r\n0\r\n\r\n", "206 parts=0-0,5-5", "parts="},
		{"an interim answer", "GET", "HTTP/1.1 100 Continue\r\n\r\n" + whole, "200 !interim", "!interim"},
		{"a field that is missing", "GET", whole, "200 +ETag", "+ETag"},
		{"a field with another value", "GET", whole, "200 Content-Length~999", "Content-Length~999"},
		{"what is no answer", "GET", "hello\r\n\r\n", "silent", "beyond the answers"},
	} {
		var tr transcript
		tr.parse([]byte(c.received), []string{c.method})
		got := strings.Join(tr.judge(Case{Want: c.want}, testSubject), "; ")
		if c.fault == "" && got != "" || !strings.Contains(got, c.fault) {
			t.Errorf("%s: %q, want %q", c.name, got, c.fault)
		}
	}
}

// TestTap: a server that sees two requests in one, or waits for more than was sent, is found.
func TestTap(t *testing.T) {
	const (
		plain    = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
		body     = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 28\r\n\r\n" + plain
		answer   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		interim  = "HTTP/1.1 100 Continue\r\n\r\n"
		timedOut = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		refused  = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	)
	for name, c := range map[string]struct {
		turns [][2]string // what is sent, and answered
		found int
	}{
		"agreement":              {[][2]string{{plain, answer}, {body, answer}, {plain, answer}}, 0},
		"an interim answer":      {[][2]string{{body[:60], interim}, {body[60:], answer}, {plain, answer}}, 0},
		"a refusal":              {[][2]string{{plain, answer}, {body, refused}}, 0},
		"a request in the body":  {[][2]string{{body, answer + answer}, {plain, answer}}, 1},
		"a body that is awaited": {[][2]string{{plain, timedOut}}, 1},
		"what is no answer":      {[][2]string{{plain, "ok\r\n\r\n"}, {plain, answer}}, 1},
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		tap, err := NewTap(ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			for _, turn := range c.turns {
				if _, err := io.ReadFull(conn, make([]byte, len(turn[0]))); err != nil {
					return
				}
				io.WriteString(conn, turn[1])
			}
		}()
		conn, err := net.Dial("tcp", tap.Address())
		if err != nil {
			t.Fatal(err)
		}
		for _, turn := range c.turns {
			io.WriteString(conn, turn[0])
			if _, err := io.ReadFull(conn, make([]byte, len(turn[1]))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		conn.Close()
		<-served
		ln.Close()
		tap.Close()
		if found := tap.Disagreements(); len(found) != c.found {
			t.Errorf("%s: %q, want %d", name, found, c.found)
		}
	}
}

// TestSendSeesALenientServer: a server that takes what it should refuse fails cases of each
// kind. It answers every request of net/http, which is lenient about LF and names of fields.
func TestSendSeesALenientServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					if req.Header.Get("Range") == "bytes=941-947" {
						io.WriteString(conn, "HTTP/1.1 206 OK\r\nDate: x\r\nContent-Range: bytes 941-947/1000\r\nContent-Length: 7\r\n\r\n1234567")
						return
					}
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok") // the body is not read
				}
			}()
		}
	}()
	server := Server{Name: "lenient", Subject: testSubject, Patience: 10 * time.Second, Dial: func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) }}
	failed := map[string]bool{}
	for _, r := range server.Run(Cases(), First) {
		failed[r.Case.ID] = len(r.Faults) > 0
	}
	for _, id := range []string{"line-get", "host-space", "length-smuggled", "encoding-smuggled", "chunk-size-letter", "none-match", "range-first", "method-put"} {
		if !failed[id] {
			t.Errorf("%s is met", id)
		}
	}
	if failed["connection-close"] == failed["host-port"] {
		t.Error("every case fails")
	}
}
