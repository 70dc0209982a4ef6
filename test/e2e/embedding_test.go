package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// The sites of the test: one name resolves to each, and all are one server's.
const (
	embeddingSite = "lms.test"
	unlistedSite  = "unlisted.test"
	lecternSite   = "lessons.test"
)

// embedPage frames the player of an address and keeps what it says. Messages of anybody else
// are kept apart.
const embedPage = `<!doctype html><title>embeds</title><style>body{margin:0}</style>
<script>
const said = [], strange = [];
addEventListener('message', ({ origin, source, data }) => (origin === player && source === document.querySelector('iframe').contentWindow ? said : strange).push(data));
const player = %q;
const tell = (message, to = player) => document.querySelector('iframe').contentWindow.postMessage(message, to);
const last = () => said.at(-1) ?? {};
</script>
<iframe src=%q width="640" height="360" style="border:0" title="Lesson" allow="autoplay; fullscreen"></iframe>`

// TestEmbeddedPlayer has pages of other sites embed a lesson, in a browser that blocks the
// cookies of third parties: the frame of a listed site plays with cookies of its own partition,
// is commanded and tells what it does; that of another site is refused by the browser; and one
// without a cookie offers a tab.
func TestEmbeddedPlayer(t *testing.T) {
	t.Parallel()
	var gatewayProxy atomic.Pointer[httputil.ReverseProxy]
	var frame atomic.Value // the address that pages of the embedding sites frame
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, port, _ := strings.Cut(r.Host, ":"); name != lecternSite {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, embedPage, "https://"+lecternSite+":"+port, frame.Load())
			return
		}
		gatewayProxy.Load().ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	at, err := url.Parse(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	origin := func(site string) string { return "https://" + site + ":" + at.Port() }

	gateway := serveLessons(t, "LECTERN_PUBLIC_URL="+origin(lecternSite), "LECTERN_EMBED_ORIGINS=https://other.example,"+origin(embeddingSite))
	target, err := url.Parse(gateway.url)
	if err != nil {
		t.Fatal(err)
	}
	gatewayProxy.Store(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})

	p := open(t, viewport{}, chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
		chromedp.Flag("test-third-party-cookie-phaseout", true))
	shot := func(name string) {
		if os.Getenv("SCREENSHOTS") != "" {
			p.shot("embed-" + name)
		}
	}
	embed := func(site, path string) {
		frame.Store(origin(lecternSite) + path)
		p.goTo(origin(site) + "/")
	}

	embed(embeddingSite, "/embed/3#code="+token(t, "--user", "1", "--code"))
	p.until("it says that the lesson is there", "last().lectern === 'state' && last().recording === 3 && last().duration > 290 && last().paused && last().code === null")
	shot("ready")
	js[any](p, "tell({ lectern: 'play' })")
	p.until("it plays", "said.some((m) => m.lectern === 'play') && last().time > 1.5 && !last().paused")
	shot("plays")
	js[any](p, "tell({ lectern: 'seek', time: 200 })")
	p.until("it is where it was sent, and plays on", "said.some((m) => m.lectern === 'seek' && m.time >= 200) && last().time > 201 && !last().paused")
	js[any](p, "tell({ lectern: 'pause' })")
	p.until("it pauses", "last().lectern === 'pause' && last().paused")
	for _, nonsense := range []string{"null", "'play'", "{ lectern: 'seek', time: 'x' }", "{ lectern: 'seek' }", "{ lectern: 'stop' }", "{ lectern: null }", "[]"} {
		js[any](p, "tell("+nonsense+")")
	}
	js[any](p, "said.length = 0, tell({ lectern: 'state' })")
	p.until("it answers, and nonsense did nothing", "last().lectern === 'state' && last().paused && last().time > 201 && last().time < 210")
	if n := js[int](p, "strange.length"); n != 0 {
		t.Errorf("%d messages of somebody else", n)
	}
	for name, cookie := range p.cookies() {
		if strings.HasPrefix(name, "lectern_") && (!strings.Contains(cookie, `"topLevelSite":"https://`+embeddingSite) || !strings.Contains(cookie, `"sameSite":"None"`) || !strings.Contains(cookie, `"httpOnly":true`)) {
			t.Errorf("the cookie %s is %s", name, cookie)
		}
	}
	for _, name := range []string{"lectern_embed", "lectern_playback"} {
		if p.cookies()[name] == "" {
			t.Errorf("there is no cookie %s", name)
		}
	}

	// The page is reloaded: its code is used, and the cookie of its user goes on, where it was.
	p.goTo(origin(embeddingSite) + "/")
	p.until("the lesson is there again", "last().duration > 290 && last().code === null && last().time > 195")

	// A window that is not the page around commands nothing.
	js[any](p, fmt.Sprintf(`void (window.other = window.open(%q))`, origin(embeddingSite)+"/?"))
	p.until("another window is there", "window.other.document.querySelector('iframe') && typeof window.other.eval === 'function'")
	js[any](p, "window.other.eval('parentless = opener.document.querySelector(`iframe`).contentWindow; parentless.postMessage({ lectern: `seek`, time: 5 }, player)')")
	js[any](p, "window.other.close()")
	js[any](p, "said.length = 0, tell({ lectern: 'state' })")
	p.until("it stands where it was", "last().time > 195")

	// The same frame elsewhere: the browser shows no page of ours.
	embed(unlistedSite, "/embed/3#code="+token(t, "--user", "1", "--code"))
	p.takeProblem("frame-ancestors")
	if n := js[int](p, "said.length"); n != 0 {
		t.Errorf("a refused frame sends %d messages", n)
	}

	// A code that does not count, of somebody else than whose cookie is there; then no cookie.
	embed(embeddingSite, "/embed/3#code="+token(t, "--user", "2", "--code")+"x")
	p.until("it does not play for the user before", "last().code === 'code_not_valid'")
	p.clearCookies()
	embed(embeddingSite, "/embed/3")
	p.until("it says that nobody is signed in", "last().code === 'not_authenticated'")
	shot("offer")

	// A frame that can have no cookie at all leaves its code to the tab, where it signs in.
	code := token(t, "--user", "1", "--code")
	end := p.asFrame("Object.defineProperty(document, 'cookie', { get: () => '', set() {} })")
	p.goTo(origin(lecternSite) + "/embed/3#code=" + code)
	p.until("the tab has the code", "document.querySelector('.over a[target=_blank][rel=noopener]')?.hash === '#code="+code+"'")
	inTab := js[string](p, "document.querySelector('.over a').href")
	end()
	p.goTo(strings.Replace(inTab, "/watch/", "/embed/", 1)) // in a tab of its own it is the lesson's page
	p.until("the lesson's page", "location.pathname === '/watch/3' && document.querySelector('h1')?.textContent === 'History: a long lecture'")
	p.until("its video", "document.querySelector('video').duration > 290")
	if p.cookies()["lectern_session"] == "" {
		t.Error("the tab has no session")
	}
}

// cookies are those of the browser by name, as JSON.
func (p *page) cookies() map[string]string {
	p.t.Helper()
	found := map[string]string{}
	err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		all, err := cdp.Call(ctx, target, storage.GetCookies, storage.GetCookiesParams{})
		if err != nil {
			return err
		}
		for _, c := range all.Cookies {
			text, err := json.Marshal(c)
			if err != nil {
				return err
			}
			found[c.Name] = string(text)
		}
		return nil
	}))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

func (p *page) clearCookies() {
	p.t.Helper()
	err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.ClearBrowserCookies, cdp.Empty{})
		return err
	}))
	if err != nil {
		p.t.Fatal(err)
	}
}
