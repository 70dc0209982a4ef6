package subprocess

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string // nil = refused
	}{
		{"", []string{}},
		{"  \t\n", []string{}},
		{"whisper --language ru", []string{"whisper", "--language", "ru"}},
		{"  a\tb\n", []string{"a", "b"}},
		{`'/opt/my program/run' "a b" c\ d`, []string{"/opt/my program/run", "a b", "c d"}},
		{`a'b'"c"d`, []string{"abcd"}},
		{`'' ""`, []string{"", ""}},
		{`'a\' "\"\\\n"`, []string{`a\`, `"\\n`}},
		{`$HOME * | > ; && #`, []string{"$HOME", "*", "|", ">", ";", "&&", "#"}},
		{`распознать 'a`, nil},
		{`a "b`, nil},
		{`a \`, nil},
	} {
		got, err := Split(c.line)
		if (err == nil) != (c.want != nil) || err == nil && !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v, want %q", c.line, got, err, c.want)
		}
	}
}

// FuzzSplit: words that are quoted come back as they were.
func FuzzSplit(f *testing.F) {
	f.Add("a b", `"\'`)
	f.Add("", "\x00")
	f.Fuzz(func(t *testing.T, a, b string) {
		words := []string{strings.ToValidUTF8(a, ""), strings.ToValidUTF8(b, "")}
		var line strings.Builder
		for _, w := range words {
			line.WriteString(" '" + strings.ReplaceAll(w, "'", `'\''`) + "'")
		}
		got, err := Split(line.String())
		if err != nil || !slices.Equal(got, words) {
			t.Errorf("%q: %q, %v", line.String(), got, err)
		}
		_, _ = Split(a)
	})
}
