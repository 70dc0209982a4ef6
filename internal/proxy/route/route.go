// Package route matches request paths against the patterns that the handlers of
// the public listener declare.
package route

import (
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/accesslog"
)

// Route is one path pattern of the public listener and its handler.
type Route struct {
	// Pattern is the path, in which one segment may be {id}: a positive decimal
	// number of 63 bits. A {lang} in the last one is any word. A {cid} behind the {id} is
	// another such number: see SecondID.
	Pattern string
	// OptionalSlash accepts the path with and without its final slash.
	OptionalSlash bool
	// Allow lists the methods, in the form of the header Allow.
	Allow string
	// MaxBody is the largest body of a PUT, in bytes, where it is larger than that of
	// other routes.
	MaxBody int
	// SignsIn says that the credential may be in the body, so that the headers alone do not
	// refuse a request.
	SignsIn bool
	// Serve answers a request. rec is its access record so far, id the number in
	// the path or 0. Serve sees to it that the record is written, once.
	Serve func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64)
}

// Match reports whether path matches the pattern, and returns the id in it.
func (r *Route) Match(path string) (id int64, ok bool) {
	pattern := r.Pattern
	if r.OptionalSlash {
		path, pattern = strings.TrimSuffix(path, "/"), strings.TrimSuffix(pattern, "/")
	}
	before, after, variable := strings.Cut(pattern, "{id}")
	if !variable {
		return 0, path == pattern
	}
	if head, tail, two := strings.Cut(after, "{lang}"); two {
		return matchIDAndWord(path, before, head, tail)
	}
	if between, tail, two := strings.Cut(after, "{cid}"); two {
		id, _, ok = matchIDs(path, before, between, tail)
		return id, ok
	}
	if len(path) <= len(before)+len(after) || !strings.HasPrefix(path, before) || !strings.HasSuffix(path, after) {
		return 0, false
	}
	return parseID(path[len(before) : len(path)-len(after)])
}

// matchIDAndWord matches a path with an id and a word without a slash.
func matchIDAndWord(path, before, between, after string) (id int64, ok bool) {
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return 0, false
	}
	number, word, ok := strings.Cut(rest, between)
	if !ok || len(word) <= len(after) || !strings.HasSuffix(word, after) || strings.Contains(word, "/") {
		return 0, false
	}
	return parseID(number)
}

// matchIDs matches a path with two ids.
func matchIDs(path, before, between, after string) (id, second int64, ok bool) {
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return 0, 0, false
	}
	number, rest, ok := strings.Cut(rest, between)
	if !ok || !strings.HasSuffix(rest, after) {
		return 0, 0, false
	}
	if id, ok = parseID(number); !ok {
		return 0, 0, false
	}
	second, ok = parseID(strings.TrimSuffix(rest, after))
	return id, second, ok
}

// SecondID is the number of a path where a pattern has {cid}, 0 where they do not match.
func SecondID(pattern, path string) int64 {
	before, rest, _ := strings.Cut(strings.TrimSuffix(pattern, "/"), "{id}")
	between, after, _ := strings.Cut(rest, "{cid}")
	_, second, _ := matchIDs(strings.TrimSuffix(path, "/"), before, between, after)
	return second
}

// parseID parses a positive decimal number, digits only.
func parseID(s string) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id > 0
}

// Allows reports whether Allow lists the method.
func (r *Route) Allows(method string) bool {
	for m := range strings.SplitSeq(r.Allow, ", ") {
		if m == method {
			return true
		}
	}
	return false
}
