package zoom

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Zoom's JSON is not consistent: ids are numbers in webhooks and strings in some
// answers, times carry Z, an offset or fractions, and are "" while unknown.

// text is a string that may come as a number or null.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	switch {
	case bytes.Equal(data, []byte("null")):
		*t = ""
	case len(data) > 0 && data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		// A NUL is valid in JSON and in no text column.
		*t = text(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), ""))
	case len(data) > 0 && (data[0] == '{' || data[0] == '['):
		*t = "" // not a text in any spelling; the field is as good as missing
	default:
		*t = text(number(string(data)))
	}
	return nil
}

// number writes an integer without exponent or fraction, as 8.6e10 might come.
func number(s string) string {
	if !strings.ContainsAny(s, ".eE") {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != float64(int64(f)) {
		return s
	}
	return strconv.FormatInt(int64(f), 10)
}

// count is a whole number that may come as a string; anything else is 0.
type count int64

func (c *count) UnmarshalJSON(data []byte) error {
	var t text
	if err := t.UnmarshalJSON(data); err != nil {
		return err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number(string(t))), 10, 64)
	if err != nil || n < 0 {
		n = 0
	}
	*c = count(n)
	return nil
}

// minutes is a number of minutes; 0, not known, for what no meeting can last.
func (c count) minutes() time.Duration {
	if c > count(maxClock/time.Minute) {
		return 0
	}
	return time.Duration(c) * time.Minute
}

// moment is a time that may be missing; the zero time says so.
type moment struct{ time.Time }

var momentLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly}

func (m *moment) UnmarshalJSON(data []byte) error {
	var t text
	if err := t.UnmarshalJSON(data); err != nil {
		return err
	}
	m.Time = time.Time{}
	for _, layout := range momentLayouts {
		if at, err := time.Parse(layout, strings.TrimSpace(string(t))); err == nil {
			m.Time = at.UTC()
			break
		}
	}
	return nil
}
