package library_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestCaptionEdits: the owner and admins correct captions; what they send is found at once.
func TestCaptionEdits(t *testing.T) {
	s := onSQLite(t, nil)
	const path, text = "/api/recordings/6/captions/ru.vtt", "WEBVTT\n\nNOTE mine\n\n00:01.500 --> 00:03.000 align:start\nСегодня — интегралы\n"
	long := "WEBVTT\n" + strings.Repeat("\n00:01.000 --> 00:02.000\nx\n", 50_000)
	for _, c := range []struct {
		what         string
		user         int64
		method, path string
		body         string
		status       int
		want         string // in the answer
	}{
		{"a student", 5, "PUT", path, text, 403, "no_access"},
		{"another teacher", 4, "PUT", path, text, 403, "no_access"},
		{"nobody", 0, "PUT", path, text, 401, ""},
		{"no such recording", 3, "PUT", "/api/recordings/999/captions/ru.vtt", text, 404, ""},
		{"no language", 3, "PUT", "/api/recordings/6/captions/r%20u.vtt", text, 404, "not_found"},
		{"an invalid one", 3, "PUT", path, "WEBVTT\n\n00:01,500 --> 00:03.000\nx", 400, "line 3: "},
		{"another format", 3, "PUT", path, "1\n00:00:01,000", 400, "line 1: "},
		{"none yet", 3, "GET", path, "", 404, "not_found"},
		{"none to remove", 3, "DELETE", path, "", 404, "not_found"},
		{"the owner", 3, "PUT", path, text, 204, ""},
		{"as it was sent", 5, "GET", path, "", 200, text},
		{"a large one of an admin", 1, "PUT", "/api/recordings/6/captions/en.vtt", long, 204, ""},
		{"one that is too large", 3, "PUT", path, "WEBVTT\n\nNOTE " + strings.Repeat("x", 2<<20-12), 400, "2 MiB"},
		{"one that is much too large", 3, "PUT", path, "WEBVTT\n\nNOTE " + strings.Repeat("x", 3<<20), 400, `"code":"invalid_captions"`},
		{"a too large one of another teacher", 4, "PUT", path, strings.Repeat("x", 3<<20), 403, "no_access"},
		{"a too large one of nobody", 0, "PUT", path, strings.Repeat("x", 3<<20), 401, ""},
		{"a large one, encoded", 1, "PUT", "/api/%72ecordings/6/captions/%65n.vtt", long, 204, ""},
		{"encoded twice", 3, "PUT", "/api/recordings/6/captions/%2565n.vtt", text, 404, "not_found"},
		{"in other letters", 1, "PUT", "/api/recordings/6/captions/EN.vtt", text, 204, ""},
		{"is the same", 5, "GET", "/api/recordings/6/captions/en.vtt", "", 200, text},
		{"by either name", 5, "GET", "/api/recordings/6/captions/eN.vtt", "", 200, text},
		{"another method", 3, "POST", path, text, 405, ""},
		{"removed", 1, "DELETE", "/api/recordings/6/captions/en.vtt", "", 204, ""},
		{"gone", 5, "GET", "/api/recordings/6/captions/en.vtt", "", 404, ""},
		{"found", 5, "GET", "/api/search/?q=" + url.QueryEscape("интегралами"), "", 200, `"start":1.5,"snippet":"Сегодня — интегралы","marks":[[10,19]]`},
		{"not by another teacher", 4, "GET", "/api/search/?q=" + url.QueryEscape("интегралами"), "", 200, `{"count":0,"next":null,"previous":null,"results":[]}`},
	} {
		a := s.ask(c.user, c.method, c.path, c.body, "Content-Type: text/vtt")
		if a.StatusCode != c.status || !strings.Contains(a.body, c.want) || c.status == 204 && a.body != "" {
			t.Errorf("%s: %d %.300s, want %d %.100s", c.what, a.StatusCode, a.body, c.status, c.want)
		}
	}
}

// TestCaptionLanguages: captions of one recording are in a bounded number of languages,
// however often they are removed.
func TestCaptionLanguages(t *testing.T) {
	s := onSQLite(t, nil)
	put := func(lang string) answer {
		return s.ask(3, "PUT", "/api/recordings/6/captions/"+lang+".vtt", "WEBVTT\n")
	}
	for n := range 32 {
		s.db.Exec(t, `INSERT INTO lectern.lectern_captions_removed (recording_id, lang, removed_at) VALUES (6, $1, '2026-11-23T10:00:00Z')`, fmt.Sprintf("x-%d", n))
		s.db.Exec(t, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES (6, $1, '', 'WEBVTT', '2026-11-23T10:00:00Z')`, fmt.Sprintf("x-%d", 32+n))
	}
	if a := put("en"); a.StatusCode != 400 || !strings.Contains(a.body, `"code":"too_many_languages"`) {
		t.Errorf("one more: %d %s", a.StatusCode, a.body)
	}
	for _, lang := range []string{"x-0", "x-32"} { // removed, and there
		if a := put(lang); a.StatusCode != 204 {
			t.Errorf("%s again: %d %s", lang, a.StatusCode, a.body)
		}
	}
}

// TestSearchRoute: what a query may be, pages, and links to them.
func TestSearchRoute(t *testing.T) {
	s := onSQLite(t, nil)
	var cues strings.Builder
	cues.WriteString("WEBVTT\n")
	for i := range 10 {
		fmt.Fprintf(&cues, "\n00:%02d.000 --> 00:%02d.500\nслово номер %d\n", i, i, i)
	}
	recordings := 0
	for id := 1; id <= 36; id++ {
		if a := s.ask(1, "PUT", fmt.Sprintf("/api/recordings/%d/captions/ru.vtt", id), cues.String()); a.StatusCode == 204 {
			recordings++
		}
	}
	type page struct {
		Count          int
		Next, Previous *string
		Results        []struct {
			Recording  int64
			Title      string
			LessonInfo any `json:"lesson_info"`
			Start      float64
			Snippet    string
			Marks      [][2]int
		}
	}
	search := func(query string) (status int, p page) {
		a := s.ask(5, "GET", "/schedule/api/search/?"+query, "")
		if a.StatusCode == 200 {
			if err := json.Unmarshal([]byte(a.body), &p); err != nil {
				t.Fatalf("%s: %v", a.body, err)
			}
		}
		return a.StatusCode, p
	}
	for query, want := range map[string]int{
		"": 400, "q=": 400, "q=%D1%81": 400, "q=ab": 200, "q=++": 200, "q=" + strings.Repeat("%D1%81", 200): 200, "q=" + strings.Repeat("%D1%81", 201): 400,
		"q=%ff%ff": 400, "q=a%00b": 400, "q=ab&page=0": 404, "q=ab&page=x": 404, "q=ab&page=2": 404,
	} {
		if status, _ := search(query); status != want {
			t.Errorf("%s: %d, want %d", query, status, want)
		}
	}
	word := "q=" + url.QueryEscape("слова")
	_, first := search(word)
	if first.Count < 21 || first.Count%3 != 0 || len(first.Results) != 20 || first.Previous != nil || first.Next == nil || !strings.HasSuffix(*first.Next, "/schedule/api/search/?page=2&"+word) {
		t.Fatalf("%d of %d, %v", len(first.Results), recordings, first)
	}
	if r := first.Results[0]; r.Snippet != "слово номер 0" || r.Start != 0 || len(r.Marks) != 1 || r.Title == "" {
		t.Errorf("%+v", r)
	}
	_, second := search(word + "&page=2")
	if second.Count != first.Count || second.Previous == nil || second.Results[0].Start == first.Results[0].Start && second.Results[0].Recording == first.Results[0].Recording {
		t.Errorf("%+v", second)
	}
	_, last := search(word + "&page=last")
	if last.Next != nil || len(last.Results) != first.Count-20*((first.Count-1)/20) {
		t.Errorf("%d on the last page of %d", len(last.Results), first.Count)
	}
	if _, blank := search("q=+++"); blank.Count != 0 || blank.Results == nil {
		t.Errorf("blanks: %+v", blank)
	}
}
