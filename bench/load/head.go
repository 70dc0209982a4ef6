package load

import (
	"bytes"
	"errors"
	"fmt"
)

// OpenEnd stands for the last byte of a range without an end.
const OpenEnd = -1

// lastOf is the last byte of a range in a file.
func lastOf(last, size int64) int64 {
	if last == OpenEnd {
		return size - 1
	}
	return last
}

// head is what is read of an answer's head.
type head struct {
	length           int64 // Content-Length
	from, last, size int64 // Content-Range
}

// parseHead reads the head of an answer with one range, without its empty line. It accepts
// what RFC 9112 and RFC 9110 (section 14.4) let a server send, and nothing else: a head
// that is not understood must not pass for a right one.
func parseHead(raw []byte) (h head, err error) {
	status, fields, _ := bytes.Cut(raw, []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 206 ")) {
		return h, fmt.Errorf("answered %q instead of 206", status[:min(len(status), 80)])
	}
	var hasLength, hasRange bool
	for len(fields) > 0 {
		var line []byte
		line, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return h, fmt.Errorf("%q is no header field", line)
		}
		// Folding every name would cost more than all the rest of this.
		switch len(name) {
		case len("content-length"):
			if bytes.EqualFold(name, []byte("content-length")) {
				if hasLength {
					return h, errors.New("two Content-Length")
				}
				if h.length, hasLength = digits(bytes.TrimSpace(value)); !hasLength {
					return h, fmt.Errorf("%q is no length", value)
				}
			}
		case len("content-range"):
			if bytes.EqualFold(name, []byte("content-range")) {
				if hasRange {
					return h, errors.New("two Content-Range")
				}
				if hasRange = h.parseRange(bytes.TrimSpace(value)); !hasRange {
					return h, fmt.Errorf("%q is no range", value)
				}
			}
		}
	}
	if !hasLength || !hasRange {
		return h, errors.New("no Content-Range or no Content-Length")
	}
	return h, nil
}

// parseRange reads "bytes from-last/size".
func (h *head) parseRange(value []byte) bool {
	span, ok := bytes.CutPrefix(value, []byte("bytes "))
	if !ok {
		return false
	}
	span, size, ok := bytes.Cut(span, []byte("/"))
	if !ok {
		return false
	}
	from, last, ok := bytes.Cut(span, []byte("-"))
	if !ok {
		return false
	}
	var okFrom, okLast, okSize bool
	h.from, okFrom = digits(from)
	h.last, okLast = digits(last)
	h.size, okSize = digits(size)
	return okFrom && okLast && okSize
}

// digits reads a number of at most 18 digits, as many as always fit.
func digits(p []byte) (n int64, ok bool) {
	if len(p) == 0 || len(p) > 18 {
		return 0, false
	}
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// check makes sure that the answer is the one asked for, to the byte.
func (h head) check(off, last, size int64) error {
	last = lastOf(last, size)
	if h.from != off || h.last != last || h.size != size {
		return fmt.Errorf("bytes %d-%d/%d where %d-%d/%d was asked for", h.from, h.last, h.size, off, last, size)
	}
	if want := last - off + 1; h.length != want {
		return fmt.Errorf("a Content-Length of %d for %d bytes", h.length, want)
	}
	return nil
}
