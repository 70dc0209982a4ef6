package media_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestParseRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 7 ": 7 * time.Second, "007": 7 * time.Second, "86401": media.MaxRetryAfter,
		"9223372036":              media.MaxRetryAfter, // in nanoseconds just within 64 bits
		"9223372037":              media.MaxRetryAfter, // just beyond them
		"18446744074":             media.MaxRetryAfter, // wrapped to half a second
		"99999999999999999999999": media.MaxRetryAfter,
		"-5":                      0, "+5": 0, "1.5": 0, "soon": 0, "0x10": 0,
		"Mon, 23 Nov 2026 12:00:30 GMT":  30 * time.Second,
		"Monday, 23-Nov-26 12:00:30 GMT": 30 * time.Second,
		"Mon, 23 Nov 2026 11:00:00 GMT":  0,
		"Fri, 31 Dec 9999 23:59:59 GMT":  media.MaxRetryAfter,
	} {
		if got := media.ParseRetryAfter(value, noon); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

// FuzzParseRetryAfter: the wait has its bounds, and that of digits is their number.
func FuzzParseRetryAfter(f *testing.F) {
	for _, value := range []string{"5", "-5", "18446744074", "Fri, 31 Dec 9999 23:59:59 GMT", "2026-11-24T12:00:00Z"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := media.ParseRetryAfter(value, noon)
		if got < 0 || got > media.MaxRetryAfter {
			t.Fatalf("%q: %s", value, got)
		}
		for i := range len(value) {
			if value[i] < '0' || value[i] > '9' {
				return
			}
		}
		seconds, ok := new(big.Int).SetString(value, 10)
		if want := big.NewInt(int64(got / time.Second)); ok && want.Cmp(seconds) != 0 && (got != media.MaxRetryAfter || seconds.Cmp(want) < 0) {
			t.Fatalf("%q: %s", value, got)
		}
	})
}
