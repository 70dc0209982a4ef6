package stream

import (
	"net/http"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
)

// decision is the status that an existing object is answered with, and the spans to
// send.
type decision struct {
	status int
	// spans to send: one for 200 of a non-empty object and for a plain 206,
	// several for multipart/byteranges, none otherwise.
	spans []media.Span
}

// decide evaluates the preconditions first and the range last, for GET and HEAD.
func decide(head bool, rangeHeader string, c precondition.Headers, v precondition.Validators, size int64) decision {
	switch c.Evaluate(v) {
	case precondition.Failed:
		return decision{status: http.StatusPreconditionFailed}
	case precondition.NotModified:
		return decision{status: http.StatusNotModified}
	}
	// Section 14.2: Range is defined for GET only.
	if !head && rangeHeader != "" && c.RangeApplies(v) {
		switch spans, result := selectRanges(rangeHeader, size); result {
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
