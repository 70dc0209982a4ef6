package backfill

import (
	"fmt"
	"strings"
	"time"
)

// Hours are hours of the day, local time: from From, included, to To, which may be on the
// next day. The zero value is the whole day.
type Hours struct {
	from, to time.Duration // since midnight
	limited  bool
}

// ParseHours reads "20-06" or "20:30-06:15"; "" is the whole day.
func ParseHours(text string) (Hours, error) {
	if text == "" {
		return Hours{}, nil
	}
	first, last, found := strings.Cut(text, "-")
	from, fromErr := timeOfDay(first)
	to, toErr := timeOfDay(last)
	if !found || fromErr != nil || toErr != nil || from == to {
		return Hours{}, fmt.Errorf("%q is not a range of hours: give the first and the last, as 20-06 or 20:30-06:00", text)
	}
	return Hours{from, to, true}, nil
}

// timeOfDay reads HH or HH:MM; 24 is the end of the day.
func timeOfDay(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if text == "24" || text == "24:00" {
		return 0, nil
	}
	if !strings.Contains(text, ":") {
		text += ":00"
	}
	at, err := time.Parse("15:04", text)
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, err
}

// PerDay is how long they last each day.
func (h Hours) PerDay() time.Duration {
	const day = 24 * time.Hour
	if !h.limited {
		return day
	}
	return (h.to - h.from + day) % day
}

// Wait is how long it is until they begin, 0 within them. It counts by the wall clock of
// now's location.
func (h Hours) Wait(now time.Time) time.Duration {
	if !h.limited {
		return 0
	}
	year, month, day := now.Date()
	at := func(days int, d time.Duration) time.Time {
		return time.Date(year, month, day+days, int(d/time.Hour), int(d%time.Hour/time.Minute), 0, 0, now.Location())
	}
	for days := -1; ; days++ {
		begin, end := at(days, h.from), at(days, h.to)
		if h.to < h.from || h.to == 0 {
			end = at(days+1, h.to)
		}
		switch {
		case now.Before(begin):
			return begin.Sub(now)
		case now.Before(end):
			return 0
		}
	}
}
