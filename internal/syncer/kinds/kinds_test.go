package kinds

import (
	"strings"
	"testing"
)

func TestParseFilter(t *testing.T) {
	for words, want := range map[string]string{
		"":             "",
		"none":         "",
		"all":          "chat poll",
		" Chat ":       "chat",
		"poll,chat":    "chat poll",
		"all,chat":     `"all" stands alone: give it without other kinds`,
		"chat,none":    `"none" stands alone: give it without other kinds`,
		"chat,picture": `"picture" is not one of all, none, chat, poll`,
	} {
		f, err := ParseFilter(strings.FieldsFunc(words, func(r rune) bool { return r == ',' }), []string{"chat", "poll"})
		var wanted []string
		for _, kind := range []string{"chat", "poll"} {
			if f.Wants(kind) {
				wanted = append(wanted, kind)
			}
		}
		got := strings.Join(wanted, " ")
		if err != nil {
			got = err.Error()
		} else if f.IsNone() != (got == "") {
			t.Errorf("%q: none %v, wanted %q", words, f.IsNone(), got)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}
