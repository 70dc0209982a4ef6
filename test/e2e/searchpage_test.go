package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/lectiospace/lectern/internal/demo/lessons"
)

const hitCount = "document.querySelectorAll('.results .hit').length"

// checkSearch finds a title in other forms of its words, and the second at which something is
// said; the browser's steps back lead through what was found, and late answers are not shown.
func checkSearch(t *testing.T, s *interceptedGateway, p *page) {
	t.Helper()
	at := viewport{}
	tracks, err := lessons.Tracks()
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.url+"/api/recordings/4/captions/en.vtt", token(t, "--user", "2", "--ttl", "1h"), tracks[0].Text)

	// The answer to the first letters is held back until those of all have been answered.
	late := make(chan struct{})
	var held atomic.Bool
	s.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("q") != "за" {
			return false
		}
		held.Store(true)
		select {
		case <-late:
		case <-r.Context().Done():
		}
		return false
	})
	js[any](p, "document.querySelector('#search').focus()")
	p.press("з")
	p.press("а")
	waitFor(t, "the first search", held.Load)
	p.press("коном")
	p.until("one lesson is found", hitCount+" === 1 && document.querySelector('.hit h2').textContent === 'Законы Ньютона'")
	close(late)
	s.intercept(nil)
	if marks := js[[]string](p, "[...document.querySelectorAll('.hit mark')].map((mark) => mark.textContent)"); len(marks) != 1 || marks[0] != "Законы" {
		t.Errorf("marked are %q", marks)
	}
	if n := s.times("GET /api/search/"); n != 2 {
		t.Errorf("%d searches were sent, want none for one letter and two in all", n)
	}
	if said := js[string](p, "document.querySelector('#announcer').textContent"); said != "found in 1 place" {
		t.Errorf("announced is %q", said)
	}

	js[any](p, "document.querySelector('#search').select()")
	p.press("copying triangles")
	p.until("what is said is found", "document.querySelector('.place mark')?.textContent === 'copies'")
	p.check("search", at)
	place := js[string](p, "document.querySelector('.place').getAttribute('href')")
	if place != "/watch/4#t=48" {
		t.Errorf("a place leads to %s", place)
	}
	p.click(".place")
	p.until("the lesson at its second", "location.pathname + location.hash === '"+place+"'")
	if err := chromedp.Do(p.ctx, chromedp.NavigateBack()); err != nil {
		t.Fatal(err)
	}
	p.until("what was found is still there", "document.querySelector('#search').value === 'copying triangles' && "+hitCount+" === 1")
	if err := chromedp.Do(p.ctx, chromedp.NavigateBack()); err != nil {
		t.Fatal(err)
	}
	p.until("and the lessons before", "location.search === '' && "+lessonCount+" === 7 && document.querySelector('#search').value === ''")
}

// checkPages: further results come by a button, and marks count code points.
func checkPages(s *interceptedGateway, p *page) {
	p.t.Helper()
	s.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/search/" {
			return false
		}
		first, count, next := 100, 20, `"x"`
		if r.URL.Query().Get("page") == "2" {
			first, count, next = 120, 1, "null"
		}
		hits := make([]string, count)
		for i := range hits {
			hits[i] = fmt.Sprintf(`{"recording": %d, "title": "Circles", "lesson_info": null, "start": 75.5, "snippet": "😀 a circle", "marks": [[4, 10]]}`, first+i)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"count": 21, "next": %s, "previous": null, "results": [%s]}`, next, strings.Join(hits, ","))
		return true
	})
	js[any](p, "document.querySelector('#search').focus()")
	p.press("circle")
	p.until("a page of results", hitCount+" === 20 && document.querySelector('.place mark').textContent === 'circle'")
	p.click(".results .more")
	p.until("the rest of them", hitCount+" === 21 && document.querySelector('.results .more').hidden")
	if href := js[string](p, "document.querySelector('.hit h2 a').getAttribute('href')"); href != "/watch/100#t=75" {
		p.t.Errorf("the title of a place leads to %s", href)
	}
	s.intercept(nil)
	js[any](p, "(document.querySelector('#search').value = '', document.querySelector('#search').dispatchEvent(new Event('input')))")
	p.until("the lessons are there again", lessonCount+" === 7 && location.search === ''")
}

// checkLostNetwork: the library says at once that the network is gone, and loads by itself when
// it is back.
func checkLostNetwork(s *interceptedGateway, p *page) {
	p.t.Helper()
	s.intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
		return true
	})
	if !js[bool](p, "(window.dispatchEvent(new Event('offline')), document.querySelector('.offline').checkVisibility())") {
		p.t.Error("a lost network is not said at once")
	}
	js[any](p, "document.querySelector('.tools select').dispatchEvent(new Event('change'))")
	p.until("the list says so too", "document.querySelector('.lessons .notice')?.dataset.code === 'offline'")
	p.check("library-offline", viewport{})
	s.intercept(nil)
	js[any](p, "void window.dispatchEvent(new Event('online'))")
	p.until("all is there again", lessonCount+" === 5 && !document.querySelector('.offline').checkVisibility()")
}

// put sends a text to the API.
func put(t *testing.T, address, tok, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("PUT %s: %s", address, res.Status)
	}
}
