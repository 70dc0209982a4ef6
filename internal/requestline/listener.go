package requestline

import (
	"errors"
	"io"
	"net"
)

// ErrNoRequest is why a connection is not read further. net/http answers it with 400.
var ErrNoRequest = errors.New("requestline: the bytes are no HTTP request")

// Listener is for a server of package net/http: each connection's first request is
// scanned, and a read fails with ErrNoRequest as soon as it is impossible.
type Listener struct{ net.Listener }

// Accept implements net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// uriTooLong is the answer to a target that may go on forever. The server would count the
// target among the header fields, and answer 431.
const uriTooLong = "HTTP/1.1 414 URI Too Long\r\nContent-Type: application/json\r\nContent-Length: 66\r\nConnection: close\r\n\r\n" +
	`{"detail":"The request target is too long.","code":"uri_too_long"}`

// conn scans what is read until it fails once or the first request's header section is
// complete. Reads belong to one goroutine at a time, as net/http has it.
type conn struct {
	net.Conn
	scanner Scanner
	refused bool
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.refused && !c.scanner.Scan(p[:n]) {
		c.refused = true
		return 0, ErrNoRequest
	}
	if !c.refused && c.scanner.TargetTooLong() {
		c.refused = true
		_, _ = io.WriteString(c.Conn, uriTooLong)
		return 0, io.EOF // the server answers nothing more
	}
	return n, err
}
