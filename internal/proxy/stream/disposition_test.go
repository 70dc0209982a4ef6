package stream

import (
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/media"
)

func TestDisposition(t *testing.T) {
	for _, c := range []struct {
		title, kind string
		download    bool
		want        string
	}{
		{"Lesson 1", "video/mp4", false, `inline; filename="Lesson 1.mp4"`},
		{"Lesson 1", "video/mp4", true, `attachment; filename="Lesson 1.mp4"`},
		{"Lesson.MP4", "video/mp4", false, `inline; filename="Lesson.mp4"`},
		{"Lesson", "video/webm", false, `inline; filename="Lesson.webm"`},
		{"Lesson", "audio/mp4", false, `inline; filename="Lesson.m4a"`},
		{"", "video/mp4", false, `inline; filename="recording-7.mp4"`},
		{"...", "video/mp4", false, `inline; filename="recording-7.mp4"`},
		{"Урок", "video/mp4", false, `inline; filename="recording-7.mp4"; filename*=UTF-8''%D0%A3%D1%80%D0%BE%D0%BA.mp4`},
		{"Урок 1", "video/mp4", false, `inline; filename="____ 1.mp4"; filename*=UTF-8''%D0%A3%D1%80%D0%BE%D0%BA%201.mp4`},
		{"100%", "video/mp4", false, `inline; filename="100_.mp4"; filename*=UTF-8''100%25.mp4`},
		{`a"; filename="evil.exe`, "video/mp4", false, `inline; filename="a-; filename=-evil.exe.mp4"`},
		{"a\r\nSet-Cookie: x=1", "video/mp4", false, `inline; filename="a  Set-Cookie- x=1.mp4"`},
		{"../../etc/passwd", "video/mp4", false, `inline; filename="-..-etc-passwd.mp4"`},
		{"a\x00b\x7fc", "video/mp4", false, `inline; filename="abc.mp4"`},
		{"a\u202egpj", "video/mp4", false, `inline; filename="agpj.mp4"`},
		{"\u2066a\u2069", "video/mp4", false, `inline; filename="a.mp4"`},
		{"👩\u200d🏫 1", "video/mp4", false, `inline; filename="__ 1.mp4"; filename*=UTF-8''%F0%9F%91%A9%E2%80%8D%F0%9F%8F%AB%201.mp4`},
		{"نیم\u200cفاصله 2", "video/mp4", false, `inline; filename="________ 2.mp4"; filename*=UTF-8''%D9%86%DB%8C%D9%85%E2%80%8C%D9%81%D8%A7%D8%B5%D9%84%D9%87%202.mp4`},
		{strings.Repeat("a", 300), "video/webm", true, `attachment; filename="` + strings.Repeat("a", 250) + `.webm"`},
		{strings.Repeat("😀", 80), "video/mp4", true, `attachment; filename="recording-7.mp4"; filename*=UTF-8''` + strings.Repeat("%F0%9F%98%80", 62) + ".mp4"},
		{"a\xffb", "video/mp4", false, `inline; filename="ab.mp4"`},
	} {
		got := disposition(media.Recording{ID: 7, Title: c.title}, c.kind, c.download)
		if got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.title, got, c.want)
		}
	}
}

func FuzzDisposition(f *testing.F) {
	f.Add("Урок \r\n \"x\"")
	f.Add(strings.Repeat("Ж", 500))
	f.Fuzz(func(t *testing.T, title string) {
		got := disposition(media.Recording{ID: 7, Title: title}, "video/mp4", false)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x00") {
			t.Fatalf("%q is no header", got)
		}
		kind, params, err := mime.ParseMediaType(got)
		if err != nil || kind != "inline" || !strings.HasSuffix(params["filename"], ".mp4") || strings.ContainsAny(params["filename"], `/\`) {
			t.Fatalf("%q becomes %q: %v %v", title, got, params, err)
		}
		if len(params["filename"]) > 255 {
			t.Fatalf("a name of %d bytes", len(params["filename"]))
		}
	})
}
