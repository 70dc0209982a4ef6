package origin

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/internal/media"
)

// CheckRangeResponse refuses, as Corrupt, an HTTP response that is not exactly the span
// of an object of size bytes: another status, range or total (RFC 9110 section 14.4), a
// coded body, or an HTML page. Lengths alone do not show whose bytes they are.
func CheckRangeResponse(resp *http.Response, span media.Span, size int64) error {
	if err := checkForm(resp); err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if span.Off != 0 || span.Len != size || resp.ContentLength != size {
			return wrong("the whole of %d bytes for %v of %d", resp.ContentLength, span, size)
		}
	case http.StatusPartialContent:
		got, total, err := parseContentRange(resp.Header.Get("Content-Range"))
		if err != nil {
			return wrong("%w", err)
		}
		if got != span || total != size {
			return wrong("%v of %d for %v of %d", got, total, span, size)
		}
		if resp.ContentLength >= 0 && resp.ContentLength != span.Len {
			return wrong("Content-Length %d for %d bytes", resp.ContentLength, span.Len)
		}
	default:
		return wrong("status %d", resp.StatusCode)
	}
	return nil
}

// CheckPeekResponse refuses, as Corrupt, a response that does not begin at span.Off and
// go to the end of span or of the object. It returns the object's size.
func CheckPeekResponse(resp *http.Response, span media.Span) (size int64, err error) {
	if err := checkForm(resp); err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusPartialContent {
		return 0, wrong("status %d", resp.StatusCode)
	}
	got, size, err := parseContentRange(resp.Header.Get("Content-Range"))
	if err != nil {
		return 0, wrong("%w", err)
	}
	if got != span.Clip(size) {
		return 0, wrong("%v of %d for %v", got, size, span)
	}
	return size, nil
}

// checkForm refuses a coded body, an HTML page and several ranges in one body.
func checkForm(resp *http.Response) error {
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return wrong("a body with content coding %.20q", coding)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && (kind == "text/html" || strings.HasPrefix(kind, "multipart/")) {
		return wrong("a body of type %.40q", kind)
	}
	return nil
}

func wrong(format string, args ...any) error {
	return media.Faultf(media.Corrupt, "origin: answer", format, args...)
}

// TotalOf is the object's size in a 206's Content-Range, or -1.
func TotalOf(resp *http.Response) int64 {
	_, total, err := parseContentRange(resp.Header.Get("Content-Range"))
	if err != nil {
		return -1
	}
	return total
}

// parseContentRange reads "bytes a-b/size". An unknown size ("*") is an error, because
// it cannot be compared with the object's.
func parseContentRange(field string) (media.Span, int64, error) {
	bad := fmt.Errorf("Content-Range %.60q", field)
	rest, ok := strings.CutPrefix(field, "bytes ")
	if !ok {
		return media.Span{}, 0, bad
	}
	limits, total, ok := strings.Cut(rest, "/")
	first, last, ok2 := strings.Cut(limits, "-")
	if !ok || !ok2 {
		return media.Span{}, 0, bad
	}
	var n [3]int64
	for i, text := range []string{first, last, total} {
		v, err := strconv.ParseUint(text, 10, 62) // 62 bits: no sum below can wrap
		if err != nil {
			return media.Span{}, 0, bad
		}
		n[i] = int64(v)
	}
	if n[0] > n[1] || n[1] >= n[2] {
		return media.Span{}, 0, bad
	}
	return media.Span{Off: n[0], Len: n[1] - n[0] + 1}, n[2], nil
}
