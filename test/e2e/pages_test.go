package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestStudentWatches is a student's evening: in through the platform's link, a lesson
// found by typing, watched, left by a reload and gone on with.
func TestStudentWatches(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	tok := token(t, "--user", "1", "--ttl", "1h")
	at := viewport{}
	p := open(t, at)

	p.goTo(s.url + "/#token=" + tok)
	p.until("the lessons are there", lessonCount+" === 7")
	p.assertNoTokens(tok)
	p.check("library-student", at)
	if first := js[string](p, "document.querySelector('.lesson h3').textContent"); first != "Geometry: the Pythagorean theorem" {
		t.Errorf("the newest lesson is %q", first)
	}
	if days := js[[]string](p, "[...document.querySelectorAll('.chip.warn')].map((chip) => chip.textContent)"); len(days) != 2 {
		t.Errorf("lessons that end soon: %q", days)
	}

	checkSearch(t, s, p)
	checkPages(s, p)
	js[any](p, "document.querySelector('#search').focus()")
	p.press("xyz")
	p.until("nothing is found", "document.querySelector('.results .notice h2')?.textContent === 'Nothing found'")
	p.check("library-nothing-found", at)
	p.click(".results .notice button")
	p.until("all are there again", lessonCount+" === 7")
	js[any](p, `(() => { const group = document.querySelector('.tools select'); group.value = [...group.options].find((o) => o.text === 'World history').value;
		group.dispatchEvent(new Event('change')) })()`)
	p.until("one group's lessons", lessonCount+" === 3")
	js[any](p, "document.querySelector('.tools select').value = ''")
	js[any](p, "document.querySelector('.tools select').dispatchEvent(new Event('change'))")
	p.until("all are there again", lessonCount+" === 7")

	// The test takes the looks whether the student may still watch, which a timer takes every 2 s.
	js[any](p, `void (window.setInterval = ((every) => (f, ms) => (ms === 2000 ? void (window.look = f) : every(f, ms)))(window.setInterval))`)
	p.click(`a[href="/watch/3"]`)
	p.play()
	p.assertNoTokens(tok)
	for _, c := range []struct {
		hidden       bool
		looks, heads int
	}{{false, 3, 3}, {true, 20, 2}} {
		p.setHidden(c.hidden)
		before := s.times("HEAD /api/recordings/3/stream/")
		js[any](p, fmt.Sprintf("(async () => { for (let i = 0; i < %d; i++) await window.look() })()", c.looks))
		if n := s.times("HEAD /api/recordings/3/stream/") - before; n != c.heads {
			t.Errorf("%d looks of a page whose hidden is %t sent %d HEADs, want %d", c.looks, c.hidden, n, c.heads)
		}
	}
	p.setHidden(false)
	p.until("the words around it", "document.querySelector('h1').textContent === 'History: a long lecture' && document.title.startsWith('History')")
	waitFor(t, "the view", func() bool { return s.times("POST /api/recordings/3/view/") == 1 })

	// Seeks by button, key and bar; speed by menu and key.
	js[any](p, videoTime+" = 100")
	p.until("it plays on after the seek", videoTime+" > 100.3 && "+videoPlays)
	p.click(".skip-forward")
	p.until("ten seconds on", videoTime+" > 109")
	p.press("j")
	p.until("ten seconds back", videoTime+" < 109 && "+videoTime+" > 98")
	p.press("о") // what a Russian keyboard writes on the key j is on: keys go by place
	js[any](p, `(() => { const speed = document.querySelector('.speed select'); speed.value = '1.5'; speed.dispatchEvent(new Event('change')) })()`)
	p.until("faster", "document.querySelector('video').playbackRate === 1.5")
	js[any](p, "document.activeElement.blur()")
	p.press(">")
	p.until("faster still", "document.querySelector('video').playbackRate === 1.75")
	p.press("k")
	p.until("it pauses", "document.querySelector('video').paused")
	p.press(" ")
	p.until("it plays", videoPlays)
	p.press("m")
	p.until("it can be heard", "!document.querySelector('video').muted")
	p.until("what is loaded is shown", "document.querySelector('.loaded').offsetWidth > 0")
	p.check("player", at)
	p.press("k")
	left := js[float64](p, videoTime)

	// The reload loses neither the lesson nor who is signed in.
	if err := chromedp.Do(p.ctx, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	p.until("it stands where it was left", fmt.Sprintf("Math.abs(%s - %f) < 2", videoTime, left))
	p.play()
	p.until("speed is restored", "document.querySelector('video').playbackRate === 1.75")
	p.until("the lesson does not end with the token", "document.querySelector('.ending').hidden")
	if title := js[string](p, "document.querySelector('h1').textContent"); title != "History: a long lecture" {
		t.Errorf("after the reload the lesson is called %q", title)
	}
	p.check("player-reloaded", at)
	p.assertNoTokens(tok)

	p.click("a.back")
	p.until("the library is there", lessonCount+" === 7")
	p.until("the page says who is signed in", "document.querySelector('.masthead .name').textContent !== ''")
	js[any](p, "void (window.tab = window.open('/watch/3'))")
	p.until("a second tab is signed in", "window.tab.document.querySelector('h1')?.textContent === 'History: a long lecture'")
	p.click(".masthead .person button")
	const signedOut = "document.querySelector('.notice h1, .notice h2')?.textContent === 'Sign in through your school'"
	p.until("the library explains signing in", signedOut)
	p.until("the second tab is signed out", "window.tab.document.querySelector('.over .notice')?.dataset.code === 'not_authenticated'")
	js[any](p, "window.tab.close()")
	p.check("library-signed-out", at)
	js[any](p, "location.hash = '#code=used'")
	p.until("a code that does not count is told", "document.querySelector('.notice')?.dataset.code === 'code_not_valid'")
	js[any](p, "location.hash = '#code="+token(t, "--user", "1", "--code")+"'")
	p.until("the link brings one in again", lessonCount+" === 7")
	p.until("the lesson shows the progress", "/watched 3[0-9] ?%/.test(document.querySelector('.watched')?.textContent)")
	p.assertNoTokens(tok)
	for _, asked := range s.asked {
		if strings.Contains(asked, "/audience/") {
			t.Errorf("a student's page asks who watched: %s", asked)
		}
		if strings.Contains(asked, tok) {
			t.Errorf("the page put its token into an address: %s", strings.ReplaceAll(asked, tok, "…"))
		}
	}
}

// TestPlaybackIsRenewed lets the grant of playback, and the access token too, end
// while a lesson plays. The first grant is cut short on its way to the page: the
// playback token in it is real and really ends.
func TestPlaybackIsRenewed(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	var grants atomic.Int64
	s.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/playback/") || grants.Add(1) > 1 {
			return false
		}
		short := token(t, "--user", "1", "--recording", "3", "--ttl", "8s")
		http.SetCookie(w, &http.Cookie{Name: "lectern_playback", Value: short, Path: "/api/recordings/3/stream/", MaxAge: 8, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"url": s.url + "/api/recordings/3/stream/", "token": short, "expires_at": time.Now().Add(8 * time.Second).UTC().Format(time.RFC3339),
			"watch_url": s.url + "/watch/3", "content_type": "video/mp4", "size": 811541, "captions": []any{},
		})
		return true
	})
	p := open(t, viewport{})
	p.goTo(s.url + "/watch/3#token=" + token(t, "--user", "1", "--ttl", "20s"))
	p.play()
	began := time.Now()
	js[any](p, `document.querySelector('video').addEventListener('error', () => { window.hitch = 'error' })`)
	p.until("the page asks again before the end", "performance.getEntriesByType('resource').filter((r) => r.name.endsWith('/playback/')).length > 1")
	if early := time.Since(began); early > 9*time.Second {
		t.Errorf("playback was renewed after %v, of 8 s", early)
	}
	source := js[string](p, "document.querySelector('video').src")
	// Beyond the ends of the first grant and of the access token, a far seek needs
	// bytes and so a grant that holds.
	p.until("both have ended", fmt.Sprintf("Date.now() > %d", began.Add(22*time.Second).UnixMilli()))
	js[any](p, videoTime+" = 250")
	p.until("it plays on", videoTime+" > 251 && "+videoPlays)
	if js[string](p, "window.hitch ?? ''") != "" || js[string](p, "document.querySelector('video').src") != source {
		t.Error("the renewal was seen by the player")
	}
	if visible := js[bool](p, "!document.querySelector('.over').hidden"); visible {
		t.Error("the page complains")
	}
	t.Logf("playing at %.1f s, %v after the access token of 20 s was made", js[float64](p, videoTime), time.Since(began).Round(time.Second))
	p.click("a.back")
	p.until("the library says that the session has ended", "document.querySelector('.notice svg') && document.querySelector('.masthead .person').hidden && "+lessonCount+" === 0")
	if err := chromedp.Do(p.ctx, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	p.until("so it does after a reload", "document.querySelector('.notice h1, .notice h2')?.textContent === 'Sign in through your school'")
}

// TestThePageSaysItIsRevoked takes the student out of all groups while a lesson plays.
func TestThePageSaysItIsRevoked(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t, "LECTERN_AUTH_MAX_STALENESS=1s")
	p := open(t, viewport{dark: true})
	p.goTo(s.url + "/watch/3#token=" + token(t, "--user", "1", "--ttl", "1h"))
	p.play()
	p.until("it is loaded to the end, so that no stream can be closed", "document.querySelector('video').buffered.end(0) > 299")
	began := time.Now()
	apply(t, s.env, `groups:
  - {name: World history, students: []}
  - {name: Algebra 10-A, students: []}
`)
	p.until("the page says so", "document.querySelector('.over .notice')?.dataset.code === 'no_access'")
	t.Logf("said %v after the change was begun", time.Since(began).Round(time.Millisecond))
	p.check("player-revoked", viewport{})
	if text := js[string](p, "document.querySelector('.over').innerText"); !strings.Contains(text, "You can no longer watch this lesson.") {
		t.Errorf("it says %q", text)
	}
	if js[bool](p, "Boolean(document.querySelector('video').getAttribute('src'))") {
		t.Error("the video is still there")
	}
	p.click(".over a.button")
	p.until("the library is still there", lessonCount+" === 3")
}

// TestPagesOnAPhone looks at everything on a small screen, in the dark and in Russian.
func TestPagesOnAPhone(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	at := viewport{lang: "ru", phone: true, dark: true}
	p := open(t, at)
	s.intercept(servePosters(t, s))
	p.goTo(s.url + "/#token=" + token(t, "--user", "1", "--ttl", "1h"))
	p.until("the lessons are there", lessonCount+" === 7")
	p.until("the posters in sight are drawn", "document.querySelectorAll('.poster.shown canvas').length >= 3 && !document.querySelector('a[href=\"/watch/6\"]').closest('.lesson').querySelector('canvas')")
	if lang := js[string](p, "document.documentElement.lang"); lang != "ru" {
		t.Errorf("the page is in %q", lang)
	}
	p.check("phone-library", at)
	p.click(`a[href="/watch/4"]`)
	p.play()
	if !js[bool](p, "document.querySelector('video').playsInline") {
		t.Error("an iPhone would take the whole screen")
	}
	p.check("phone-player", at)
	p.goTo(s.url + "/#token=" + token(t, "--user", "2", "--ttl", "1h"))
	p.until("the page asks whether somebody else may sign in", "document.querySelector('[data-code=other_user]')")
	p.click(".notice button:not(.primary)")
	p.until("the teacher's lessons are there", lessonCount+" === 5")
	p.check("phone-library-teacher", at)
	p.click(".masthead .person button")
	p.goTo(s.url + "/watch/5")
	p.until("nobody is signed in", "document.querySelector('.over .notice')?.dataset.code === 'not_authenticated'")
	p.check("phone-signed-out", at)
}

// TestTeachersLibrary sees what is being prepared, removes a lesson and thinks again.
func TestTeachersLibrary(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	at := viewport{}
	p := open(t, at)
	p.goTo(s.url + "/#token=" + token(t, "--user", "2", "--ttl", "1h"))
	p.until("the lessons are there", lessonCount+" === 5 && document.querySelectorAll('.preparing li').length === 2")
	p.until("the storage is there", "document.querySelector('.storage').checkVisibility()")
	if used := js[string](p, "document.querySelector('.storage p').textContent"); used != "3.2 MB of 5 GB used · 5 recordings" {
		t.Errorf("the storage after the catalog was applied: %q", used)
	}
	if s.sent("GET /api/recordings/") || s.times("GET /session") != 1 {
		t.Errorf("a teacher's library requests a student's list, or %d times who it is", s.times("GET /session"))
	}
	p.check("library-teacher", at)
	if chips := js[string](p, "document.querySelector('.lessons').innerText"); !strings.Contains(chips, "All my groups") || !strings.Contains(chips, "1 student") {
		t.Errorf("who may watch is not seen in %q", chips)
	}
	js[any](p, `(() => { const status = document.querySelectorAll('.tools select')[1]; status.value = 'failed'; status.dispatchEvent(new Event('change')) })()`)
	p.until("what failed", lessonCount+" === 1 && document.querySelector('.reason')?.checkVisibility()")
	p.check("library-failed", at)
	js[any](p, `(() => { const status = document.querySelectorAll('.tools select')[1]; status.value = ''; status.dispatchEvent(new Event('change')) })()`)
	p.until("all again", lessonCount+" === 5")

	title := js[string](p, "document.querySelector('.lesson h3').textContent")
	p.click(".lesson .remove")
	p.until("it is removed, and can be undone", "document.activeElement.textContent === 'Undo' && document.querySelector('.lesson.removed')")
	p.check("library-removed", at)
	tok := token(t, "--user", "1", "--ttl", "1h")
	if status := statusOf(t, s.url+"/api/recordings/4/", tok); status != http.StatusNotFound {
		t.Errorf("a removed recording answers %d", status)
	}
	p.press("\r")
	p.until("it is back", fmt.Sprintf("!document.querySelector('.lesson.removed') && document.querySelector('.lesson h3 a')?.textContent === %q", title))
	if status := statusOf(t, s.url+"/api/recordings/4/", tok); status != http.StatusOK {
		t.Errorf("a recording that was brought back answers %d", status)
	}
	if !js[bool](p, "document.activeElement === document.querySelector('.lesson h3 a')") {
		t.Error("the focus is lost after undoing")
	}
	checkLostNetwork(s, p)
}

func statusOf(t *testing.T, address, tok string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestEveryRefusalIsExplained gives the player each code there is, in both languages.
func TestEveryRefusalIsExplained(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	source, err := os.ReadFile("../../internal/media/refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code\s+= "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 18 {
		t.Fatalf("only %d codes were found", len(codes))
	}
	status := map[string]int{"not_authenticated": 401, "token_not_valid": 401, "user_not_found": 401, "user_inactive": 401, "not_found": 404, "no_media": 404,
		"no_access": 403, "wrong_recording": 403, "expired": 410, "processing": 409, "throttled": 429, "too_many_streams": 429, "origin_timeout": 504}
	var now atomic.Value
	asked, answer := make(chan struct{}, 1), make(chan struct{}) // GET /session, once the session has ended
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		code := now.Load().(string)
		if code == "session ended" && strings.HasPrefix(r.URL.Path, "/api/") {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"detail": "x", "code": "token_not_valid"}`)
			return true
		}
		if (code == "sign in" || code == "session ended") && r.Method == http.MethodGet && r.URL.Path == "/session" {
			if code == "session ended" {
				asked <- struct{}{}
				select {
				case <-answer:
				case <-r.Context().Done():
				}
			}
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"detail": "x", "sign_in": {"url": "/signin", "label": "School $&"}}`)
			return true
		}
		if code == "" || !strings.HasSuffix(r.URL.Path, "/playback/") {
			return false
		}
		answer := status[code]
		if answer == 0 {
			answer = http.StatusServiceUnavailable
		}
		if answer == http.StatusTooManyRequests || answer == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "30")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer)
		fmt.Fprintf(w, `{"detail": "x", "code": %q}`, code)
		return true
	}
	now.Store("")
	s.intercept(refuse)
	for _, lang := range []string{"en", "ru"} {
		at := viewport{lang: lang, dark: lang == "ru"}
		p := open(t, at)
		now.Store("sign in")
		for _, path := range []string{"/?q=x", "/watch/1#t=5"} {
			p.goTo(s.url + path)
			p.until("the sign-in is offered at "+path, fmt.Sprintf(`document.querySelector('.notice a[href="/signin?next=%s"]')?.textContent.endsWith(': School $&')`, url.QueryEscape(path)))
		}
		now.Store("")
		tok := token(t, "--user", "1", "--ttl", "1h")
		p.goTo(s.url + "/#token=" + tok)
		p.until("the lessons are there", lessonCount+" === 7")
		said := map[string]string{}
		for i, code := range codes {
			if lang == "ru" && i%6 != 0 {
				continue // that there is a sentence in each language is known without a browser
			}
			now.Store(code[1])
			js[any](p, `document.querySelector('a[href="/watch/1"]').click()`)
			p.until("a word on "+code[1], fmt.Sprintf("document.querySelector('.over .notice')?.dataset.code === %q", code[1]))
			text := js[string](p, "[...document.querySelectorAll('.over :is(h2, p:not(.hint))')].map((e) => e.textContent).join(' ')")
			if other := said[text]; other != "" || len(text) < 30 {
				t.Errorf("%s, %s: %q (as %q)", lang, code[1], text, other)
			}
			said[text] = code[1]
			if i%6 == 0 || code[1] == "overloaded" {
				p.check("refused-"+lang+"-"+code[1], at)
			}
			js[any](p, `document.querySelector('a.back').click()`)
			if status[code[1]] == http.StatusUnauthorized { // the session has ended
				js[any](p, "location.hash = '#token="+tok+"'")
			}
			p.until("the library", lessonCount+" === 7")
		}
		// What passes is tried again, by a press here, and then plays.
		now.Store("origin_unavailable")
		js[any](p, `document.querySelector('a[href="/watch/1"]').click()`)
		p.until("it counts the seconds to the next try", "document.querySelector('.over .notice .hint')?.checkVisibility()")
		now.Store("")
		p.click(".over button.primary")
		p.play()

		// Who leaves, and whose session ends, is offered a sign-in without a reload.
		const offered = `document.querySelector('%s .notice a[href="/signin?next=%s"]')?.checkVisibility()`
		p.until("the page says who is signed in", "document.querySelector('.masthead .name').textContent !== ''")
		now.Store("sign in")
		p.click(".masthead .person button")
		p.until("a sign-in is offered after the sign-out", fmt.Sprintf(offered, ".over", url.QueryEscape("/watch/1")))
		now.Store("")
		p.goTo(s.url + "/#token=" + tok)
		p.until("the lessons are there again", lessonCount+" === 7 && document.querySelector('.masthead .name').textContent !== ''")
		now.Store("session ended")
		const reload = "(performance.clearResourceTimings(), document.querySelector('.tools select').dispatchEvent(new Event('change')))"
		js[any](p, reload)
		<-asked
		js[any](p, reload)
		p.until("the list is refused again meanwhile", "performance.getEntriesByType('resource').some(({ name }) => name.includes('/api/recordings/'))")
		answer <- struct{}{}
		p.until("a sign-in is offered where the session has ended", fmt.Sprintf(offered, ".lessons", url.QueryEscape("/")))
	}
}

// TestLinkForOneLesson plays with a playback token, which opens that lesson only.
func TestLinkForOneLesson(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	tok := token(t, "--user", "1", "--recording", "5", "--ttl", "1h")
	p := open(t, viewport{})
	p.goTo(s.url + "/watch/5#token=" + tok)
	p.play()
	if address := js[string](p, "location.href + document.title + JSON.stringify([history.state, {...localStorage}, {...sessionStorage}])"); strings.Contains(address, tok) {
		t.Errorf("the token is left in %s", address)
	}
	p.goTo(s.url + "/watch/4#token=" + tok)
	p.until("another lesson is refused", "document.querySelector('.over .notice')?.dataset.code === 'wrong_recording'")
	if n := s.times("POST /api/recordings/"); n != 0 {
		t.Errorf("%d grants were requested with a link for one lesson", n)
	}
	checkEarlyGrants(s, p)
}

// checkEarlyGrants: the grant of a lesson is requested before the page's script is here, once,
// by a link's token or the session; none is where the link is of another user.
func checkEarlyGrants(s *interceptedGateway, p *page) {
	p.t.Helper()
	student, teacher := token(p.t, "--user", "1", "--ttl", "1h"), token(p.t, "--user", "2", "--ttl", "1h")
	for _, lesson := range []struct{ id, link string }{{"5", "/watch/5#token=" + student}, {"4", "/watch/4"}} {
		requested := make(chan struct{})
		request := sync.OnceFunc(func() { close(requested) })
		grant := "/api/recordings/" + lesson.id + "/playback/"
		s.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.URL.Path == grant:
				request()
			case strings.HasPrefix(r.URL.Path, "/assets/page."):
				select {
				case <-requested:
				case <-time.After(10 * time.Second):
					p.t.Errorf("lesson %s: no grant is requested before the script is here", lesson.id)
				}
			}
			return false
		})
		forgetCached(p)
		p.goTo(s.url + lesson.link)
		p.play()
		if n := s.times("POST " + grant); n != 1 {
			p.t.Errorf("lesson %s: %d grants were requested", lesson.id, n)
		}
	}
	s.intercept(nil)
	p.goTo(s.url + "/watch/3#token=" + teacher)
	p.until("the page asks", "document.querySelector('[data-code=other_user]')")
	if n := s.times("POST /api/recordings/3/playback/"); n != 0 {
		p.t.Errorf("%d grants were requested by a link of another user", n)
	}
	p.assertNoTokens(student, teacher)
}

// forgetCached has the browser load everything anew.
func forgetCached(p *page) {
	p.t.Helper()
	err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.ClearBrowserCache, cdp.Empty{})
		return err
	}))
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestCaptionsInTheDemo switches the demo's captions on, and has the page's languages
// and headers looked at.
func TestCaptionsInTheDemo(t *testing.T) {
	t.Parallel()
	demo := start(t, []string{"TMPDIR=" + t.TempDir()}, "gateway", "demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	pattern := regexp.MustCompile(`http://\S+/watch/4#token=\S+`)
	address := pattern.FindString(demo.stdout.find(t, "the lesson's URL", pattern.MatchString))
	p := open(t, viewport{})
	p.goTo(address)
	p.play()
	js[any](p, videoTime+" = 26")
	p.click(".controls .captions")
	p.until("a caption is on the screen", `document.querySelector('video').textTracks[0].activeCues?.[0]?.text.startsWith('Let us try it')`)
	p.check("player-captions", viewport{})
	p.press("c")
	p.until("captions are off", "document.querySelector('.captions').getAttribute('aria-pressed') === 'false'")

	base, tok, _ := strings.Cut(address, "/watch/4#token=")
	checkDemosLesson(t, p, base+"/api/recordings/4/", tok)
	libraries := regexp.MustCompile(`/#(token=\S+)`).FindAllStringSubmatch(demo.stdout.String(), 2)
	checkSharing(p, base+"/watch/4#"+libraries[1][1], base+"/api/recordings/4/companions/", tok)
	for accept, want := range map[string]string{"ru-RU,ru;q=0.9,en;q=0.8": "ru", "en-GB": "en", "de": "en"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Language", accept)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.Header.Get("Content-Language") != want || !strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Accept-Language") {
			t.Errorf("%s: %v", accept, res.Header)
		}
	}
	demo.stop(t, syscall.SIGINT)
}
