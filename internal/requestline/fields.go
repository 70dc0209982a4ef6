package requestline

import (
	"bytes"
	"strings"
)

// WellFormed reports whether a header section keeps to the syntax of RFC 9112 section 5 where
// fasthttp is lenient: each line ends with CRLF, each name is a token (RFC 9110 section 5.1),
// and the only transfer coding is chunked. fasthttp takes LF alone as the end of a line, spaces
// within a name, and the coding "identity", which no longer exists: a proxy in front may read
// another request into the same bytes. Continuation lines are left to the parser.
//
// section is as received, from the first field line on. The empty line at its end may be
// missing.
func WellFormed(section []byte) bool {
	for len(section) > 0 {
		end := bytes.IndexByte(section, '\n')
		if end < 1 || section[end-1] != '\r' {
			return false
		}
		line := section[:end-1]
		section = section[end+1:]
		if len(line) == 0 || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 1 || !isToken(line[:colon]) {
			return false
		}
		if isTransferEncoding(line[:colon]) && !strings.EqualFold(strings.Trim(string(line[colon+1:]), " \t"), "chunked") {
			return false
		}
	}
	return true
}

// isTransferEncoding compares a name without regard to case.
func isTransferEncoding(name []byte) bool {
	const want = "Transfer-Encoding"
	return len(name) == len(want) && strings.EqualFold(string(name), want)
}

// isToken reports whether a text has bytes of a token only (RFC 9110 section 5.6.2).
func isToken(text []byte) bool {
	for _, c := range text {
		if !isTokenByte(c) {
			return false
		}
	}
	return true
}

// ValidHost reports whether a text is a host with or without a port, as the field Host has it
// (RFC 9110 section 7.2, RFC 3986 section 3.2.2). RFC 9112 section 3.2 has a server refuse
// others. An address in brackets is not looked into.
func ValidHost(host string) bool {
	if strings.HasPrefix(host, "[") {
		address, port, closed := strings.Cut(host[1:], "]")
		return closed && address != "" && !strings.ContainsFunc(address, notInAddress) && validPort(port)
	}
	name := host
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		if name = host[:colon]; !validPort(host[colon:]) {
			return false
		}
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '%':
			if i+2 >= len(name) || !isHex(name[i+1]) || !isHex(name[i+2]) {
				return false
			}
			i += 2
		case !isNameByte(c):
			return false
		}
	}
	return true
}

// ValidTarget reports whether a target without userinfo has no fragment (RFC 9112 section 3.2)
// and, in absolute form, a host (RFC 9110 section 4.2.1).
func ValidTarget(target string) bool {
	if strings.Contains(target, "#") {
		return false
	}
	host, absolute := authority(target)
	return !absolute || host != "" && !strings.HasPrefix(host, ":") && ValidHost(host)
}

// authority is the part of a target in absolute form that names the host.
func authority(target string) (host string, absolute bool) {
	if strings.HasPrefix(target, "/") {
		return "", false
	}
	_, host, absolute = strings.Cut(target, "://")
	if end := strings.IndexAny(host, "/?#"); end >= 0 {
		host = host[:end]
	}
	return host, absolute
}

// validPort reports whether a text is empty, or a colon and digits, which may be missing.
func validPort(text string) bool {
	if text == "" {
		return true
	}
	return text[0] == ':' && strings.Trim(text[1:], "0123456789") == ""
}

// isNameByte reports whether c is one of unreserved or sub-delims (RFC 3986 section 2).
func isNameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=", c) >= 0
}

// notInAddress reports whether r is in no address in brackets: IPv6, with a zone (RFC 6874),
// or a later version.
func notInAddress(r rune) bool {
	return r >= 0x80 || r != ':' && r != '%' && !isNameByte(byte(r))
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
