package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestPlaybackBeginsBeforeThePage: a lesson has its first frame, and plays, while the page's script and
// style are still on their way. The grant needs no connection of its own. The page then takes
// the video over as it is.
func TestPlaybackBeginsBeforeThePage(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	watch := s.url + "/watch/3#token=" + token(t, "--user", "1", "--ttl", "1h")
	enter := "void (location.href = '" + watch + "')" // to navigate as the tools do is to wait for all of the page
	for name, open := range map[string]func(t *testing.T) (until func(what, expression string)){
		"chromium": func(t *testing.T) func(what, expression string) {
			p := open(t, viewport{})
			js[any](p, enter)
			return p.until
		},
		"firefox": func(t *testing.T) func(what, expression string) {
			p := openFirefox(t)
			p.run(enter)
			return p.until
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := s.times("")
			here := make(chan struct{})
			release := sync.OnceFunc(func() { close(here) })
			defer release()
			s.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.HasPrefix(r.URL.Path, "/assets/") {
					<-here
				}
				return false
			})
			until := open(t)
			until("a first frame", "document.querySelector('video').readyState >= 2 && !document.querySelector('.controls')")
			until("the grant came by the document's connection", `performance.getEntriesByType('resource').some((r) =>
				r.name.endsWith('/playback/') && r.connectStart === r.connectEnd)`)
			until("it is begun", `(() => {
				const video = document.querySelector('video');
				video.dataset.begun = 'yes';
				video.addEventListener('pause', () => { video.dataset.paused = 'yes'; });
				video.muted = true;
				video.play();
				return true;
			})()`)
			until("it plays", videoPlays+" && "+videoTime+" > 0.2")
			release()
			until("the page is here", "document.querySelector('.stage.playing .controls') && document.querySelector('h1').textContent === 'History: a long lecture'")
			until("the same video plays on", "document.querySelector('video').dataset.begun && !document.querySelector('video').dataset.paused && "+videoPlays)
			waitFor(t, "a view", func() bool { return s.timesSince(asked, "POST /api/recordings/3/view/") > 0 })
			if n := s.timesSince(asked, "POST /api/recordings/3/playback/"); n != 1 {
				t.Errorf("%d grants were requested", n)
			}
		})
	}
}

// TestVideoComesFirst: the beginning of a lesson's video does not share the line with the rest of the page, and
// a video that does not come does not keep the page.
func TestVideoComesFirst(t *testing.T) {
	t.Parallel()
	for name, comes := range map[string]bool{"the video comes": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newInterceptedGateway(t)
			var (
				mu    sync.Mutex
				order []string // of what was requested; guarded by mu
			)
			gone := make(chan struct{})
			defer close(gone)
			s.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
				video := strings.Contains(r.URL.Path, "/stream")
				mu.Lock()
				switch {
				case video:
					order = append(order, "video")
				case strings.HasPrefix(r.URL.Path, "/assets/"), strings.Contains(r.URL.Path, "icon"):
					order = append(order, "page")
				}
				mu.Unlock()
				if video && !comes {
					<-gone
				}
				return false
			})
			// On a busy machine the page may come first, because it does not wait for ever.
			for range 5 {
				mu.Lock()
				order = nil
				mu.Unlock()
				p := open(t, viewport{})
				p.goTo(s.url + "/watch/3#token=" + token(t, "--user", "1", "--ttl", "1h"))
				p.until("the player is there", "document.querySelector('.controls')")
				mu.Lock()
				first := order[0]
				mu.Unlock()
				if first == "video" {
					return
				}
				p.goTo("about:blank") // what it requests yet is not of the next visit
			}
			t.Errorf("the page's parts were requested before the video, five times")
		})
	}
}

// TestAPageWithoutItsStyle: where the style does not come the page is shown without.
func TestAPageWithoutItsStyle(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	s.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		refused := strings.HasSuffix(r.URL.Path, ".css")
		if refused {
			w.WriteHeader(http.StatusBadGateway)
		}
		return refused
	})
	p := open(t, viewport{})
	p.goTo(s.url + "/watch/3#token=" + token(t, "--user", "1", "--ttl", "1h"))
	p.until("the player is there", "document.querySelector('.controls')")
}
