package proxy

import (
	"net/http"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// conditions are the precondition headers of a request, "" where absent.
type conditions struct {
	ifMatch           string
	ifUnmodifiedSince string
	ifNoneMatch       string
	ifModifiedSince   string
	ifRange           string
}

// validators are what the conditions are held against.
type validators struct {
	etag string // strong, with its quotes
	// modified has whole seconds; zero when there is no Last-Modified.
	modified time.Time
}

// validatorsOf takes an object's validators. A modification time in the future
// is left out, because a Last-Modified later than Date is forbidden (section
// 8.8.2.1), and so is the epoch, which is how "not known" often looks.
func validatorsOf(obj media.Object, etag string, now time.Time) validators {
	v := validators{etag: etag}
	if !obj.ModTime.IsZero() && obj.ModTime.Unix() != 0 && !obj.ModTime.After(now) {
		v.modified = obj.ModTime.UTC().Truncate(time.Second)
	}
	return v
}

// preconditionVerdict is what the conditions come to.
type preconditionVerdict uint8

const (
	conditionsHold preconditionVerdict = iota
	conditionsNotModified
	conditionsFailed
)

// evaluate goes through the preconditions in the order of RFC 9110 section
// 13.2.2, for GET and HEAD. If-Range, the last step, stands apart in
// rangeApplies because it needs a Range.
func (c conditions) evaluate(v validators) preconditionVerdict {
	if c.ifMatch != "" {
		if !anyTagMatches(c.ifMatch, v.etag, true) {
			return conditionsFailed
		}
	} else if t, ok := readDate(c.ifUnmodifiedSince); ok && !v.modified.IsZero() && v.modified.After(t) {
		return conditionsFailed
	}
	if c.ifNoneMatch != "" {
		if anyTagMatches(c.ifNoneMatch, v.etag, false) {
			return conditionsNotModified
		}
	} else if t, ok := readDate(c.ifModifiedSince); ok && !v.modified.IsZero() && !v.modified.After(t) {
		return conditionsNotModified
	}
	return conditionsHold
}

// rangeApplies is If-Range (section 13.1.5): without it a Range always applies,
// with it only when the validator matches strongly. A date matches when it is
// exactly the Last-Modified.
func (c conditions) rangeApplies(v validators) bool {
	if c.ifRange == "" {
		return true
	}
	if tag, _ := readTag(trimOWS(c.ifRange)); tag != "" {
		return tag == v.etag // a weak tag begins with W/ and so never equals a strong one
	}
	t, ok := readDate(c.ifRange)
	return ok && !v.modified.IsZero() && t.Equal(v.modified)
}

// anyTagMatches looks for a tag in an If-Match or If-None-Match list. The list
// is read up to its first malformed element, as net/http does.
func anyTagMatches(list, etag string, strong bool) bool {
	for {
		list = trimOWS(list)
		switch {
		case list == "":
			return false
		case list[0] == ',':
			list = list[1:]
			continue
		case list[0] == '*':
			return true
		}
		tag, rest := readTag(list)
		if tag == "" {
			return false
		}
		if !strong {
			tag = strings.TrimPrefix(tag, "W/")
		}
		if tag == etag {
			return true
		}
		list = rest
	}
}

// readTag takes one entity-tag off the front of s (section 8.8.3); tag is ""
// when there is none. A comma may stand between the quotes.
func readTag(s string) (tag, rest string) {
	open := 0
	if strings.HasPrefix(s, "W/") {
		open = 2
	}
	if len(s) < open+2 || s[open] != '"' {
		return "", ""
	}
	for i := open + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:]
		case c < 0x21 || c == 0x7f:
			return "", ""
		}
	}
	return "", ""
}

// readDate reads an HTTP-date in any of its three forms (section 5.6.7).
func readDate(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(s)
	return t, err == nil
}

// formatDate writes an IMF-fixdate.
func formatDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// judgement is the status an existing object gets, and the spans to send.
type judgement struct {
	status int
	// spans to send: one for 200 of a non-empty object and for a plain 206,
	// several for multipart/byteranges, none otherwise.
	spans []media.Span
}

// judge decides a GET or HEAD of an object: preconditions first, the range last.
func judge(head bool, rangeHeader string, c conditions, v validators, size int64) judgement {
	switch c.evaluate(v) {
	case conditionsFailed:
		return judgement{status: http.StatusPreconditionFailed}
	case conditionsNotModified:
		return judgement{status: http.StatusNotModified}
	}
	// Section 14.2: Range is defined for GET only.
	if !head && rangeHeader != "" && c.rangeApplies(v) {
		switch spans, verdict := selectRanges(rangeHeader, size); verdict {
		case rangeSatisfiable:
			return judgement{status: http.StatusPartialContent, spans: spans}
		case rangeUnsatisfiable:
			return judgement{status: http.StatusRequestedRangeNotSatisfiable}
		}
	}
	if size == 0 {
		return judgement{status: http.StatusOK}
	}
	return judgement{status: http.StatusOK, spans: []media.Span{{Len: size}}}
}
