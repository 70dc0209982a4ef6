package printable

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"Урок 1 – «Алгебра» 👩‍🏫", "Урок 1 – «Алгебра» 👩‍🏫"},
		{"می\u200cخواهم", "می\u200cخواهم"},
		{"a\u202egpj\u202c", `a\u202egpj\u202c`},
		{"\u2066a\u2069\u200e\u200f\u061c", `\u2066a\u2069\u200e\u200f\u061c`},
		{"\x1b[31mred\x1b[0m", `\u001b[31mred\u001b[0m`},
		{"\u009b31m\x7f\x00\x07", `\u009b31m\u007f\u0000\u0007`},
		{"one\nrecording 7  ready\r\tx", `one\u000arecording 7  ready\u000d\u0009x`},
		{"a\u2028b\u2029", `a\u2028b\u2029`},
		{"\ufeffa\u200b\u00ad", `\ufeffa\u200b\u00ad`},
		{"a\U000E0067b", `a\udb40\udc67b`},
		{"a\xff\xfeb", "a\ufffd\ufffdb"},
		{"a\ufffdb", "a\ufffdb"},
	} {
		if got := Escape(c.text); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestWriter(t *testing.T) {
	const text = "id\ttopic\n1\tУрок \u202eжы\x1b[2J\r\n"
	const want = "id\ttopic\n1\tУрок \\u202eжы\\u001b[2J\r\n"
	for size := 1; size <= len(text); size++ {
		var b bytes.Buffer
		w := NewWriter(&b)
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			if got, err := w.Write(rest[:n]); got != n || err != nil {
				t.Fatalf("%d, %v", got, err)
			}
			rest = rest[n:]
		}
		if b.String() != want {
			t.Errorf("in pieces of %d: %q, want %q", size, &b, want)
		}
	}
}

// TestJSONStaysJSON: what is escaped on its way out is read back as it was.
func TestJSONStaysJSON(t *testing.T) {
	const text = "a\u202e\U000E0067\x1b\u009b\n"
	var b bytes.Buffer
	if err := json.NewEncoder(NewWriter(&b)).Encode(text); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got != text {
		t.Errorf("%q, %v of %s", got, err, &b)
	}
}

func TestUnwrap(t *testing.T) {
	var b bytes.Buffer
	if Unwrap(NewWriter(&b)) != &b || Unwrap(&b) != &b {
		t.Error("another destination")
	}
	if _, ok := Terminal(NewWriter(&b)); ok {
		t.Error("a buffer is taken for a terminal")
	}
}

// FuzzEscape: what is shown hides nothing, is the text again when the escapes are undone, and
// is the same in however many pieces it is written.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"Урок \u202eжы\x1b[2J\r\n", "می\u200cخواهم", "a\U000E0067b", "a\xff\xfeb", "👩‍🏫", "\u2028\ufeff\u00ad", "\xf0\x9f\x91"} {
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		got := Escape(text)
		if strings.ContainsFunc(got, hidden) || !utf8.ValidString(got) || Escape(got) != got {
			t.Fatalf("%q is shown as %q", text, got)
		}
		if !strings.ContainsAny(text, `"\`) {
			var again string
			if err := json.Unmarshal([]byte(`"`+got+`"`), &again); err != nil || again != string([]rune(text)) {
				t.Fatalf("%q is shown as %q, which reads %q, %v", text, got, again, err)
			}
		}
		at = min(max(0, at), len(text))
		var whole, pieces bytes.Buffer
		one, two := NewWriter(&whole), NewWriter(&pieces)
		for _, write := range []struct {
			to   *Writer
			text string
		}{{one, text + "."}, {two, text[:at]}, {two, text[at:] + "."}} {
			if n, err := write.to.Write([]byte(write.text)); n != len(write.text) || err != nil {
				t.Fatal(n, err)
			}
		}
		if whole.String() != pieces.String() {
			t.Fatalf("%q at once, %q in two pieces", whole.String(), pieces.String())
		}
	})
}
