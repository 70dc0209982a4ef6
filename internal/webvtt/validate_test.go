package webvtt

import (
	"errors"
	"testing"
)

func TestValidate(t *testing.T) {
	const cue = "00:01.000 --> 00:02.000\nyes\n"
	for name, c := range map[string]struct {
		in   string
		line int // 0 = valid
	}{
		"no cue":                     {"WEBVTT", 0},
		"a title and a header":       {"WEBVTT - a title\nKind: captions\n\n" + cue, 0},
		"a mark and CRLF":            {"\uFEFFWEBVTT\r\n\r\n00:01.000 --> 00:02.000\r\nyes\r\n", 0},
		"everything":                 {"WEBVTT\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:a\n\nNOTE a note\n\n1\n100:00:01.000 --> 100:00:02.000 line:-1 position:50%,center align:start region:a\n<v Ann>a & b < c</v>\n", 0},
		"overlapping":                {"WEBVTT\n\n" + cue + "\n00:01.000 --> 00:05.000\nno\n", 0},
		"a cue without text":         {"WEBVTT\n\n00:01.000 --> 00:02.000\n\n" + cue, 0},
		"nothing":                    {"", 1},
		"SubRip":                     {"1\n00:00:01,000 --> 00:00:02,000\nx", 1},
		"no blank below the header":  {"WEBVTT\n" + cue, 2},
		"commas":                     {"WEBVTT\n\n00:00:01,000 --> 00:00:02,000\nno", 3},
		"a second time that is none": {"WEBVTT\n\n00:01.000 --> 2\nno", 3},
		"ends before it begins":      {"WEBVTT\n\n" + cue + "\n00:03.000 --> 00:02.500\nno", 6},
		"ends when it begins":        {"WEBVTT\n\n00:01.000 --> 00:01.000\nno", 3},
		"out of order":               {"WEBVTT\n\n00:03.000 --> 00:04.000\nx\n\n" + cue, 6},
		"no blank between cues":      {"WEBVTT\n\n" + cue + cue, 5},
		"an arrow in the text":       {"WEBVTT\n\n00:01.000 --> 00:02.000\na --> b", 4},
		"an arrow in a note":         {"WEBVTT\n\nNOTE\na --> b", 4},
		"a style behind a cue":       {"WEBVTT\n\n" + cue + "\nSTYLE\nx", 6},
		"text that is nothing":       {"WEBVTT\n\nhello\n\n" + cue, 3},
		"an unknown setting":         {"WEBVTT\n\n00:01.000 --> 00:02.000 colour:red\nno", 3},
		"no blanks around the arrow": {"WEBVTT\n\n00:01.000-->00:02.000\nno", 3},
		"not UTF-8":                  {"WEBVTT\n\n00:01.000 --> 00:02.000\n\xe9", 4},
		"a NUL":                      {"WEBVTT\n\n00:01.000 --> 00:02.000\na\x00", 4},
	} {
		_, err := Validate([]byte(c.in))
		var syntax *SyntaxError
		switch {
		case c.line == 0 && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.line != 0 && (!errors.As(err, &syntax) || syntax.Line != c.line):
			t.Errorf("%s: %v, want line %d", name, err, c.line)
		}
	}
}

// FuzzValidate: what is valid is read whole.
func FuzzValidate(f *testing.F) {
	f.Add([]byte(zooms))
	f.Add([]byte("WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 line:0\n<v Ann>a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		track, err := Validate(data)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 {
				t.Errorf("%v", err)
			}
			return
		}
		if track.Skipped > 0 {
			t.Errorf("valid, but %d cues were left out", track.Skipped)
		}
		for i, c := range track.Cues {
			if c.End <= c.Start || i > 0 && c.Start < track.Cues[i-1].Start {
				t.Errorf("%s to %s", c.Start, c.End)
			}
		}
	})
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Anna: Good\nmorning":                    "Anna: Good morning",
		"<v Anna Lee>so &amp; <b>now</b></v>":    "Anna Lee: so & now",
		"<v.loud Ann>a</v>\n<v Bob>b</v>":        "Ann: a Bob: b",
		"1 &lt; 2 <00:01.000>then&nbsp;<i>3</i>": "1 < 2 then 3",
	} {
		if got := (Cue{Text: in}).Plain(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
