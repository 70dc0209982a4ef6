package api

import (
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/webvtt"
	"github.com/lectiospace/lectern/internal/zoom"
)

// FuzzWatchState: what is stored of a body lies within the recording, and is what the body
// says, to the millisecond.
func FuzzWatchState(f *testing.F) {
	for _, seed := range []string{
		`{"position": 12.5, "played": [[0, 12.5], [60, 60]]}`, `{"position": -0, "played": []}`, `{"position": 1e300}`, `{"position": 1, "played": [[1]]}`, `{"position": 1, "played": [[2, 1]]}`,
		`{"position": null}`, `{"POSITION": 1} {}`, `{"position": 5e-324, "played": [[0.0004, 0.0006]]}`, `[]`, `{"position": 1, "played": [null, [null, 1]]}`,
	} {
		f.Add([]byte(seed), int64(3600))
	}
	f.Fuzz(func(t *testing.T, body []byte, seconds int64) {
		duration := time.Duration(seconds%200_000) * time.Second
		last := duration
		if duration <= 0 {
			last = longestRecording
		}
		position, pieces, err := parseWatchState(body, duration)
		if err != nil {
			readable(t, err)
			return
		}
		if position < 0 || position > last || len(pieces) > maxPieces {
			t.Fatalf("position %s of %s, %d pieces", position, last, len(pieces))
		}
		for _, p := range pieces {
			if p.From < 0 || p.To < p.From || p.To > last.Milliseconds() {
				t.Fatalf("%+v of %s", p, last)
			}
		}
		var in struct {
			Position float64
			Played   [][2]float64
		}
		if err := json.Unmarshal(body, &in); err != nil || len(in.Played) != len(pieces) {
			t.Fatalf("%d of %d pieces, %v", len(pieces), len(in.Played), err)
		}
		near := func(ms int64, seconds float64) bool {
			return math.Abs(float64(ms)-math.Min(seconds*1000, float64(last.Milliseconds()))) <= 0.5+1e-6
		}
		for i, p := range pieces {
			if !near(p.From, in.Played[i][0]) || !near(p.To, in.Played[i][1]) {
				t.Fatalf("%v became %+v", in.Played[i], p)
			}
		}
		if !near(position.Milliseconds(), in.Position) {
			t.Fatalf("%v became %s", in.Position, position)
		}
	})
}

// readable fails the test where an error is no text that an answer can show.
func readable(t *testing.T, err error) {
	if text := err.Error(); text == "" || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\r\n") || len(text) > 1000 {
		t.Fatalf("the error %q", text)
	}
}

// FuzzChapters: chapters that are accepted are read back as they were written, and make a
// track that players read.
func FuzzChapters(f *testing.F) {
	for _, seed := range []string{
		`[{"start": 0, "title": "Limits"}, {"start": 12.5, "title": " <b>-->&amp; "}]`, `[]`, `null`, `[{"start": 1, "title": "a\nb"}]`, `[{"start": 1, "title": "a"}, {"start": 1.0001, "title": "b"}]`,
		`[{"start": -0, "title": "\ud800"}]`, `[{"start": 172800, "title": "x"}]`, `[{"start": 1e300, "title": "x"}]`, `[{}]`, `[{"start": 0, "title": "\u2028\u0085NOTE"}] x`,
	} {
		f.Add([]byte(seed), int64(3600))
	}
	f.Fuzz(func(t *testing.T, body []byte, seconds int64) {
		duration := time.Duration(max(0, seconds%200_000)) * time.Second
		chapters, err := parseChapters(body, duration)
		if err != nil {
			readable(t, err)
			return
		}
		for i, c := range chapters {
			if c.Start < 0 || i > 0 && c.Start <= chapters[i-1].Start || duration > 0 && c.Start >= duration || !utf8.ValidString(c.Title) || c.Title == "" || utf8.RuneCountInString(c.Title) > maxChapterTitle {
				t.Fatalf("chapter %d of %s: %+v", i+1, duration, c)
			}
		}
		written, err := json.Marshal(chaptersJSON(chapters))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseChapters(written, duration); err != nil || len(again) != len(chapters) || len(again) > 0 && !reflect.DeepEqual(again, chapters) {
			t.Fatalf("%+v, read again %+v, %v", chapters, again, err)
		}
		playableTrack(t, chapters, duration)
	})
}

// FuzzZoomsChapters: chapters that Zoom has made become a track that players read, too.
func FuzzZoomsChapters(f *testing.F) {
	f.Add([]byte(`{"smart_chapters": [{"title": "A", "start_time": "00:12:30.000"}, {"title": "-->", "start_time": "12:30,5"}]}`), int64(3600))
	f.Add([]byte(`[{"title": "a\u2028\u0000b", "ts": "1.0004"}, {"title": "<c>", "ts": "1.0001"}]`), int64(0))
	f.Fuzz(func(t *testing.T, document []byte, seconds int64) {
		chapters, err := zoom.ParseChapters(document)
		if err == nil {
			playableTrack(t, chapters, time.Duration(max(0, seconds%200_000))*time.Second)
		}
	})
}

func playableTrack(t *testing.T, chapters []media.Chapter, duration time.Duration) {
	text := chapterTrack(chapters, duration).String()
	track, err := webvtt.Validate([]byte(text))
	if err != nil || track.Skipped > 0 || len(track.Cues) != len(chapters) {
		t.Fatalf("%+v of %s become %q: %d cues, %v", chapters, duration, text, len(track.Cues), err)
	}
}

// FuzzIDs: a list is read as what it says, or not at all.
func FuzzIDs(f *testing.F) {
	for _, seed := range []string{"1,2", " 7 ", "", "0", "1,,2", "9223372036854775808", "+1", "1,2,", "100\v"} {
		f.Add(seed)
	}
	list := regexp.MustCompile(`^\s*\+?[0-9]+\s*(,\s*\+?[0-9]+\s*)*$`) // of what unicode.IsSpace takes for a blank, as the parser does, made one
	blanks := func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}
	f.Fuzz(func(t *testing.T, text string) {
		ids, err := parseIDs(text)
		if err != nil {
			if len(ids) > 0 {
				t.Fatalf("%v with %v", ids, err)
			}
			return
		}
		if len(ids) > maxStates || len(ids) != strings.Count(text, ",")+1 || !list.MatchString(strings.Map(blanks, text)) {
			t.Fatalf("%q is %v", text, ids)
		}
		for _, id := range ids {
			if id <= 0 {
				t.Fatalf("%q is %v", text, ids)
			}
		}
	})
}

// FuzzCaptionLang: a language's one spelling stays, and has no character of paths and markup.
func FuzzCaptionLang(f *testing.F) {
	for _, seed := range []string{"en", "zh-hant-tw", "X-Klingon", "en-US-u-CA-Gregory", "../x", "e%6E", "en-", "sl-rozaj-biske-1994"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lang string) {
		got := captionLang("/api/recordings/7/captions/" + lang + ".vtt")
		if got == "" {
			return
		}
		if again := captionLang("/" + got + ".vtt"); again != got || !strings.HasSuffix(strings.ToLower(lang), strings.ToLower(got)) || strings.Trim(got, "-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			t.Fatalf("%q is %q, and that %q", lang, got, again)
		}
	})
}

// FuzzFields: a body is an object, a refusal that can be shown, and a quota's raise in it is a
// number of gigabytes that fits into bytes.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		`{"additional_gb": 10}`, `{"additional_gb": "1.5"}`, `{"additional_gb": 1e400}`, `{"additional_gb": 1000001}`, `{"additional_gb": "NaN"}`, `{"additional_gb": -0}`, `{"additional_gb": "0x1p4"}`, `{"additional_gb": [1]}`,
		`{"title": "\u0000"}`, `{} {}`, `null`, `[]`, ``, `{"a":`,
	} {
		f.Add("application/json", []byte(seed))
	}
	f.Add("text/plain; charset=\"", []byte("{}"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if strings.ContainsFunc(kind, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return // cannot arrive
		}
		x := request{c: &fasthttp.RequestCtx{}}
		x.c.Request.Header.SetContentType(kind)
		x.c.Request.SetBody(body)
		fields, err := x.fields()
		if err != nil {
			refused(t, err)
			return
		}
		if fields == nil {
			t.Fatal("neither fields nor an error")
		}
		gb, err := parseGB(fields["additional_gb"])
		if err != nil {
			refused(t, err)
			return
		}
		if bytes := gb * (1 << 30); !(gb > 0) || gb > maxRaise || bytes >= math.MaxInt64 {
			t.Fatalf("a raise by %v", gb)
		}
		if _, err := decimal(gb).MarshalJSON(); err != nil {
			t.Fatal(err)
		}
	})
}

// refused fails the test where an error is not an answer of 4xx in JSON.
func refused(t *testing.T, err error) {
	e, ok := err.(*platformError)
	if !ok || e.status < http.StatusBadRequest || e.status >= http.StatusInternalServerError {
		t.Fatalf("%v", err)
	}
	if text, err := json.Marshal(e.body); err != nil || !json.Valid(text) {
		t.Fatalf("%+v: %v", e.body, err)
	}
}
