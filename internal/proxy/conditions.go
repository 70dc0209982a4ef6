package proxy

import (
	"net/http"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// conditions are the precondition headers of a request, "" where absent.
type Headers struct {
	IfMatch           string
	IfUnmodifiedSince string
	IfNoneMatch       string
	IfModifiedSince   string
	IfRange           string
}

// validators are what the conditions are held against.
type Validators struct {
	ETag string // strong, with its quotes
	// modified has whole seconds; zero when there is no Last-Modified.
	Modified time.Time
}

// validatorsOf takes an object's validators. A modification time in the future
// is left out, because a Last-Modified later than Date is forbidden (section
// 8.8.2.1), and so is the epoch, which is how "not known" often looks.
func ValidatorsOf(obj media.Object, etag string, now time.Time) Validators {
	v := Validators{ETag: etag}
	if !obj.ModTime.IsZero() && obj.ModTime.Unix() != 0 && !obj.ModTime.After(now) {
		v.Modified = obj.ModTime.UTC().Truncate(time.Second)
	}
	return v
}

// preconditionVerdict is what the conditions come to.
type Outcome uint8

const (
	Proceed Outcome = iota
	NotModified
	Failed
)

// evaluate goes through the preconditions in the order of RFC 9110 section
// 13.2.2, for GET and HEAD. If-Range, the last step, stands apart in
// rangeApplies because it needs a Range.
func (c Headers) Evaluate(v Validators) Outcome {
	if c.IfMatch != "" {
		if !MatchesTag(c.IfMatch, v.ETag, true) {
			return Failed
		}
	} else if t, ok := readDate(c.IfUnmodifiedSince); ok && !v.Modified.IsZero() && v.Modified.After(t) {
		return Failed
	}
	if c.IfNoneMatch != "" {
		if MatchesTag(c.IfNoneMatch, v.ETag, false) {
			return NotModified
		}
	} else if t, ok := readDate(c.IfModifiedSince); ok && !v.Modified.IsZero() && !v.Modified.After(t) {
		return NotModified
	}
	return Proceed
}

// rangeApplies is If-Range (section 13.1.5): without it a Range always applies,
// with it only when the validator matches strongly. A date matches when it is
// exactly the Last-Modified.
func (c Headers) RangeApplies(v Validators) bool {
	if c.IfRange == "" {
		return true
	}
	if tag, _ := readTag(trimOWS(c.IfRange)); tag != "" {
		return tag == v.ETag // a weak tag begins with W/ and so never equals a strong one
	}
	t, ok := readDate(c.IfRange)
	return ok && !v.Modified.IsZero() && t.Equal(v.Modified)
}

// anyTagMatches looks for a tag in an If-Match or If-None-Match list. The list
// is read up to its first malformed element, as net/http does.
func MatchesTag(list, etag string, strong bool) bool {
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
func FormatDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// judgement is the status an existing object gets, and the spans to send.
type decision struct {
	status int
	// spans to send: one for 200 of a non-empty object and for a plain 206,
	// several for multipart/byteranges, none otherwise.
	spans []media.Span
}

// judge decides a GET or HEAD of an object: preconditions first, the range last.
func decide(head bool, rangeHeader string, c Headers, v Validators, size int64) decision {
	switch c.Evaluate(v) {
	case Failed:
		return decision{status: http.StatusPreconditionFailed}
	case NotModified:
		return decision{status: http.StatusNotModified}
	}
	// Section 14.2: Range is defined for GET only.
	if !head && rangeHeader != "" && c.RangeApplies(v) {
		switch spans, verdict := selectRanges(rangeHeader, size); verdict {
		case rangeSatisfiable:
			return decision{status: http.StatusPartialContent, spans: spans}
		case rangeUnsatisfiable:
			return decision{status: http.StatusRequestedRangeNotSatisfiable}
		}
	}
	if size == 0 {
		return decision{status: http.StatusOK}
	}
	return decision{status: http.StatusOK, spans: []media.Span{{Len: size}}}
}
