package zoom_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/zoom"
)

// TestDocuments: what is known of a document is read, and an error says that nothing was.
func TestDocuments(t *testing.T) {
	chapters := func(s string) (any, error) { return wrap(zoom.ParseChapters([]byte(s))) }
	timeline := func(s string) (any, error) { return wrap(zoom.ParseTimeline([]byte(s))) }
	summary := func(s string) (any, error) { return wrap(zoom.ParseSummary([]byte(s))) }
	chat := func(s string) (any, error) { return wrap(zoom.ParseChat([]byte(s))) }
	for _, c := range []struct {
		name  string
		parse func(string) (any, error)
		in    string
		want  string // fmt of the value, "" for an error
	}{
		{"chapters", chapters, `{"smart_chapters": [{"title": "B", "start_time": "00:12:30.000"}, {"title": " A ", "start_time": "00:00:00"}]}`, "[{0s A} {12m30s B}]"},
		{"chapters with seconds and a bad one", chapters, `{"chapters": [{"title": "A", "start_time": 90.5}, {"title": "", "start_time": 1}, {"title": "x"}, 7]}`, "[{1m30.5s A}]"},
		{"chapters in a list", chapters, `[{"name": "A", "start": "1:05"}]`, "[{1m5s A}]"},
		{"two of one moment", chapters, `{"smart_chapters": [{"title": "A", "start_time": "0:01"}, {"title": "B", "start_time": "0:01"}]}`, "[{1s A}]"},
		{"no chapters", chapters, `{"smart_chapters": []}`, "[]"},
		{"chapters without times", chapters, `{"smart_chapters": [{"title": "A", "start_time": "soon"}]}`, ""},
		{"another document", chapters, `{"overall_summary": "x"}`, ""},
		{"a page", chapters, `<html></html>`, ""},
		{"a timeline", timeline, "\xef\xbb\xbf" + `{"timeline": [{"ts": "00:00:01.500", "users": [{"username": "Anna"}, {"username": ""}]}, {"ts": null}, {"ts": "0:02"}]}`, "[{1.5s [Anna]} {2s []}]"},
		{"a timeline without times", timeline, `{"timeline": [{"users": []}]}`, ""},
		{"a summary", summary, `{"overall_summary": "All", "items": [{"label": "L", "summary": "S"}], "next_steps": ["N", {"text": "M"}]}`, "{All [{L S}] [N M]}"},
		{"a wrapped summary", summary, `{"summary": {"summary_overview": "All", "summary_details": [{"label": "L"}]}}`, "{All [{L }] []}"},
		{"an empty summary", summary, `{"overall_summary": ""}`, ""},
		{"a chat", chat, "00:00:01\tAnna:\tHello\r\nthere\r\n00:01:00\t Boris : \tBye\n", "[{1s Anna Hello\nthere} {1m0s Boris Bye}]"},
		{"a chat without names", chat, "00:00:01\tHello\n", "[{1s  Hello}]"},
		{"a chat in JSON", chat, `{"messages": [{"time": "00:00:01", "sender": "Anna", "message": "Hi"}, {"message": "no time"}]}`, "[{1s Anna Hi}]"},
		{"an empty chat", chat, "", "[]"},
		{"no chat", chat, "nothing of the kind", ""},
		{"control characters", chat, "0:01\tA\x1b[31m:\tB\u202ec\x00\n", "[{1s A[31m Bc}]"},
	} {
		got, err := c.parse(c.in)
		if text := fmt.Sprint(got); (c.want == "") != (err != nil) || err == nil && text != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, text, err, c.want)
		}
	}
}

func wrap[T any](v T, err error) (any, error) { return v, err }

// FuzzDocuments: no document panics, and what is read of one can be shown.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{
		`{"smart_chapters": [{"title": "A", "start_time": "00:12:30.000"}]}`, `{"timeline": [{"ts": "00:00:01.500", "users": [{"username": "A"}]}]}`,
		`{"overall_summary": "x", "items": [{"label": "L"}], "next_steps": ["N"]}`, "00:00:01\tAnna:\tHello\n", `[{"a": [[[]]]}]`, "\xff\xfe0", `{"smart_chapters": {"a": 1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		good := func(what, s string) {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Errorf("%s: %q", what, s)
			}
		}
		chapters, err := zoom.ParseChapters(data)
		last := time.Duration(-1)
		for _, c := range chapters {
			good("a title", c.Title)
			if err != nil || c.Title == "" || c.Start <= last || strings.Contains(c.Title, "\n") {
				t.Errorf("%+v after %s, %v", c, last, err)
			}
			last = c.Start
		}
		messages, _ := zoom.ParseChat(data)
		for _, m := range messages {
			good("a message", m.From+m.Text)
		}
		turns, _ := zoom.ParseTimeline(data)
		for _, turn := range turns {
			good("speakers", strings.Join(turn.Speakers, ""))
		}
		s, _ := zoom.ParseSummary(data)
		good("an overview", s.Overview+strings.Join(s.NextSteps, ""))
	})
}
