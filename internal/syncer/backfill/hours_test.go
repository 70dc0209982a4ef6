package backfill_test

import (
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/backfill"
)

func TestHours(t *testing.T) {
	moscow := time.FixedZone("MSK", 3*3600)
	for _, c := range []struct {
		hours, now string
		perDay     time.Duration
		wait       time.Duration
	}{
		{"", "12:00", 24 * time.Hour, 0},
		{"20-06", "19:59", 10 * time.Hour, time.Minute},
		{"20-06", "20:00", 10 * time.Hour, 0},
		{"20-06", "00:00", 10 * time.Hour, 0},
		{"20-06", "05:59", 10 * time.Hour, 0},
		{"20-06", "06:00", 10 * time.Hour, 14 * time.Hour},
		{"09-17", "08:30", 8 * time.Hour, 30 * time.Minute},
		{"09-17", "17:00", 8 * time.Hour, 16 * time.Hour},
		{"20:30-24", "23:59", 3*time.Hour + 30*time.Minute, 0},
		{"20:30-24", "00:00", 3*time.Hour + 30*time.Minute, 20*time.Hour + 30*time.Minute},
		{"0-6", "05:00", 6 * time.Hour, 0},
		{"22:15-22:45", "22:50", 30 * time.Minute, 23*time.Hour + 25*time.Minute},
	} {
		h, err := backfill.ParseHours(c.hours)
		if err != nil {
			t.Errorf("%q: %v", c.hours, err)
			continue
		}
		now, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-26 "+c.now, moscow)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.PerDay(); got != c.perDay {
			t.Errorf("%q lasts %s a day, want %s", c.hours, got, c.perDay)
		}
		if got := h.Wait(now); got != c.wait {
			t.Errorf("%q at %s: a wait of %s, want %s", c.hours, c.now, got, c.wait)
		}
	}
	for _, wrong := range []string{"20", "20-20", "25-06", "a-b", "20-06-08", "-", "20-6:70"} {
		if _, err := backfill.ParseHours(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
