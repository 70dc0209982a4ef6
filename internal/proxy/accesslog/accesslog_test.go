package accesslog

import (
	"strings"
	"testing"
)

func TestSanitize(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"bytes=0-99, 5-", "bytes=0-99, 5-"},
		{"a\r\nb", "a??b"},
		{`"<é;`, "????"},
		{"cut é", "cut ?"},
		{strings.Repeat("9", 100), strings.Repeat("9", 64)},
	} {
		if got := Sanitize(c.in, 64); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}
