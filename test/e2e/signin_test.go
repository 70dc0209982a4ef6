package e2e

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// The lesson of the walks has 300 s.
const (
	signInLesson = "/watch/3"
	signInPlace  = 120
)

// TestDemoWithOIDC walks through the demo with its provider, as a newcomer with a laptop and a
// phone: in from a lesson, 40 % of it watched, gone on with on the phone, out again.
func TestDemoWithOIDC(t *testing.T) {
	t.Parallel()
	demo := start(t, []string{"TMPDIR=" + t.TempDir()}, "gateway", "demo", "--with-oidc", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	demo.stdout.find(t, "the provider", func(l string) bool { return strings.HasPrefix(l, "Sign in at the emulated provider") })
	pattern := regexp.MustCompile(`^  (http://\S+)/$`)
	base := pattern.FindStringSubmatch(demo.stdout.find(t, "the library's address", pattern.MatchString))[1]

	t.Run("chromium", func(t *testing.T) {
		laptop := open(t, viewport{})
		laptop.signInFromLesson(base)
		phone := laptop.otherBrowser(viewport{phone: true})
		phone.goOnFrom(base, laptop)
		phone.signOutInEveryTab(base)
		laptop.isSignedInAs("Sam Student")
		laptop.changesUser()
		laptop.losesSession(base)
	})
	t.Run("firefox", func(t *testing.T) { testSignInInFirefox(t, base) })

	demo.stop(t, syscall.SIGINT)
	if demo.err != nil {
		t.Errorf("after Ctrl-C: %v", demo.err)
	}
}

// otherBrowser is a page with cookies of its own, as on another device.
func (p *page) otherBrowser(at viewport) *page {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithNewBrowserContext())
	p.t.Cleanup(cancel)
	other := &page{t: p.t, ctx: ctx}
	other.resize(at)
	return other
}

const (
	signInLink  = `.notice a[href^="/signin?next="]`
	isWatching  = "location.pathname === '" + signInLesson + "' && document.querySelector('video')?.duration > 0"
	isSignedOut = "document.querySelector('" + signInLink + "')?.checkVisibility()"
)

// choose signs in at the provider, whose page is open.
func (p *page) choose(email string) {
	p.t.Helper()
	p.until("the provider's page", "document.querySelector('h1').textContent === 'Who signs in?'")
	p.click(chosenBy(email))
}

func chosenBy(email string) string {
	return fmt.Sprintf(`a[href*="login_hint=%s"]`, url.QueryEscape(email))
}

func (p *page) isSignedInAs(name string) {
	p.t.Helper()
	p.until(name+" is signed in", fmt.Sprintf("document.querySelector('.masthead .name').textContent === %q", name))
}

// signInFromLesson is sent to the provider by a lesson, refused as somebody whom nobody knows,
// and back at the lesson as a student, who watches 40 % of it.
func (p *page) signInFromLesson(base string) {
	p.goTo(base + signInLesson)
	p.until("a sign-in is offered", isSignedOut)
	p.shot("signin-1-offered")
	p.click(signInLink)
	p.until("the provider's page", "document.querySelector('h1').textContent === 'Who signs in?'")
	p.shot("signin-2-provider")
	p.choose("nora@elsewhere.lectern")
	p.until("nobody has that address", "location.pathname === '/signin/callback' && /no account/i.test(document.body.innerText)")
	p.shot("signin-3-no-account")

	p.goTo(base + signInLesson)
	p.click(signInLink)
	p.choose("student@demo.lectern")
	p.until("it is back at the lesson", isWatching)
	p.isSignedInAs("Sam Student")
	p.play()
	js[any](p, fmt.Sprintf("%s = %d", videoTime, signInPlace))
	p.until("it plays on", fmt.Sprintf("%s > %d.3 && %s", videoTime, signInPlace, videoPlays))
	js[any](p, "document.querySelector('video').pause()")
	left := js[float64](p, videoTime)
	waitFor(p.t, "the place at the gateway", func() bool { return math.Abs(p.storedPlace()-left) < 1 })
	p.shot("signin-4-at-40-percent")
}

// storedPlace is the position of the student's watch state.
func (p *page) storedPlace() float64 {
	p.t.Helper()
	return js[float64](p, "fetch('/api/recordings/3/watch-state/').then((r) => r.json()).then((s) => s.position)")
}

// goOnFrom opens the lesson on another device, and is where the first one left it.
func (p *page) goOnFrom(base string, first *page) {
	p.goTo(base + signInLesson)
	p.click(signInLink)
	p.choose("student@demo.lectern")
	p.until("it is back at the lesson", isWatching)
	p.until("it stands where the other device left it", fmt.Sprintf("Math.abs(%s - %f) < 2", videoTime, js[float64](first, videoTime)))
	p.play()
	p.until("it goes on there", fmt.Sprintf("%s > %d.5 && %s", videoTime, signInPlace, videoPlays))
	p.shot("signin-5-on-the-phone")
}

// signOutInEveryTab: a bookmark opens signed in, and a sign-out in one tab ends the session in
// the other. The back button then shows nothing of the lesson.
func (p *page) signOutInEveryTab(base string) {
	tab := p.newTab()
	tab.goTo(base + signInLesson + "#t=30")
	tab.until("the bookmark is signed in and at its place", isWatching+" && Math.abs("+videoTime+" - 30) < 2")
	tab.goTo(base + "/")
	tab.until("the lessons are there", lessonCount+" === 7")
	if err := chromedp.Do(tab.ctx, chromedp.Reload()); err != nil {
		p.t.Fatal(err)
	}
	tab.until("the lessons are there after a reload", lessonCount+" === 7")
	tab.isSignedInAs("Sam Student")
	tab.click(".masthead .person button")
	tab.until("the library offers a sign-in", isSignedOut)
	tab.shot("signin-6-signed-out")
	p.until("the other tab offers it too", isSignedOut)
	if js[bool](p, "Boolean(document.querySelector('video')?.getAttribute('src'))") {
		p.t.Error("the lesson is still there")
	}
	p.shot("signin-7-signed-out-in-the-other-tab")
	if err := chromedp.Do(tab.ctx, chromedp.NavigateBack()); err != nil { // to the blank page
		p.t.Fatal(err)
	}
	if err := chromedp.Do(tab.ctx, chromedp.NavigateBack()); err != nil {
		p.t.Fatal(err)
	}
	tab.until("the way back needs a sign-in", "location.pathname === '"+signInLesson+"' && "+isSignedOut)
}

// changesUser: a person who signs in in a second tab is signed in in the first one too, which
// shows nothing of the other user any more.
func (p *page) changesUser() {
	tab := p.newTab()
	tab.goTo(js[string](p, "location.origin") + "/signin?next=/")
	tab.choose("teacher@demo.lectern")
	tab.isSignedInAs("Tamara Teacher")
	p.isSignedInAs("Tamara Teacher")
	p.until("the first tab asks for the teacher's place", "location.pathname === '"+signInLesson+"' && document.querySelector('video').currentTime < 1")
	if place := p.storedPlace(); place != 0 {
		p.t.Errorf("the teacher is at %v s of the lesson", place)
	}
}

// losesSession: a session that has ended is noticed at the next request, and the sign-in leads
// back to the same address.
func (p *page) losesSession(base string) {
	p.goTo(base + "/?q=lens")
	p.isSignedInAs("Tamara Teacher")
	if err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.ClearBrowserCookies, cdp.Empty{})
		return err
	})); err != nil {
		p.t.Fatal(err)
	}
	if err := chromedp.Do(p.ctx, chromedp.Reload()); err != nil {
		p.t.Fatal(err)
	}
	p.until("a sign-in is offered", isSignedOut)
	p.click(signInLink)
	p.choose("teacher@demo.lectern")
	p.until("it is back at the search", "location.pathname + location.search === '/?q=lens'")
	p.isSignedInAs("Tamara Teacher")
}

// testSignInInFirefox is the same in short in the other engine.
func testSignInInFirefox(t *testing.T, base string) {
	p := openFirefox(t)
	reload := func() {
		t.Helper()
		p.run("void (document.documentElement.dataset.old = true)")
		p.must(p.Do("WebDriver:Refresh", nil, nil))
		p.until("another document", "!document.documentElement.dataset.old")
	}
	const lessons = lessonCount + " === 7"
	signIn := func() {
		t.Helper()
		p.until("a sign-in", isSignedOut)
		p.click(signInLink)
		p.click(chosenBy("student@demo.lectern"))
		p.until("the lesson", isWatching)
	}
	isTamara := "document.querySelector('.masthead .name').textContent === 'Tamara Teacher'"
	p.must(p.Navigate(base + signInLesson))
	signIn()
	p.run("(document.querySelector('video').muted = true, document.querySelector('video').play())")
	p.until("it plays", videoPlays)
	reload()
	p.until("the lesson after a reload", isWatching)
	p.click("a.back")
	p.until("the lessons", lessons)
	p.must(p.Do("WebDriver:Back", nil, nil))
	p.until("the lesson by the back button", isWatching)

	p.must(p.NewTab())
	var tabs []string
	p.must(p.Do("WebDriver:GetWindowHandles", nil, &tabs))
	switchTo := func(tab int) {
		t.Helper()
		p.must(p.Do("WebDriver:SwitchToWindow", map[string]any{"handle": tabs[tab], "focus": true}, nil))
	}
	p.must(p.Navigate(base + signInLesson + "#t=30"))
	p.until("the bookmark at its place in a second tab", isWatching+" && Math.abs("+videoTime+" - 30) < 2")
	p.must(p.Navigate(base + "/signin?next=/"))
	p.click(chosenBy("teacher@demo.lectern"))
	p.until("the teacher in the second tab", isTamara)
	switchTo(0)
	p.until("the teacher in the first tab", isTamara)
	switchTo(1)
	p.click(".masthead .person button")
	p.until("nobody is signed in", isSignedOut)
	switchTo(0)
	p.until("nobody is signed in in the first tab", isSignedOut)
	signIn()
	p.must(p.Navigate(base + "/")) // the lesson has a cookie of its own, with which it would go on
	p.until("the lessons", lessons)
	p.must(p.Do("WebDriver:DeleteAllCookies", nil, nil))
	reload()
	p.until("a sign-in", isSignedOut)
	p.click(signInLink)
	p.click(chosenBy("student@demo.lectern"))
	p.until("the lessons after the sign-in", lessons)
}
