package filename

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func recordedTitles(t *testing.T) (titles map[string]string) {
	t.Helper()
	data, err := os.ReadFile("testdata/titles.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &titles); err != nil {
		t.Fatal(err)
	}
	return titles
}

func TestOf(t *testing.T) {
	titles := recordedTitles(t)
	const scotland = "\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F"
	for _, c := range []struct{ title, want string }{
		{"Lesson 1", "Lesson 1"},
		{"Урок 1", "Урок 1"},
		{"Lesson.MP4", "Lesson"},
		{"", ""},
		{" . ", ""},
		{".hidden", "hidden"},
		{`a/b\c:d*e?f"g<h>i|j`, "a-b-c-d-e-f-g-h-i-j"},
		{"a\tb\r\nc\u00a0d\u2028e", "a b  c d e"},
		{"a\x00b\x1b[31mc\x7fd\u0085e", "ab[31mcd e"},
		{"a\xffb", "ab"},
		{titles["teacher"], titles["teacher"]},
		{titles["word-with-joiner"], titles["word-with-joiner"]},
		{"می\u200cخواهم", "می\u200cخواهم"},
		{"क्\u200dष", "क्\u200dष"},
		{"👨‍👩‍👧‍👦 ❤️‍🔥", "👨‍👩‍👧‍👦 ❤️‍🔥"},
		{scotland + " lesson", scotland + " lesson"},
		{"a\U000E0067\U000E0062\U000E007Fb", "ab"},
		{"\U0001F3F4\U000E0067b", "\U0001F3F4b"},
		{"\u0600١٢", "\u0600١٢"},
		{"\u200c\u200d", ""},
		{"a\u202egpj\u202c", "agpj"},
		{"\u202aa\u202bb\u202dc\u2066d\u2067e\u2068f\u2069g\u200eh\u200fi\u061cj", "abcdefghij"},
		{"\ufeffa\u200bb\u2060c\u00add\ufff9e", "abcde"},
		{strings.Repeat("a", 300), strings.Repeat("a", 251)},
		{strings.Repeat("a", 250) + " .b", strings.Repeat("a", 250)},
		{strings.Repeat("Ж", 200), strings.Repeat("Ж", 125)},
		{titles["eighty-emoji"], strings.Repeat("😀", 62)},
	} {
		if got := Of(c.title, ".mp4"); got != c.want {
			t.Errorf("%q: %q, want %q", c.title, got, c.want)
		}
	}
}

// TestTruncate cuts each text at every length: what is left ends after a character as
// people see it, and the next one would not fit.
func TestTruncate(t *testing.T) {
	for _, characters := range [][]string{
		{"a", "Ж", "水", "😀"},
		{"a", "👩‍🏫", "👨‍👩‍👧‍👦", "b"},
		{"👋🏽", "❤️‍🔥", "1️⃣"},
		{"🇩🇪", "🇫🇷", "🇺🇦"},
		{"e\u0301", "o\u0302\u0323", "n"},
		{"می\u200c", "خ"},
		{"\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F", "x"},
	} {
		text := strings.Join(characters, "")
		for limit := range len(text) + 2 {
			want := ""
			for _, c := range characters {
				if len(want)+len(c) > limit {
					break
				}
				want += c
			}
			// Letters that merely follow each other are parted.
			if got := Truncate(text, limit); got != want && !(strings.HasPrefix(got, want) && strings.HasPrefix(characters[0], "م")) {
				t.Errorf("%q at %d: %q, want %q", text, limit, got, want)
			}
		}
	}
	if got := Truncate("a"+strings.Repeat("\u0301", 500), 100); len(got) < 36 || len(got) > 100 || !utf8.ValidString(got) {
		t.Errorf("a letter with 500 marks: %d bytes", len(got))
	}
	if Truncate("abc", -1) != "" || Truncate("abc", 0) != "" {
		t.Error("a limit below 1")
	}
}

// FuzzOf: a file of the name can be made, whatever the title.
func FuzzOf(f *testing.F) {
	dir := f.TempDir()
	for _, seed := range []string{"Урок \r\n \"x\"", strings.Repeat("😀", 90), "\u202e\u200d/..", strings.Repeat("👩‍🏫", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, title string) {
		name := Of(title, ".mp4")
		if len(name)+len(".mp4") > MaxBytes || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\x00\r\n\u202e\u2066\ufeff") {
			t.Fatalf("%q becomes %q", title, name)
		}
		path := filepath.Join(dir, "x"+name)
		if len(name) > MaxBytes-1 {
			path = filepath.Join(dir, name)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatalf("%q: %v", title, err)
		}
		os.Remove(path)
	})
}
