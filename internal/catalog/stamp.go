package catalog

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
)

// stamp is a moment in a column, or NULL when it is the zero time. It is always
// in UTC and has microseconds, as PostgreSQL keeps them.
//
// SQLite has no type for times, so they are RFC 3339 text there, with Z, and
// with six decimals exactly when the microseconds are not zero: the platform's
// own way of writing them. dialect.bind hands PostgreSQL a time.Time instead.
type stamp struct{ time.Time }

const (
	stampSeconds = "2006-01-02T15:04:05Z"
	stampMicros  = "2006-01-02T15:04:05.000000Z"
)

// stampOf is the moment as a column can hold it.
func stampOf(t time.Time) stamp {
	if t.IsZero() {
		return stamp{}
	}
	return stamp{t.UTC().Truncate(time.Microsecond)}
}

// String is the text that SQLite and exported documents hold, "" for NULL.
func (s stamp) String() string {
	switch {
	case s.IsZero():
		return ""
	case s.Nanosecond()/1000 == 0:
		return s.Format(stampSeconds)
	default:
		return s.Format(stampMicros)
	}
}

// Value implements driver.Valuer.
func (s stamp) Value() (driver.Value, error) {
	if s.IsZero() {
		return nil, nil
	}
	return s.String(), nil
}

// Scan implements sql.Scanner.
func (s *stamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s = stamp{}
	case time.Time:
		*s = stampOf(v)
	case string:
		return s.parse(v)
	case []byte:
		return s.parse(string(v))
	default:
		return fmt.Errorf("a time cannot be read from %T", src)
	}
	return nil
}

func (s *stamp) parse(text string) (err error) {
	*s, err = parseStamp(text)
	return err
}

// offsetLayouts are the ways a numeric offset is written: Go's layouts read Z
// and an offset through one Z07:00, with a fraction of a second at will.
var offsetLayouts = []string{"Z07:00", "Z0700", "Z07", "Z07:00:00", ""}

// parseStamp reads a moment as RFC 3339 writes it, and as SQLite's functions and
// people do: a space for the T, small letters, a numeric offset with or without
// colon or minutes, no offset at all (UTC), no seconds, a date alone (midnight UTC).
// PostgreSQL's infinity is "no end", which this package writes as the zero time;
// its -infinity is a moment long past.
func parseStamp(text string) (stamp, error) {
	in := strings.ToUpper(strings.TrimSpace(text))
	switch in {
	case "", "INFINITY":
		return stamp{}, nil
	case "-INFINITY":
		return stamp{time.Unix(0, 0).UTC()}, nil
	}
	if t, err := time.Parse(time.DateOnly, in); err == nil {
		return checkedStamp(t, text)
	}
	if len(in) > 10 && in[10] == ' ' {
		in = in[:10] + "T" + strings.ReplaceAll(in[11:], " ", "")
	}
	for _, clock := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		for _, offset := range offsetLayouts {
			if t, err := time.Parse(clock+offset, in); err == nil {
				return checkedStamp(t, text)
			}
		}
	}
	return stamp{}, fmt.Errorf("%q is not a time: write it as 2026-11-20T10:00:00Z", text)
}

// checkedStamp keeps to years that four digits hold. The zero time would mean
// NULL, and Go's own zero time is no moment of a school's life.
func checkedStamp(t time.Time, text string) (stamp, error) {
	s := stampOf(t)
	if s.Year() < 1 || s.Year() > 9999 || s.IsZero() {
		return stamp{}, fmt.Errorf("%q is outside the years that can be kept", text)
	}
	return s, nil
}
