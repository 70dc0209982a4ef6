package library

import "testing"

func TestSeconds(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"2024-01-01T09:00:00Z", 1704099600}, // as it is written
		{"2024-01-01T09:00:00.999999Z", 1704099600},
		{"2024-01-01T12:00:00+03:00", 1704099600},
		{"2024-01-01 09:00:00", 1704099600}, // as SQLite's functions write it
		{"1704099600", 1704099600},          // PostgreSQL's, converted by the query
		{"-86400", -86400},
		{"", 0},
		{"soon", 0},
	} {
		if got := seconds(c.text); got != c.want {
			t.Errorf("%q: %d, want %d", c.text, got, c.want)
		}
	}
}
