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

// TestDatesOfTwoDigits: a year of two digits is never more than fifty years ahead, and no
// earlier than that asks for.
func TestDatesOfTwoDigits(t *testing.T) {
	v := Validators{Now: time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)}
	for text, want := range map[string]int{
		"Friday, 27-Nov-26 00:00:00 GMT": 2026, "Saturday, 01-Jan-94 00:00:00 GMT": 1994, "Sunday, 01-Jan-68 00:00:00 GMT": 2068,
		"Tuesday, 01-Jan-69 00:00:00 GMT": 2069, "Tuesday, 01-Jan-75 00:00:00 GMT": 2075, "Friday, 27-Nov-76 00:00:00 GMT": 2076,
		"Saturday, 27-Nov-76 00:00:01 GMT": 1976, "Saturday, 01-Jan-77 00:00:00 GMT": 1977, "Saturday, 01-Jan-00 00:00:00 GMT": 2000,
		"Thu, 01 Jan 1970 00:00:00 GMT": 1970, "Thu Jan  1 00:00:00 1970": 1970,
	} {
		if got, ok := v.parseDate(text); !ok || got.Year() != want {
			t.Errorf("%s: %v %v, want the year %d", text, got, ok, want)
		}
	}
}

// TestListsOfOneValue: where several lines make a list of what can only be one value, the
// field is invalid.
func TestListsOfOneValue(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)
	v := Validators{ETag: `"a"`, Modified: now, Now: now}
	same, earlier := FormatDate(now), FormatDate(now.Add(-time.Hour))
	for _, c := range []Headers{{IfModifiedSince: same + ", " + same}, {IfUnmodifiedSince: earlier + ", " + earlier}} {
		if got := c.Evaluate(v); got != Proceed {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for _, text := range []string{`"a", "b"`, `"a", "a"`, `"a"x`, `"a" `, same + ", " + same} {
		if applies := (Headers{IfRange: text}).RangeApplies(v); applies != (text == `"a" `) {
			t.Errorf("If-Range: %s applies: %v", text, applies)
		}
	}
}

func TestCutTag(t *testing.T) {
	for text, want := range map[string][2]string{
		`"a"`: {`"a"`, ""}, `"a",x`: {`"a"`, ",x"}, `W/"a" x`: {`W/"a"`, " x"}, `""`: {`""`, ""}, `W/""`: {`W/""`, ""},
		"\"!~\x80\"": {"\"!~\x80\"", ""}, `"a,b"`: {`"a,b"`, ""},
		"": {}, `"`: {}, "W/": {}, `W/"`: {}, "a": {}, `ab"c"`: {}, `"a`: {}, `"a b"`: {}, "\"a\x7f\"": {}, "\"a\x00\"": {}, `w/"a"`: {},
	} {
		if tag, rest := cutTag(text); tag != want[0] || rest != want[1] {
			t.Errorf("%q: %q, %q", text, tag, rest)
		}
	}
	if MatchesStrong("abc", "") || MatchesWeak("abc", "") {
		t.Error("what is no tag matches an object without one")
	}
}

// TestWithoutLastModified: no date matches an object without one.
func TestWithoutLastModified(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)
	v := ValidatorsOf(media.Object{Version: "1"}, `"1"`, now)
	if !v.Now.Equal(now) || v.ETag != `"1"` {
		t.Errorf("%+v", v)
	}
	const first = "Mon, 01 Jan 0001 00:00:00 GMT" // the zero time
	for _, c := range []Headers{{IfModifiedSince: FormatDate(now)}, {IfModifiedSince: "odd"}, {IfUnmodifiedSince: first}, {IfUnmodifiedSince: "odd"}} {
		if got := c.Evaluate(v); got != Proceed {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for _, text := range []string{first, FormatDate(now), "odd"} {
		if (Headers{IfRange: text}).RangeApplies(v) {
			t.Errorf("If-Range: %s applies", text)
		}
	}
}
