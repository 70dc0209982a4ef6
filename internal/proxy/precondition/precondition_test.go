package precondition

import (
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

func TestMatchesTag(t *testing.T) {
	const tag = `"abc"`
	for _, c := range []struct {
		list         string
		strong, weak bool
	}{
		{`"abc"`, true, true},
		{`W/"abc"`, false, true},
		{`*`, true, true},
		{` * `, true, true},
		{`"x", "abc"`, true, true},
		{`"x","abc"`, true, true},
		{`"x" , W/"abc"`, false, true},
		{`"a,b", "abc"`, true, true},
		{`"a, \"abc\""`, false, false},
		{`"x`, false, false},
		{`abc`, false, false},
		{`abc, "abc"`, false, false},
		{`w/"abc"`, false, false},
		{`"ABC"`, false, false},
		{`""`, false, false},
		{`,,"abc"`, true, true},
		{"\"a\x01\", \"abc\"", false, false},
		{"", false, false},
	} {
		if got := MatchesStrong(c.list, tag); got != c.strong {
			t.Errorf("%s, strong: %t", c.list, got)
		}
		if got := MatchesWeak(c.list, tag); got != c.weak {
			t.Errorf("%s, weak: %t", c.list, got)
		}
	}
}

func TestValidatorsLeaveOutDoubtfulDates(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)
	for _, c := range []struct {
		mod  time.Time
		want bool
	}{
		{now.Add(-time.Hour), true}, {now, true}, {now.Add(time.Hour), false}, {time.Time{}, false}, {time.Unix(0, 0), false},
	} {
		v := ValidatorsOf(media.Object{Version: "1", ModTime: c.mod}, `"1"`, now)
		if !v.Modified.IsZero() != c.want {
			t.Errorf("%v: %v", c.mod, v.Modified)
		}
	}
	v := ValidatorsOf(media.Object{Version: "1", ModTime: now.Add(-time.Nanosecond)}, `"1"`, now)
	if v.Modified.Nanosecond() != 0 {
		t.Errorf("a Last-Modified with fractions: %v", v.Modified)
	}
}
