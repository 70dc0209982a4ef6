package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/lectiospace/lectern/internal/demo/lessons"
	"github.com/lectiospace/lectern/internal/npmtool"
)

// axePage is a page that axe-core looks at, in one browser for all languages and schemes.
type axePage struct {
	*page
	source string
	lang   string
	took   time.Duration
	states int
}

// TestNothingForAxe has axe-core look at every state of the pages in both languages, in light
// and in dark: it finds nothing.
func TestNothingForAxe(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t, "LECTERN_ANALYTICS=audience", "LECTERN_EMBED_ORIGINS=https://lms.example")
	tracks, err := lessons.Tracks()
	if err != nil {
		t.Fatal(err)
	}
	student, teacher, stranger := token(t, "--user", "1", "--ttl", "1h"), token(t, "--user", "2", "--ttl", "1h"), token(t, "--user", "3", "--ttl", "1h")
	put(t, s.url+"/api/recordings/4/chapters/", teacher, `[{"start": 0, "title": "The theorem"}, {"start": 48, "title": "Why it is so"}]`)
	put(t, s.url+"/api/recordings/4/captions/en.vtt", teacher, tracks[0].Text)

	file, err := npmtool.Path("axe", "axe-core", "axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &axePage{page: open(t, viewport{}), source: string(source)}
	for _, p.lang = range []string{"en", "ru"} {
		p.speak()
		p.goTo(s.url + "/")
		p.until("nobody is signed in", "document.querySelector('.notice h2')")
		p.finds("signed out")
		p.goTo(s.url + "/watch/5")
		p.until("the player says so", "document.querySelector('.over .notice')?.dataset.code === 'not_authenticated'")
		p.finds("player, signed out")

		s.intercept(servePosters(t, s))
		p.goTo(s.url + "/#token=" + student)
		p.until("the lessons are there", lessonCount+" === 7")
		js[any](p.page, `localStorage.setItem('lectern.places.1', '{"3":[100,300,2],"4":[30,120,1]}')`)
		p.goTo(s.url + "/?q=triangle#token=" + student)
		p.until("places are found", "document.querySelector('.place mark')")
		p.finds("search")
		p.goTo(s.url + "/?q=xyzxyz#token=" + student)
		p.until("nothing is found", "document.querySelector('.results .notice h2')")
		p.finds("nothing found")
		js[any](p.page, "document.querySelector('.results .notice button').click()")
		p.until("begun lessons are there", "document.querySelectorAll('.continuing .shown').length === 2 && "+lessonCount+" === 7")
		p.finds("library")
		js[any](p.page, `document.querySelector('.lessons a[href="/watch/4"]').click()`)
		p.play()
		p.until("the transcript is there", "document.querySelector('#panel-transcript')?.checkVisibility() && document.querySelector('.marks i')")
		p.finds("player with transcript")
		js[any](p.page, "document.querySelector('#tab-chapters').click()")
		p.until("the chapters are there", "document.querySelector('#panel-chapters').checkVisibility()")
		p.finds("player with chapters")
		js[any](p.page, "document.querySelector('.help').showModal()")
		p.finds("player with help")
		p.refused(s, "/watch/4#token="+student, "/playback/", "origin_unavailable")
		p.embedded(s)

		p.signOut()
		p.goTo(s.url + "/#token=" + stranger)
		p.until("there are no lessons", "document.querySelector('.lessons .notice h2')")
		p.finds("empty library")
		p.refused(s, "/#token="+stranger, "/recordings/", "catalog_unavailable")

		p.signOut()
		p.goTo(s.url + "/#token=" + teacher)
		p.until("the teacher's lessons are there", lessonCount+" === 5 && document.querySelectorAll('.preparing li').length === 2 && document.querySelector('.storage').checkVisibility()")
		p.finds("teacher's library")
		js[any](p.page, "document.querySelector('.lesson .remove').click()")
		p.until("it is removed", "document.querySelector('.lesson.removed button')")
		p.finds("teacher's library, one removed")
		js[any](p.page, "document.querySelector('.lesson.removed button').click()")
		p.until("it is back", "!document.querySelector('.lesson.removed')")
		p.goTo(s.url + "/watch/4")
		p.click("#tab-audience")
		p.until("who watched is there", "document.querySelector('.attendance .who')")
		p.finds("player with audience")
		js[any](p.page, "location.hash = '#token="+student+"'")
		p.until("the page asks", "document.querySelector('[data-code=other_user]')")
		p.finds("another user")

		p.goTo(s.url + "/watch/abc")
		p.until("the page of an error", "document.querySelector('h1')")
		p.finds("no such page")
	}
	t.Logf("%d states, %v in axe-core", p.states, p.took.Round(time.Millisecond))
}

// embedded looks at the player as a frame of another site's page has it: with its menu open, and
// without a sign-in.
func (p *axePage) embedded(s *interceptedGateway) {
	p.t.Helper()
	end := p.asFrame("")
	p.goTo(s.url + "/embed/4#code=" + token(p.t, "--user", "1", "--code"))
	p.play()
	p.until("the chapters are on the bar", "document.querySelector('.marks i')")
	js[any](p.page, "document.querySelector('.gear').click()")
	p.finds("embedded player")
	p.clearCookies()
	p.goTo(s.url + "/embed/4")
	p.until("it offers a tab", "document.querySelector('.over a[target=_blank]')")
	p.finds("embedded player, signed out")
	end()
}

// asFrame gives the pages that are opened from now on a page around them, until end is called,
// and runs a script before theirs: axe-core and scripts of a test do not reach into frames of
// other sites.
func (p *page) asFrame(before string) (end func()) {
	p.t.Helper()
	do := func(f func(ctx context.Context, target *chromedp.Target) error) {
		p.t.Helper()
		if err := chromedp.Do(p.ctx, chromedp.Func(f)); err != nil {
			p.t.Fatal(err)
		}
	}
	var script cdppage.ScriptIdentifier
	do(func(ctx context.Context, target *chromedp.Target) error {
		added, err := cdp.Call(ctx, target, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: "window.parent = { postMessage() {} };" + before})
		if err == nil {
			script = added.Identifier
		}
		return err
	})
	return func() {
		p.t.Helper()
		do(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, cdppage.RemoveScriptToEvaluateOnNewDocument, cdppage.RemoveScriptToEvaluateOnNewDocumentParams{Identifier: script})
			return err
		})
	}
}

// speak has the browser prefer a language.
func (p *axePage) speak() {
	p.t.Helper()
	p.signOut()
	err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": p.lang}})
		return err
	}))
	if err != nil {
		p.t.Fatal(err)
	}
}

// signOut has the browser forget who was signed in, once the page is left: the answer to a
// request that is under way would have the page note it again.
func (p *axePage) signOut() {
	p.t.Helper()
	origin := js[string](p.page, "location.origin")
	err := chromedp.Do(p.ctx, chromedp.Navigate("about:blank"), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, network.ClearBrowserCookies, cdp.Empty{}); err != nil || origin == "null" {
			return err
		}
		_, err := cdp.Call(ctx, target, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: origin, StorageTypes: "local_storage"})
		return err
	}))
	if err != nil {
		p.t.Fatal(err)
	}
}

// scheme has the page in light or in dark.
func (p *axePage) scheme(name string) {
	p.t.Helper()
	err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
	if err != nil {
		p.t.Fatal(err)
	}
}

// refused looks at the page at an address while requests with a suffix are refused.
func (p *axePage) refused(s *interceptedGateway, address, suffix, code string) {
	p.t.Helper()
	s.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "100")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"detail": "x", "code": %q}`, code)
		return true
	})
	p.goTo(s.url + address)
	p.until(code, fmt.Sprintf("document.querySelector('.notice')?.dataset.code === %q", code))
	p.finds(code)
	s.intercept(nil)
}

// axeRun gives what axe-core finds, a line for each element. Contrast is all that a scheme
// changes.
const axeRun = `(async (contrast) => {
	const { violations } = await axe.run(document, contrast ? { runOnly: ['color-contrast'] } : { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } });
	return violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ': ' + node.html.slice(0, 200) + ' ' + node.failureSummary));
})`

// finds has axe-core look at a state in light, and at its contrasts in dark.
func (p *axePage) finds(state string) {
	p.t.Helper()
	if !js[bool](p.page, "'axe' in window") {
		if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](p.source+";'loaded'")); err != nil {
			p.t.Fatal(err)
		}
	}
	began := time.Now()
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		if os.Getenv("SCREENSHOTS") != "" {
			p.shot("axe-" + strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(state) + "-" + p.lang + "-" + scheme)
		}
		for _, found := range js[[]string](p.page, fmt.Sprintf("%s(%t)", axeRun, scheme == "dark")) {
			p.t.Errorf("%s, %s, %s: %s", state, p.lang, scheme, found)
		}
	}
	p.states++
	p.took += time.Since(began)
}
