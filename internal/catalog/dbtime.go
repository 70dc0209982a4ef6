package catalog

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
)

// DBTime is a moment in a column, or NULL when it is the zero time. It is always
// in UTC and has microseconds, as PostgreSQL keeps them.
//
// SQLite has no type for times, so they are RFC 3339 text there, with Z, and
// with six decimals exactly when the microseconds are not zero: the platform's
// own way of writing them. dialect.bind hands PostgreSQL a time.Time instead.
type DBTime struct{ time.Time }

const (
	dbTimeSeconds = "2006-01-02T15:04:05Z"
	dbTimeMicros  = "2006-01-02T15:04:05.000000Z"
)

// NewDBTime is the moment as a column can hold it.
func NewDBTime(t time.Time) DBTime {
	if t.IsZero() {
		return DBTime{}
	}
	return DBTime{t.UTC().Truncate(time.Microsecond)}
}

// String is the text that SQLite and exported documents hold, "" for NULL.
func (s DBTime) String() string {
	switch {
	case s.IsZero():
		return ""
	case s.Nanosecond()/1000 == 0:
		return s.Format(dbTimeSeconds)
	default:
		return s.Format(dbTimeMicros)
	}
}

// Value implements driver.Valuer.
func (s DBTime) Value() (driver.Value, error) {
	if s.IsZero() {
		return nil, nil
	}
	return s.String(), nil
}

// Scan implements sql.Scanner.
func (s *DBTime) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s = DBTime{}
	case time.Time:
		*s = NewDBTime(v)
	case string:
		return s.parse(v)
	case []byte:
		return s.parse(string(v))
	default:
		return fmt.Errorf("a time cannot be read from %T", src)
	}
	return nil
}

func (s *DBTime) parse(text string) (err error) {
	*s, err = ParseDBTime(text)
	return err
}

// offsetLayouts are the ways a numeric offset is written: Go's layouts read Z
// and an offset through one Z07:00, with a fraction of a second at will.
var offsetLayouts = []string{"Z07:00", "Z0700", "Z07", "Z07:00:00", ""}

// ParseDBTime reads a moment as RFC 3339 writes it, and as SQLite's functions and
// people do: a space for the T, small letters, a numeric offset with or without
// colon or minutes, no offset at all (UTC), no seconds, a date alone (midnight UTC).
// PostgreSQL's infinity is "no end", which this package writes as the zero time;
// its -infinity is a moment long past.
func ParseDBTime(text string) (DBTime, error) {
	in := strings.ToUpper(strings.TrimSpace(text))
	switch in {
	case "", "INFINITY":
		return DBTime{}, nil
	case "-INFINITY":
		return DBTime{time.Unix(0, 0).UTC()}, nil
	}
	if t, err := time.Parse(time.DateOnly, in); err == nil {
		return checkDBTime(t, text)
	}
	if len(in) > 10 && in[10] == ' ' {
		in = in[:10] + "T" + strings.ReplaceAll(in[11:], " ", "")
	}
	for _, clock := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		for _, offset := range offsetLayouts {
			if t, err := time.Parse(clock+offset, in); err == nil {
				return checkDBTime(t, text)
			}
		}
	}
	return DBTime{}, fmt.Errorf("%q is not a time: write it as 2026-11-20T10:00:00Z", text)
}

// checkDBTime keeps to years that four digits hold. The zero time would mean
// NULL, and Go's own zero time is no moment of a school's life.
func checkDBTime(t time.Time, text string) (DBTime, error) {
	s := NewDBTime(t)
	if s.Year() < 1 || s.Year() > 9999 || s.IsZero() {
		return DBTime{}, fmt.Errorf("%q is outside the years that can be kept", text)
	}
	return s, nil
}
