package viewer

import (
	"context"
	"net/url"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

type chromium struct {
	browser context.Context
	stop    []context.CancelFunc
	tab     context.Context // nil before the first Forget
	leave   context.CancelFunc
}

// Chromium starts Chromium.
func Chromium(ctx context.Context, dir string, site *url.URL) (Browser, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("unsafely-treat-insecure-origin-as-secure", site.Scheme+"://"+site.Host))
	c := &chromium{leave: func() {}}
	ctx, cancel := chromedp.NewExecAllocator(ctx, options...)
	c.stop = append(c.stop, cancel)
	c.browser, cancel = chromedp.NewContext(ctx)
	c.stop = append(c.stop, cancel)
	if err := chromedp.Do(c.browser); err != nil {
		c.Close()
		return nil, err
	}
	return c, c.Forget()
}

// Forget opens another browser context, which shares nothing with the one before.
func (c *chromium) Forget() error {
	c.leave()
	c.tab, c.leave = chromedp.NewContext(c.browser, chromedp.WithNewBrowserContext())
	return chromedp.Do(c.tab, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: string(marksScript)})
		return err
	}))
}

func (c *chromium) Open(address string) error {
	// Only the fragment differing would be no navigation.
	return chromedp.Do(c.tab, chromedp.Navigate("about:blank"), chromedp.Navigate(address))
}

func (c *chromium) Run(expression string, out any) error {
	expression = strings.TrimSpace(expression)
	raw, err := chromedp.Run(c.tab, chromedp.Evaluate[string]("(async () => JSON.stringify(await (\n"+expression+"\n)) ?? 'null')()", func(e *runtime.EvaluateParams) {
		yes := true
		e.AwaitPromise, e.UserGesture = &yes, &yes
	}))
	if err != nil {
		return err
	}
	return decode(raw, out)
}

func (c *chromium) Close() {
	c.leave()
	for i := len(c.stop) - 1; i >= 0; i-- {
		c.stop[i]()
	}
}
