package faults

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// hang is what counts as nothing more coming: more than the gateway's own timeouts, also on a
// loaded machine.
const hang = 100 * time.Second

// request is one of a viewer's.
type request struct {
	method    string // "" = GET
	recording int64  // 0 = the lesson
	byteRange string // value of Range; "" = none
	header    string // further lines, each with its end
	slow      bool   // the body is read slowly
	leaveAt   int    // the viewer hangs up after so many bytes of the body; 0 = stays
}

// response is what came back.
type response struct {
	request request
	*http.Response
	body []byte
	err  error // of the connection or of the body
	left bool  // the viewer has hung up
}

// text is the request's bytes.
func (q request) text() string {
	method, recording := q.method, q.recording
	if method == "" {
		method = http.MethodGet
	}
	if recording == 0 {
		recording = lessonID
	}
	text := fmt.Sprintf("%s /api/recordings/%d/stream/ HTTP/1.1\r\nHost: lms.example\r\nAuthorization: Bearer token\r\n", method, recording)
	if q.byteRange != "" {
		text += "Range: bytes=" + q.byteRange + "\r\n"
	}
	return text + q.header + "\r\n"
}

// connection is a viewer's.
type connection struct {
	net.Conn
	from *bufio.Reader
}

func connect(addr string) (*connection, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn}
	c.from = bufio.NewReaderSize(c, 4<<10)
	return c, nil
}

// Read gives up when nothing comes for hang. A body that goes on may take as long as it takes.
func (c *connection) Read(p []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(hang))
	return c.Conn.Read(p)
}

// send sends a request.
func (c *connection) send(q request) error {
	_, err := io.WriteString(c, q.text())
	return err
}

// receive reads the answer to a request.
func (c *connection) receive(q request) response {
	method := q.method
	if method == "" {
		method = http.MethodGet
	}
	resp, err := http.ReadResponse(c.from, &http.Request{Method: method})
	if err != nil {
		return response{request: q, err: err}
	}
	defer resp.Body.Close()
	out := response{request: q, Response: resp}
	switch {
	case q.leaveAt > 0:
		out.body, out.err = io.ReadAll(io.LimitReader(resp.Body, int64(q.leaveAt)))
		out.left = true
		c.Close()
	case q.slow:
		out.body, out.err = readSlowly(resp.Body)
	default:
		out.body, out.err = io.ReadAll(resp.Body)
	}
	return out
}

// readSlowly reads as a player does whose buffer is full.
func readSlowly(from io.Reader) (body []byte, err error) {
	buf := make([]byte, 24<<10)
	for {
		n, err := from.Read(buf)
		body = append(body, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// over sends requests one after the other on one connection, and dials again when it was
// closed.
func over(addr string, requests ...request) (out []response) {
	var conn *connection
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for _, q := range requests {
		if conn == nil {
			var err error
			if conn, err = connect(addr); err != nil {
				out = append(out, response{request: q, err: err})
				continue
			}
		}
		if q.slow {
			_ = conn.Conn.(*net.TCPConn).SetReadBuffer(32 << 10)
		}
		if err := conn.send(q); err != nil {
			out = append(out, response{request: q, err: err})
			conn.Close()
			conn = nil
			continue
		}
		r := conn.receive(q)
		out = append(out, r)
		if r.err != nil || r.left || r.Close {
			conn.Close()
			conn = nil
		}
	}
	return out
}

// together sends requests at the same time, each on a connection of its own.
func together(addr string, requests ...request) []response {
	out := make([]response, len(requests))
	var group sync.WaitGroup
	for i, q := range requests {
		group.Go(func() { out[i] = over(addr, q)[0] })
	}
	group.Wait()
	return out
}

// pipelined sends requests in one piece, and reads the answers in order. Those behind a body
// that was cut do not come.
func pipelined(addr string, requests ...request) (out []response) {
	conn, err := connect(addr)
	if err != nil {
		return []response{{request: requests[0], err: err}}
	}
	defer conn.Close()
	var text strings.Builder
	for _, q := range requests {
		text.WriteString(q.text())
	}
	if _, err := io.WriteString(conn, text.String()); err != nil {
		return []response{{request: requests[0], err: err}}
	}
	for _, q := range requests {
		r := conn.receive(q)
		out = append(out, r)
		if r.err != nil || r.Close {
			break
		}
	}
	return out
}

// viewer is how a client behaves.
type viewer struct {
	name string
	// tag: it needs to know the object's ETag, which it requests before the fault begins.
	tag bool
	// bodiless: the description is all that it takes.
	bodiless bool
	do       func(c *cell, addr string) []response
}

// randomRange is a range within the object, of most bytes at most.
func randomRange(r *rand.Rand, size, most int) string {
	from := r.IntN(size)
	n := 1 + r.IntN(min(most, size-from))
	return fmt.Sprintf("%d-%d", from, from+n-1)
}

var viewers = []viewer{
	{name: "whole", do: func(c *cell, addr string) []response { return over(addr, request{}) }},
	{name: "one range", do: func(c *cell, addr string) []response {
		return over(addr, request{byteRange: randomRange(c.random(), len(c.content), 1<<20)})
	}},
	{name: "open-ended range", do: func(c *cell, addr string) []response {
		return over(addr, request{byteRange: fmt.Sprintf("%d-", c.random().IntN(len(c.content)))})
	}},
	{name: "suffix", do: func(c *cell, addr string) []response {
		return over(addr, request{byteRange: fmt.Sprintf("-%d", 1+c.random().IntN(200_000))})
	}},
	{name: "seeks", do: func(c *cell, addr string) []response {
		r := c.random()
		var requests []request
		for range 5 {
			requests = append(requests, request{byteRange: randomRange(r, len(c.content), 150_000)})
		}
		return over(addr, requests...)
	}},
	{name: "hang-up", do: func(c *cell, addr string) []response {
		r := c.random()
		return append(
			together(addr, request{leaveAt: 1 + r.IntN(len(c.content)/2)}, request{byteRange: fmt.Sprintf("%d-", r.IntN(len(c.content)/2)), leaveAt: 1 + r.IntN(100_000)}),
			over(addr, request{byteRange: randomRange(r, len(c.content), 1<<20)})...)
	}},
	{name: "slow", do: func(c *cell, addr string) []response {
		from := c.random().IntN(len(c.content))
		return over(addr, request{byteRange: fmt.Sprintf("%d-%d", from, from+250_000), slow: true})
	}},
	{name: "crowd", do: func(c *cell, addr string) []response {
		from := c.random().IntN(len(c.content))
		requests := make([]request, 8)
		for i := range requests {
			requests[i].byteRange = fmt.Sprintf("%d-%d", from, from+chunkSize-1)
		}
		return together(addr, requests...)
	}},
	{name: "crowd of seekers", do: func(c *cell, addr string) []response {
		r := c.random()
		requests := make([]request, 6)
		for i := range requests {
			requests[i].byteRange = randomRange(r, len(c.content), 300_000)
		}
		return together(addr, requests...)
	}},
	{name: "HEAD", do: func(c *cell, addr string) []response {
		return over(addr, request{method: http.MethodHead}, request{byteRange: "0-99"})
	}},
	{name: "If-Range that holds", tag: true, do: func(c *cell, addr string) []response {
		return over(addr, request{byteRange: randomRange(c.random(), len(c.content), 300_000), header: "If-Range: " + c.tag + "\r\n"})
	}},
	{name: "If-Range that does not hold", do: func(c *cell, addr string) []response {
		return over(addr, request{byteRange: "5-9", header: "If-Range: \"another\"\r\n"})
	}},
	{name: "If-None-Match", tag: true, bodiless: true, do: func(c *cell, addr string) []response {
		return over(addr, request{header: "If-None-Match: " + c.tag + "\r\n"})
	}},
	{name: "pipelined", do: func(c *cell, addr string) []response {
		r := c.random()
		return pipelined(addr, request{byteRange: randomRange(r, len(c.content), 200_000)}, request{method: http.MethodHead}, request{byteRange: randomRange(r, len(c.content), 200_000)})
	}},
	{name: "several ranges", do: func(c *cell, addr string) []response {
		return over(addr, request{byteRange: fmt.Sprintf("0-99,%d-%d,-50", len(c.content)/2, len(c.content)/2+70_000)})
	}},
}

// part is a span of an object as an answer gives it.
type part struct {
	contentRange string // "" = the whole
	data         []byte
	cut          bool
}

// parts are the spans of an answer with status 200 or 206.
func (r response) parts() ([]part, error) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.StatusCode == http.StatusOK {
		return []part{{data: r.body, cut: r.err != nil || r.left}}, nil
	}
	if kind != "multipart/byteranges" {
		return []part{{r.Header.Get("Content-Range"), r.body, r.err != nil || r.left}}, nil
	}
	var out []part
	reader := multipart.NewReader(strings.NewReader(string(r.body)), params["boundary"])
	for {
		p, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			if r.err != nil {
				return out, nil // the body was cut
			}
			return out, err
		}
		data, err := io.ReadAll(p)
		out = append(out, part{p.Header.Get("Content-Range"), data, err != nil})
		if err != nil && r.err == nil {
			return out, err
		}
	}
}
