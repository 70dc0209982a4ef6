package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/lectiospace/lectern/internal/demo/lessons"
)

// interceptedGateway is a gateway with the demo's lessons, and what stands between it and the
// browser: a plain proxy that a test may let answer instead.
type interceptedGateway struct {
	*gateway
	url     string // of the proxy
	forward http.Handler

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	asked  []string                                          // methods and addresses with query
}

// serveLessons starts a gateway with the demo's lessons in a local folder.
func serveLessons(t *testing.T, env ...string) *gateway {
	t.Helper()
	dir := t.TempDir()
	if err := lessons.WriteTo(filepath.Join(dir, "recordings")); err != nil {
		t.Fatal(err)
	}
	document, err := lessons.Catalog(time.Now(), "local")
	if err != nil {
		t.Fatal(err)
	}
	env = append([]string{"LECTERN_DATA_DIR=" + dir}, env...)
	apply(t, env, string(document))
	return serve(t, env...)
}

func newInterceptedGateway(t *testing.T, env ...string) *interceptedGateway {
	t.Helper()
	s := &interceptedGateway{gateway: serveLessons(t, env...)}
	target, err := url.Parse(s.gateway.url)
	if err != nil {
		t.Fatal(err)
	}
	s.forward = &httputil.ReverseProxy{Transport: described, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }, ErrorLog: log.New(io.Discard, "", 0)}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		answer := s.answer
		s.asked = append(s.asked, r.Method+" "+r.URL.String())
		s.mu.Unlock()
		if answer == nil || !answer(w, r) {
			s.forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	s.url = front.URL
	return s
}

// apply writes a document into the standalone catalog that env names.
func apply(t *testing.T, env []string, document string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "catalog.yaml")
	if err := os.WriteFile(name, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, env, 0, "gateway", "catalog", "apply", name)
}

// intercept puts answers in front of the gateway's; nil takes them away.
func (s *interceptedGateway) intercept(answer func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// times counts requests whose method and path begin so.
func (s *interceptedGateway) times(prefix string) int { return s.timesSince(0, prefix) }

// timesSince is times without the first so many requests.
func (s *interceptedGateway) timesSince(first int, prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked[first:] {
		if strings.HasPrefix(a, prefix) {
			n++
		}
	}
	return n
}

// sent reports whether exactly this was requested.
func (s *interceptedGateway) sent(request string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.asked, request)
}

// page is one tab.
type page struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the browser complained of
}

// viewport is how a page is displayed.
type viewport struct {
	lang      string // "en", "ru"
	phone     bool
	landscape bool // of a phone
	dark      bool
}

// resize gives the page another viewport.
func (p *page) resize(at viewport) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, at.emulate()); err != nil {
		p.t.Fatal(err)
	}
}

func (at viewport) emulate() chromedp.Action[chromedp.Void] {
	width, height, options := int64(1200), int64(850), []chromedp.EmulateViewportOption(nil)
	if at.phone {
		width, height = 390, 844
		options = []chromedp.EmulateViewportOption{chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2)}
	}
	if at.landscape {
		width, height = height, width
		options = append(options, chromedp.EmulateLandscape)
	}
	return chromedp.EmulateViewport(width, height, options...)
}

func open(t *testing.T, at viewport, more ...chromedp.ExecAllocatorOption) *page {
	t.Helper()
	if at.lang == "" {
		at.lang = "en"
	}
	p := &page{t: t, ctx: browser(t, append(more, chromedp.Flag("lang", at.lang), chromedp.Flag("accept-lang", at.lang))...)}
	scheme := "light"
	if at.dark {
		scheme = "dark"
	}
	err := chromedp.Do(p.ctx, at.emulate(), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, cdplog.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	err = chromedp.Listen(p.ctx, func(ev any) {
		var problem string
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			problem = e.ExceptionDetails.Text
			if e.ExceptionDetails.Exception != nil {
				problem += " " + e.ExceptionDetails.Exception.Description
			}
		case *cdplog.EventEntryAdded: // a refused request is one too, and no fault of the page's
			if e.Entry.Source != "network" {
				problem = string(e.Entry.Source) + ": " + e.Entry.Text
			}
		}
		if problem != "" {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.problems = append(p.problems, problem)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, problem := range p.problems {
			t.Errorf("the browser says: %s", problem)
		}
	})
	return p
}

// takeProblem waits for a complaint of the browser's that is wanted.
func (p *page) takeProblem(part string) {
	p.t.Helper()
	waitFor(p.t, "complaint of "+part, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		before := len(p.problems)
		p.problems = slices.DeleteFunc(p.problems, func(problem string) bool { return strings.Contains(problem, part) })
		return len(p.problems) < before
	})
}

func (p *page) goTo(address string) {
	p.t.Helper()
	// Only the fragment differing would be no navigation.
	if err := chromedp.Do(p.ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(address)); err != nil {
		p.t.Fatalf("%s: %v", address, err)
	}
}

// js evaluates an expression, awaiting what it promises, as if a finger had pressed.
func js[T any](p *page, expression string) T {
	p.t.Helper()
	out, err := evaluate[T](p, expression)
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

func evaluate[T any](p *page, expression string) (out T, err error) {
	raw, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("(async () => JSON.stringify(await ("+expression+")) ?? 'null')()", func(e *runtime.EvaluateParams) {
		yes := true
		e.AwaitPromise, e.UserGesture = &yes, &yes
	}))
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		return out, fmt.Errorf("it gave %s: %w", raw, err)
	}
	return out, nil
}

// until waits for an expression to be true; while a page is being built what it
// looks at may not be there, and while the browser goes elsewhere there is no page.
func (p *page) until(what, expression string) {
	p.t.Helper()
	expression = "(() => { try { return Boolean(" + expression + ") } catch { return false } })()"
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if so, err := evaluate[bool](p, expression); so && err == nil {
			return
		} else if p.ctx.Err() != nil {
			p.t.Fatalf("%s: %v", what, err)
		}
		if time.Now().After(end) {
			p.shot("stuck-" + strings.ReplaceAll(p.t.Name(), "/", "-"))
			p.t.Fatalf("not so after 40 s: %s\n%s\nthe page says: %s", what, expression, js[string](p, "document.body.innerText"))
		}
	}
}

// click presses the first element that the selector finds, once it can be pressed.
func (p *page) click(selector string) {
	p.t.Helper()
	quoted := fmt.Sprintf("%q", selector)
	p.until(selector+" can be pressed", "document.querySelector("+quoted+")?.checkVisibility() && !document.querySelector("+quoted+").disabled")
	if err := chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		p.t.Fatalf("%s: %v", selector, err)
	}
}

// atRest waits until an element has stayed where it is from one look to the next: a press at a place
// that it has just left is lost.
func (p *page) atRest(selector string) {
	p.t.Helper()
	p.until(selector+" is at rest", fmt.Sprintf(`(() => {
		const { x, y } = document.querySelector(%[1]q).getBoundingClientRect(), was = window.restedAt;
		window.restedAt = %[1]q + x + ' ' + y;
		return was === window.restedAt;
	})()`, selector))
}

func (p *page) press(keys string) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(keys)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) shot(name string) {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	saveScreenshot(p.t, name+".png", png)
}

//go:embed testdata/a11y.js
var a11y string

// check looks for what a machine can see of accessibility, and keeps a picture.
func (p *page) check(name string, at viewport) {
	p.t.Helper()
	p.shot(name)
	for _, complaint := range js[[]string](p, fmt.Sprintf("%s(%t)", strings.TrimSpace(a11y), at.phone)) {
		p.t.Errorf("%s: %s", name, complaint)
	}
}

// tokenFree looks for a token wherever somebody could find one later.
func (p *page) assertNoTokens(tokens ...string) {
	p.t.Helper()
	places := js[string](p, `JSON.stringify([location.href, document.title, history.state, {...localStorage}, {...sessionStorage}, document.cookie,
		document.querySelector('video')?.src, [...document.querySelectorAll('a')].map((a) => a.href)])`)
	for _, tok := range tokens {
		if strings.Contains(places, tok) || strings.Contains(places, "token=") {
			p.t.Errorf("a token is left in %s", places)
		}
	}
}

const (
	videoTime   = "document.querySelector('video').currentTime"
	videoPlays  = "!document.querySelector('video').paused && document.querySelector('video').readyState > 2"
	lessonCount = "document.querySelectorAll('.lessons .lesson:not(.skeleton)').length"
)

// play starts the video without sound and waits until it runs.
func (p *page) play() {
	p.t.Helper()
	p.until("metadata", "document.querySelector('video')?.duration > 0")
	js[any](p, "(document.querySelector('video').muted = true, document.querySelector('video').play())")
	p.until("it plays", videoPlays+" && "+videoTime+" > 0.2")
}
