package differential

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// expected is what RFC 9110 sections 13 and 14 have a server answer. Where they leave a
// choice it is the gateway's: an invalid Range is ignored, and so is one of more than 16
// ranges or of more bytes than the file has; whitespace around numbers is passed over; a list
// of entity tags counts up to its first element that is none.
//
// It shares no code with the gateway.
func (f *facts) expected() string {
	if status := f.precondition(); status != 0 {
		return fmt.Sprint(status)
	}
	const most = 16
	switch {
	case f.Method != "GET", f.value == "", !f.ifRange(), !strings.EqualFold(f.unit, "bytes"), !f.valid, f.specs > most, f.sum() > f.size:
		return "200"
	case len(f.spans) == 0:
		return "416"
	case len(f.spans) == 1:
		return fmt.Sprintf("206 %d-%d", f.spans[0].first, f.spans[0].last)
	}
	var parts []string
	for _, s := range f.spans {
		parts = append(parts, fmt.Sprintf("%d-%d", s.first, s.last))
	}
	return "206 parts " + strings.Join(parts, ",")
}

// precondition is 412 or 304 where a condition of section 13.2.2 decides, else 0.
func (f *facts) precondition() int {
	if f.has("If-Match") {
		if !f.matches("If-Match", false) {
			return http.StatusPreconditionFailed
		}
	} else if at, ok := f.date("If-Unmodified-Since"); ok && f.modified.After(at) {
		return http.StatusPreconditionFailed
	}
	if f.has("If-None-Match") {
		if f.matches("If-None-Match", true) {
			return http.StatusNotModified
		}
	} else if at, ok := f.date("If-Modified-Since"); ok && !f.modified.After(at) {
		return http.StatusNotModified
	}
	return 0
}

// ifRange is section 13.1.5.
func (f *facts) ifRange() bool {
	if !f.has("If-Range") {
		return true
	}
	value := strings.Join(f.values("If-Range"), ", ")
	if value == "{etag}" {
		return true
	}
	at, ok := f.date("If-Range")
	return ok && at.Equal(f.modified)
}

// tagElement is an element of a list of entity tags (section 8.8.3), with what is before it.
var tagElement = regexp.MustCompile(`^[ \t,]*(\*|W/\{etag\}|\{etag\}|(?:W/)?"[!#-~]*")`)

// matches reports whether a list has the file's tag, by the weak comparison or the strong one.
func (f *facts) matches(name string, weak bool) bool {
	for rest := strings.Join(f.values(name), ", "); ; {
		element := tagElement.FindStringSubmatch(rest)
		switch {
		case element == nil:
			return false
		case element[1] == "*", element[1] == "{etag}", weak && element[1] == "W/{etag}":
			return true
		}
		rest = rest[len(element[0]):]
	}
}

// date is a field's HTTP-date (section 5.6.7). A field of two lines has none.
func (f *facts) date(name string) (time.Time, bool) {
	values := f.values(name)
	if len(values) != 1 {
		return time.Time{}, false
	}
	for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", "Mon Jan _2 15:04:05 2006"} {
		if at, err := time.Parse(layout, values[0]); err == nil && len(layout)-len("Monday") <= len(values[0]) {
			return at, true
		}
	}
	return time.Time{}, false
}

// readConditions sets what is odd about the conditions.
func (f *facts) readConditions() {
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"} {
		values := f.values(name)
		if len(values) == 0 {
			continue
		}
		f.twice = f.twice || len(values) > 1
		switch name {
		case "If-Match", "If-None-Match":
			list := strings.Join(values, ", ")
			f.oddTags = f.oddTags || strings.Contains(list, "*") && list != "*"
			for {
				element := tagElement.FindString(list)
				if element == "" {
					break
				}
				list = list[len(element):]
			}
			f.oddTags = f.oddTags || strings.Trim(list, " \t,") != ""
		case "If-Range":
			_, ok := f.date(name)
			f.oddDate = f.oddDate || !ok && !strings.Contains(values[0], `"`) && !strings.Contains(values[0], "{etag}")
		default:
			_, ok := f.date(name)
			f.oddDate = f.oddDate || !ok
		}
	}
}
