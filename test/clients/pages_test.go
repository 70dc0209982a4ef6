package clients

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"
)

// pages serves a page that plays a source with a player, from an origin of its own, and
// receives what the page says of it.
type pages struct {
	*httptest.Server
	results chan watched
	library http.Handler // what the players' libraries are loaded from; nil before it is needed
	file    string       // the lesson
}

// watched is what a page says.
type watched struct {
	Duration float64
	Pictures []string
	Ended    bool
	Error    string
}

func newPages(t *testing.T) *pages {
	t.Helper()
	p := &pages{results: make(chan watched, 1)}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("testdata")))
	mux.HandleFunc("GET /npm/", func(w http.ResponseWriter, r *http.Request) { http.StripPrefix("/npm", p.library).ServeHTTP(w, r) })
	mux.HandleFunc("GET /lesson.mp4", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, p.file) })
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		var result watched
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &result)
		}
		if err != nil {
			result.Error = err.Error()
		}
		p.results <- result
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// address is that of the page that plays a source.
func (p *pages) address(player, source string) string {
	seconds, err := json.Marshal(places)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return p.URL + "/player.html?" + url.Values{"player": {player}, "src": {source}, "places": {string(seconds)}}.Encode()
}

// watch has a browser open the page, and waits for what it says.
func (p *pages) watch(t *testing.T, open browser, player, source string) watched {
	t.Helper()
	closeBrowser := open(t, p.address(player, source))
	defer closeBrowser()
	select {
	case result := <-p.results:
		return result
	case <-time.After(hang):
		t.Fatal("the page says nothing")
		return watched{}
	}
}

// tryPlayer plays the lesson in a browser: as a plain video element, or by a library. A
// browser that does not reconnect has to say that playing has failed.
func (p *pages) tryPlayer(t *testing.T, u user, open browser, player string, reconnects bool) {
	p.file = u.file
	size := u.lessonSize(t)
	link := u.url(lessonPath + "?token=" + u.playback(t, "1", "1h"))
	want := p.watch(t, open, player, "/lesson.mp4")
	if want.Error != "" || len(want.Pictures) != len(places) {
		t.Fatalf("the file itself: %+v", want)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(want.Pictures))); len(distinct) != len(places) {
		t.Errorf("%d different pictures of the file", len(distinct))
	}
	u.measure(t, "seek about, play to the end", size, 0, 0, func(t *testing.T) string {
		got := p.watch(t, open, player, link)
		if got.Error != "" || !got.Ended || got.Duration != want.Duration {
			t.Fatalf("%q, ended %v, %v s of %v", got.Error, got.Ended, got.Duration, want.Duration)
		}
		for i, at := range places {
			if got.Pictures[i] != want.Pictures[i] {
				t.Errorf("the picture at %d s differs from that of the file", at)
			}
		}
		return "as of the file"
	})
	u.measure(t, "the same, cut", size, 1, 300_000, func(t *testing.T) string {
		got := p.watch(t, open, player, link)
		if got.Error != "" && !reconnects {
			return "an error event"
		}
		if got.Error != "" || !slices.Equal(got.Pictures, want.Pictures) {
			t.Errorf("%q; the pictures are the same: %v", got.Error, slices.Equal(got.Pictures, want.Pictures))
		}
		return "as of the file, reconnected"
	})
	expired := u.expired(t, lessonPath)
	u.measure(t, "by an expired link", 0, 0, 0, func(t *testing.T) string {
		got := p.watch(t, open, player, expired)
		if got.Error == "" {
			t.Errorf("%+v", got)
		}
		return "an error event"
	})
}
