package signin

import (
	"fmt"
	"net/url"
	"strings"
)

// maxNext bounds the address that a browser comes back to, which lives in a cookie.
const maxNext = 1024

// ownPath is a path of this gateway, with query and fragment, or "/" for everything else.
// Browsers take "//host", and "/\host" too, for another site, and drop tabs and line ends
// before they look (WHATWG URL, section 4.4).
func ownPath(next string) string {
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsFunc(next, neverInPath) {
		return "/"
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return "/"
	}
	// As it is written out again: what is not ASCII is escaped, and "/.//host" stays a path.
	u.RawQuery = escapedQuery(u.RawQuery)
	if path := u.EscapedPath(); strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.Contains(path, "/./") && !strings.Contains(path, "/../") {
		if written := u.String(); len(written) <= maxNext { // escapes make it longer
			return written
		}
	}
	return "/"
}

// escapedQuery escapes what may not stand in a query, and leaves the rest as it is (RFC 3986
// section 3.4). net/url writes a query out as it came.
func escapedQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func neverInPath(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }

// publicPath is a path of this gateway as browsers know it: below the path of the public URL.
func (x *request) publicPath(next string) string {
	prefix := x.h.Links.BasePath(x.c)
	if strings.HasPrefix(next, prefix+"/") {
		return next
	}
	return prefix + next
}
