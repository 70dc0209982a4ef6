// Package requestline decides early whether the bytes that a client sends can become an
// HTTP/1 request (RFC 9112). A server that waits for the end of the header section keeps
// a TLS client on its plain port, a port scanner or another protocol waiting for its
// whole timeout; with this package it answers at the first impossible byte.
package requestline

import "strings"

// MaxTarget is the longest request target that is taken, in bytes; 414 answers longer
// ones. RFC 9112 section 3 asks for 8000 bytes of the whole line at least.
const MaxTarget = 8 << 10

// maxMethod is longer than any registered method. Of a longer one the header section is
// not awaited.
const maxMethod = 64

// maxEmptyLines is how many empty lines may come before a request. RFC 9112 section 2.2
// asks for at least one.
const maxEmptyLines = 8

// otherProtocols begin with bytes that a method may begin with: the banner of SSH (RFC
// 4253 section 4.2) and the preface of HTTP/2 (RFC 9113 section 3.4).
var otherProtocols = []string{"SSH-", "PRI * HTTP/2"}

// longestPreface is the length of the longest of otherProtocols.
const longestPreface = len("PRI * HTTP/2")

// Scanner scans the start of one request, as its bytes arrive. The zero Scanner expects
// the first byte. It is not safe for concurrent use.
type Scanner struct {
	// CRLF is for a parser that waits for CRLF: a LF alone then ends no line.
	CRLF bool

	state   state
	empty   int // empty lines so far
	length  int // bytes of the request line so far
	preface [longestPreface]byte
}

type state uint8

const (
	beforeRequest   state = iota // at the start of a line before the request line
	beforeRequestCR              // after its CR
	inMethod
	inTarget         // after the method's space, up to the end of the line
	afterCR          // after a CR in the request line or a field
	lineStart        // at the start of a field line
	inField          // within a field line
	lineStartAfterCR // after a CR at the start of a field line
	complete         // the header section has ended
	impossible
)

// Scan takes the next bytes. It reports false when no further bytes can make a request
// of what has been scanned, and goes on to report that. Once the header section is
// complete it reports true, whatever comes: that is a body, or the next request.
func (s *Scanner) Scan(p []byte) bool {
	for i := 0; i < len(p) && s.state < complete; i++ {
		if s.state == inField {
			// Most of a request is the text of its fields.
			if i += plainText(p[i:]); i == len(p) {
				break
			}
		}
		s.state = s.next(p[i])
	}
	return s.state != impossible
}

// plainText is how many bytes at the start of p leave a field line as it is.
func plainText(p []byte) int {
	for i, c := range p {
		if c < ' ' || c == 0x7f {
			return i
		}
	}
	return len(p)
}

// TargetTooLong reports whether the request line has not ended, and its target has more
// than MaxTarget bytes.
func (s *Scanner) TargetTooLong() bool {
	return s.state == inTarget && s.length > MaxTarget+maxMethod
}

// next is the state after one more byte.
func (s *Scanner) next(c byte) state {
	switch s.state {
	case beforeRequest:
		if c == '\r' && s.empty < maxEmptyLines {
			return beforeRequestCR
		}
		return s.inMethod(c)
	case beforeRequestCR:
		s.empty++
		return only(c == '\n', beforeRequest)
	case inMethod:
		return s.inMethod(c)
	case inTarget:
		s.keep(c)
		return only(!s.otherProtocol(), s.afterText(inTarget, c))
	case afterCR:
		// A CR alone is no end of a line (RFC 9112 section 2.2).
		return only(c == '\n', lineStart)
	case lineStart:
		switch c {
		case '\r':
			return lineStartAfterCR
		case '\n':
			return only(!s.CRLF, complete)
		}
		return s.afterText(inField, c)
	case lineStartAfterCR:
		return only(c == '\n', complete)
	default:
		return s.afterText(inField, c)
	}
}

// inMethod is the state after a byte of the method, or the space that ends it.
func (s *Scanner) inMethod(c byte) state {
	s.keep(c)
	if c == ' ' && s.length > 1 {
		return inTarget
	}
	return only(isTokenByte(c) && s.length <= maxMethod && !s.otherProtocol(), inMethod)
}

// keep appends a byte of the request line to what is compared with otherProtocols.
func (s *Scanner) keep(c byte) {
	if s.length < len(s.preface) {
		s.preface[s.length] = c
	}
	s.length++
}

// otherProtocol reports whether the request line begins like another protocol.
func (s *Scanner) otherProtocol() bool {
	if s.length > longestPreface {
		return false
	}
	line := string(s.preface[:s.length])
	for _, p := range otherProtocols {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// only is next where ok is true.
func only(ok bool, next state) state {
	if !ok {
		return impossible
	}
	return next
}

// afterText is the state after a byte of a line's text. A LF alone ends a line too, as RFC
// 9112 section 2.2 allows, unless CRLF is set. Other control characters but the tab are valid nowhere in a
// header section (RFC 9110 section 5.5).
func (s *Scanner) afterText(within state, c byte) state {
	switch {
	case c == '\r':
		return afterCR
	case c == '\n':
		return only(!s.CRLF, lineStart)
	case c < ' ' && c != '\t', c == 0x7f:
		return impossible
	}
	return within
}

// isTokenByte reports whether c is a tchar (RFC 9110 section 5.6.2), of which methods
// consist.
func isTokenByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
