package stream

import (
	"math"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/internal/media"
)

// maxRanges is how many ranges one request may ask for. Players ask for one;
// many tiny ones are the attack of CVE-2011-3192.
const maxRanges = 16

// rangeResult is the result of a Range header.
type rangeResult uint8

const (
	rangeIgnored       rangeResult = iota // answer with the whole, 200
	rangeSatisfiable                      // answer with the spans, 206
	rangeUnsatisfiable                    // 416
)

// selectRanges evaluates a Range header (RFC 9110 section 14.2) against a
// representation of size bytes. Every span it returns is not empty and lies
// within [0, size). doc.go lists where it differs from net/http.
func selectRanges(header string, size int64) ([]media.Span, rangeResult) {
	unit, set, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return nil, rangeIgnored
	}
	var spans []media.Span
	var specs int
	var sum int64
	wasteful := false
	for spec := range strings.SplitSeq(set, ",") {
		spec = strings.Trim(spec, optionalWhitespace)
		if spec == "" {
			continue // section 5.6.1: empty list elements are tolerated
		}
		if specs++; specs > maxRanges {
			return nil, rangeIgnored
		}
		span, ok := parseRange(spec, size)
		if !ok {
			return nil, rangeIgnored
		}
		if span.Empty() {
			continue
		}
		if span.Len > size-sum {
			wasteful = true // more bytes than the whole has: overlapping
		} else {
			sum += span.Len
		}
		spans = append(spans, span)
	}
	switch {
	case specs == 0 || wasteful:
		return nil, rangeIgnored
	case len(spans) == 0:
		return nil, rangeUnsatisfiable
	default:
		return spans, rangeSatisfiable
	}
}

// parseRange parses one range-spec. An empty span is well-formed but not
// satisfiable; ok is false for what is malformed.
func parseRange(spec string, size int64) (span media.Span, ok bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return media.Span{}, false
	}
	first, last = strings.Trim(first, optionalWhitespace), strings.Trim(last, optionalWhitespace)
	if first == "" {
		n, ok := parseOffset(last)
		if !ok {
			return media.Span{}, false
		}
		n = min(n, size)
		return media.Span{Off: size - n, Len: n}, true
	}
	from, ok := parseOffset(first)
	if !ok {
		return media.Span{}, false
	}
	to := int64(math.MaxInt64)
	if last != "" {
		if to, ok = parseOffset(last); !ok || numberLess(last, first) {
			return media.Span{}, false
		}
	}
	if from >= size {
		return media.Span{}, true
	}
	return media.Span{Off: from, Len: min(to, size-1) - from + 1}, true
}

// parseOffset parses 1*DIGIT. A number that 64 bits cannot hold becomes the
// largest they can, which lies beyond the end of anything; it never wraps
// (CVE-2017-7529 was such a wrap).
func parseOffset(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// numberLess compares two strings of digits by value, whatever their length.
func numberLess(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// optionalWhitespace is OWS of RFC 9110 section 5.6.3.
const optionalWhitespace = " \t"
