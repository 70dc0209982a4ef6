package webvtt

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const zooms = "WEBVTT\r\n\r\n1\r\n00:00:01.500 --> 00:00:03.000\r\nAnna: Good morning\r\n\r\n2\r\n00:00:04.000 --> 00:00:06.000 align:start\r\nBoris: Hello\r\nto you\r\n"

func TestRoundTrip(t *testing.T) {
	track, err := Parse([]byte(zooms))
	if err != nil {
		t.Fatal(err)
	}
	want := []Cue{{1500 * time.Millisecond, 3 * time.Second, "", "Anna: Good morning"}, {4 * time.Second, 6 * time.Second, "align:start", "Boris: Hello\nto you"}}
	if !reflect.DeepEqual(track.Cues, want) {
		t.Errorf("%+v", track.Cues)
	}
	again, err := Parse([]byte(track.String()))
	if err != nil || !reflect.DeepEqual(again, track) {
		t.Errorf("%+v, %v", again, err)
	}
	var joined Track
	joined.Append(track, 0)
	joined.Append(track, 100*time.Hour)
	if got := joined.Cues[2]; got.Start != 100*time.Hour+1500*time.Millisecond {
		t.Errorf("moved to %s", got.Start)
	}
	if again, err := Parse([]byte(joined.String())); err != nil || !reflect.DeepEqual(again, joined) {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestFiles holds every testdata/NAME.vtt that has a NAME.expected.vtt against it.
func TestFiles(t *testing.T) {
	shifts := map[string]time.Duration{"stamp-within-a-cue": time.Minute}
	expected, err := filepath.Glob("testdata/*.expected.vtt")
	if err != nil || len(expected) < 6 {
		t.Fatalf("%d files, %v", len(expected), err)
	}
	for _, path := range expected {
		name := strings.TrimSuffix(filepath.Base(path), ".expected.vtt")
		t.Run(name, func(t *testing.T) {
			in, want := readFile(t, "testdata/"+name+".vtt"), readFile(t, path)
			track, err := Parse(in)
			if err != nil {
				t.Fatal(err)
			}
			var out Track
			out.Append(track, shifts[name])
			if out.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", out, want)
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	bigEndian := []byte("\xFE\xFF\x00W\x00E\x00B\x00V\x00T\x00T\x00\n\x00\n\x000\x000\x00:\x000\x001\x00.\x000\x000\x000\x00-\x00-\x00>\x000\x000\x00:\x000\x002\x00.\x000\x000\x000\x00\n\x04\x1f")
	for name, in := range map[string][]byte{
		"little-endian": readFile(t, "testdata/utf16.vtt"),
		"two marks":     readFile(t, "testdata/two-marks.vtt"),
		"big-endian":    bigEndian,
		"one mark":      []byte("\uFEFFWEBVTT\n\n00:01.000 --> 00:02.000\nx"),
	} {
		if track, err := Parse(in); err != nil || len(track.Cues) != 1 || track.Cues[0].Start != time.Second || track.Cues[0].Text == "" {
			t.Errorf("%s: %+v, %v", name, track, err)
		}
	}
}

func TestNotWebVTT(t *testing.T) {
	for _, in := range []string{"", "<html>no</html>", "WEBVTTX\n", " WEBVTT\n", "1\n00:00:01,000 --> 00:00:02,000\nx", "\xFF\xFE<\x00"} {
		if _, err := Parse([]byte(in)); err != ErrNotWebVTT {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string // texts
		skipped  int
	}{
		{"note", "WEBVTT\n\nNOTE a --> b\nx\n\n00:01.000 --> 00:02.000\nyes", []string{"yes"}, 0},
		{"style and region", "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:fred\n\n00:01.000 --> 00:02.000 region:fred\nyes", []string{"yes"}, 0},
		{"identifier of words", "WEBVTT\n\nfirst part\n00:01.000 --> 00:02.000\nyes", []string{"yes"}, 0},
		{"two lines before the times", "WEBVTT\n\n1\n2\n00:01.000 --> 00:02.000\nyes", []string{"yes"}, 0},
		{"times directly below the header", "WEBVTT - Zoom\n00:01.000 --> 00:02.000\nyes", []string{"yes"}, 0},
		{"many blank lines", "WEBVTT\n\n\n\n00:01.000 --> 00:02.000\nyes\n\n\n\n00:03.000 --> 00:04.000\nno\n\n", []string{"yes", "no"}, 0},
		{"form feed and tabs", "WEBVTT\n\n\t00:01.000\t-->\f00:02.000\t\tline:0\nyes", []string{"yes"}, 0},
		{"no blanks around the arrow", "WEBVTT\n\n00:01.000-->00:02.000\nyes", []string{"yes"}, 0},
		{"minutes of sixty", "WEBVTT\n\n00:99:00.000 --> 00:00:01.000\nno\n\n00:01.000 --> 00:02.000\nyes", []string{"yes"}, 1},
		{"ends before it begins", "WEBVTT\n\n00:02.000 --> 00:01.000\nno", nil, 1},
		{"commas", "WEBVTT\n\n00:00:01,000 --> 00:00:02,000\nno", nil, 1},
		{"invalid times below a text end it", "WEBVTT\n\n00:01.000 --> 00:02.000\nyes\n00:1.000 --> 00:04.000\nno", []string{"yes"}, 1},
		{"an arrow in speech", "WEBVTT\n\n00:01.000 --> 00:02.000\na --> b\nc", []string{"a --&gt; b\nc"}, 0},
		{"no text", "WEBVTT\n\n00:01.000 --> 00:02.000\n\n00:03.000 --> 00:04.000\nyes", []string{"", "yes"}, 0},
		{"out of order", "WEBVTT\n\n00:03.000 --> 00:04.000\nlater\n\n00:01.000 --> 00:02.000\nearlier\n\n00:03.000 --> 00:03.500\nlast", []string{"earlier", "later", "last"}, 0},
		{"ends when it begins", "WEBVTT\n\n00:01.000 --> 00:01.000\nyes", []string{"yes"}, 0},
		{"a time below zero", "WEBVTT\n\n1\n-00:01.000 --> 00:02.000\nno\n\nNOTE -1 --> 2", nil, 1},
		{"three-digit hours", "WEBVTT\n\n100:00:01.000 --> 100:00:02.000\nyes", []string{"yes"}, 0},
	} {
		track, err := Parse([]byte(c.in))
		var got []string
		for _, cue := range track.Cues {
			got = append(got, cue.Text)
		}
		if err != nil || !reflect.DeepEqual(got, c.want) || track.Skipped != c.skipped {
			t.Errorf("%s: %q, skipped %d, %v", c.name, got, track.Skipped, err)
		}
	}
}

func TestEscapeText(t *testing.T) {
	for in, want := range map[string]string{
		"1 < 2 > 0":                       "1 &lt; 2 &gt; 0",
		"R&D, AT&amp;T, &nbsp;, &bogus;":  "R&amp;D, AT&amp;T, &nbsp;, &amp;bogus;",
		"&#8217;&#x2019;&#;":              "&#8217;&#x2019;&amp;#;",
		"<v Ann Lee>x</v>":                "<v Ann Lee>x</v>",
		"<v.loud.first Ann>x":             "<v.loud.first Ann>x",
		"<c.yellow>x</c> <lang ru>y":      "<c.yellow>x</c> <lang ru>y",
		"<ruby>a<rt>b</rt></ruby>":        "<ruby>a<rt>b</rt></ruby>",
		"<V Ann>x":                        "&lt;V Ann&gt;x",
		"<b class>x":                      "&lt;b class&gt;x",
		"<v>x":                            "&lt;v&gt;x",
		"<script>alert(1)</script>":       "&lt;script&gt;alert(1)&lt;/script&gt;",
		"the end tag is </b>":             "the end tag is &lt;/b&gt;",
		"<b>x</i></b>":                    "<b>x&lt;/i&gt;</b>",
		"if i <b then":                    "if i &lt;b then",
		"<00:01.000>a<1:02:03.004>b<0:1>": "<00:01.000>a<1:02:03.004>b&lt;0:1&gt;",
		"<i><<i>":                         "<i>&lt;<i>",
		"<v Ann -->x":                     "&lt;v Ann --&gt;x",
		"<c.a-->x":                        "&lt;c.a--&gt;x",
	} {
		got := escapeText(in)
		if got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		if again := escapeText(got); again != got {
			t.Errorf("%q is escaped twice: %q", got, again)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(zooms))
	f.Add([]byte("WEBVTT\n\n00:01.000 --> 00:02.000 x\n\x00"))
	f.Add([]byte("WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>a<00:01.500>b & <c\n-->"))
	f.Add([]byte("WEBVTT\n\n00:09.000 --> 00:09.000 line:x size:200% align:left\n<c.a-->b</c>\n\n00:01.000 --> 00:02.000\nNOTE\n"))
	f.Add([]byte("\xFF\xFEW\x00E\x00B\x00V\x00T\x00T\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		track, err := Parse(data)
		if err != nil {
			return
		}
		var moved Track
		moved.Append(track, time.Hour)
		moved.Append(track, 30*time.Minute)
		for _, written := range []Track{track, moved} {
			// What is served can be corrected and sent back.
			if _, err := Validate([]byte(written.String())); err != nil {
				t.Errorf("%q became %q: %v", data, written, err)
			}
			again, err := Parse([]byte(written.String()))
			if err != nil || !reflect.DeepEqual(again.Cues, written.Cues) {
				t.Errorf("%q became %q, read again %+v, want %+v", data, written, again.Cues, written.Cues)
			}
		}
	})
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
