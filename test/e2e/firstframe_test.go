package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
)

// TestFirstFrame: a lesson on a Drive that takes 50 ms to answer and gives 20 MiB/s
// a connection shows its first frame on its page, wherever its index lies, cold and
// once somebody has watched. The time is logged, not asserted.
func TestFirstFrame(t *testing.T) {
	t.Parallel()
	for name, movflags := range map[string]string{"index in front": "+faststart", "index at the end": "0"} {
		t.Run(name, func(t *testing.T) {
			file := mp4(t, 120, movflags)
			s := newDriveFixture(t, 1)
			s.drive.Put(driveemu.File{ID: "lesson-file", Name: "lesson.mp4", MimeType: "video/mp4", Content: emulator.Bytes(file)})
			s.drive.SetDefaults(driveemu.Faults{Latency: 50 * time.Millisecond, Rate: 20 << 20})
			g := serve(t, s.env...)
			watch := g.url + "/watch/1#token=" + token(t, "--user", "2", "--ttl", "1h")
			p := open(t, viewport{})
			mark := cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: `for (const name of ['loadeddata', 'playing'])
				document.addEventListener(name, () => { (window.marks ??= {})[name] ??= performance.now() }, true)`}
			err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
				_, err := cdp.Call(ctx, target, cdppage.AddScriptToEvaluateOnNewDocument, mark)
				return err
			}))
			if err != nil {
				t.Fatal(err)
			}
			for _, state := range []string{"the page's first time", "cold", "warm"} {
				if state == "cold" {
					command(t, s.env, 0, "gateway", "cache", "purge", "1")
				}
				p.goTo(watch)
				p.until("a first frame", "window.marks.loadeddata > 0")
				began := js[float64](p, "(window.pressed = performance.now(), document.querySelector('video').muted = true, document.querySelector('video').play(), window.pressed)")
				p.until("it plays", "window.marks.playing > 0 && "+videoTime+" > 0.2")
				t.Logf("%s, %s: the first frame %.0f ms after the address was entered, playing %.0f ms after the press", name, state,
					js[float64](p, "window.marks.loadeddata"), js[float64](p, "window.marks.playing")-began)
			}
		})
	}
}
