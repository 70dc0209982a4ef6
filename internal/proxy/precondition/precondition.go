// Package precondition evaluates the conditional headers of GET and HEAD (RFC 9110
// section 13) against an object's validators.
package precondition

import (
	"net/http"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Headers are the precondition headers of a request, "" where absent. Several lines of one
// are one list (RFC 9110 section 5.3): a date or an If-Range that is one is invalid.
type Headers struct {
	IfMatch           string
	IfUnmodifiedSince string
	IfNoneMatch       string
	IfModifiedSince   string
	IfRange           string
}

// Validators are what the conditions are compared with.
type Validators struct {
	ETag string // strong, with its quotes
	// Modified has whole seconds; zero when there is no Last-Modified.
	Modified time.Time
	// Now tells the century of a date with a year of two digits. It may be as old as a
	// connection; zero: the border is 1969.
	Now time.Time
}

// ValidatorsOf returns an object's validators. A modification time in the future is
// left out, because a Last-Modified later than Date is forbidden (section 8.8.2.1),
// and so is the epoch, which some origins send for an unknown time.
func ValidatorsOf(obj media.Object, etag string, now time.Time) Validators {
	v := Validators{ETag: etag, Now: now}
	if !obj.ModTime.IsZero() && obj.ModTime.Unix() != 0 && !obj.ModTime.After(now) {
		v.Modified = obj.ModTime.UTC().Truncate(time.Second)
	}
	return v
}

// Outcome is the result of all preconditions.
type Outcome uint8

// The outcomes.
const (
	Proceed     Outcome = iota
	NotModified         // answer 304
	Failed              // answer 412
)

// Evaluate evaluates the preconditions in the order of RFC 9110 section 13.2.2, for
// GET and HEAD. If-Range, the last step, is RangeApplies: it needs a Range.
func (c Headers) Evaluate(v Validators) Outcome {
	if c.IfMatch != "" {
		if !MatchesStrong(c.IfMatch, v.ETag) {
			return Failed
		}
	} else if t, ok := v.parseDate(c.IfUnmodifiedSince); ok && !v.Modified.IsZero() && v.Modified.After(t) {
		return Failed
	}
	if c.IfNoneMatch != "" {
		if MatchesWeak(c.IfNoneMatch, v.ETag) {
			return NotModified
		}
	} else if t, ok := v.parseDate(c.IfModifiedSince); ok && !v.Modified.IsZero() && !v.Modified.After(t) {
		return NotModified
	}
	return Proceed
}

// RangeApplies evaluates If-Range (section 13.1.5): without it a Range always applies,
// with it only when the validator matches strongly. A date matches when it is
// exactly the Last-Modified.
func (c Headers) RangeApplies(v Validators) bool {
	if c.IfRange == "" {
		return true
	}
	if tag, rest := cutTag(strings.Trim(c.IfRange, optionalWhitespace)); tag != "" {
		return tag == v.ETag && rest == "" // a weak tag begins with W/ and so never equals a strong one
	}
	t, ok := v.parseDate(c.IfRange)
	return ok && !v.Modified.IsZero() && t.Equal(v.Modified)
}

// parseDate parses an HTTP-date in any of its three forms (section 5.6.7). A year of two
// digits is one of the next fifty years, or the last one before them; package time has a
// fixed border instead, 1969.
func (v Validators) parseDate(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(s)
	if err != nil {
		return time.Time{}, false
	}
	if _, err := time.Parse(time.RFC850, s); err == nil && !v.Now.IsZero() {
		century := v.Now.UTC().Year() / 100 * 100
		t = t.AddDate(century+t.Year()%100-t.Year(), 0, 0)
		if t.After(v.Now.AddDate(50, 0, 0)) {
			t = t.AddDate(-100, 0, 0)
		}
	}
	return t, true
}

// FormatDate writes an IMF-fixdate.
func FormatDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
