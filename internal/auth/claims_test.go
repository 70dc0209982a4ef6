package auth

import (
	"slices"
	"testing"
)

func TestNumericDate(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "-1": -1, "1.9": 1, "-1.9": -1, "0.5": 0, "9.5": 9, "1e3": 1000,
		"253402300799": lastDate, "253402300799.0": lastDate, "-253402300799": -lastDate, "-253402300799.0": -lastDate,
	} {
		if got, ok := numericDate([]byte(text)); !ok || got.Unix() != want {
			t.Errorf("%s: %d, %t", text, got.Unix(), ok)
		}
	}
	for _, text := range []string{
		"", "null", "true", `"1"`, "[1]", "{}", "+1.5", ".5", "1x", "nan", "inf",
		"253402300800", "-253402300800", "253402300799.5", "-253402300799.5", "1e300", "-1e300", "1e999",
	} {
		if got, ok := numericDate([]byte(text)); ok {
			t.Errorf("%s: %d", text, got.Unix())
		}
	}
}

func TestAudiences(t *testing.T) {
	for text, want := range map[string][]string{`"a"`: {"a"}, `["a","b"]`: {"a", "b"}, `[]`: {}} {
		if got, ok := audiences([]byte(text)); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "1", "{}", `["a",1]`, `[null]`} {
		if got, ok := audiences([]byte(text)); ok || got != nil {
			t.Errorf("%s: %q, %t", text, got, ok)
		}
	}
}
