package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// pausedPages is how many pages stay open: the connections that a browser opens to a host.
const pausedPages = 6

// TestPausedPagesHoldNoStream: a lesson plays while six others were started and paused in the
// same browser. They hold neither its connections nor the user's streams.
func TestPausedPagesHoldNoStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	longLesson(t, filepath.Join(dir, "recordings"))
	lessons, recordings := "lessons:\n", "recordings:\n"
	for i := range pausedPages + 1 {
		lessons += fmt.Sprintf("  - {title: Talk %d, group: A, start: 2026-01-0%dT10:00:00Z, end: 2026-01-0%dT11:00:00Z}\n", i, i+1, i+1)
		recordings += fmt.Sprintf("  - {lesson: Talk %d, provider: local, key: long.mp4, status: ready}\n", i)
	}
	env := []string{"LECTERN_DATA_DIR=" + dir, fmt.Sprintf("LECTERN_LIMIT_STREAMS_PER_USER=%d", pausedPages)}
	apply(t, env, `
people:
  - {email: ann@school.test, role: student, first_name: Ann}
  - {email: tom@school.test, role: teacher, first_name: Tom}
groups: [{name: A, teacher: tom@school.test, students: [ann@school.test]}]
`+lessons+recordings)
	g := serve(t, env...)
	watch := func(i int) string {
		return fmt.Sprintf("%s/watch/%d#token=%s", g.url, i+1, token(t, "--user", "1", "--ttl", "1h"))
	}
	t.Run("chromium", func(t *testing.T) {
		p := open(t, viewport{})
		for i := range pausedPages {
			tab := p
			if i > 0 {
				tab = p.newTab()
			}
			tab.goTo(watch(i))
			tab.play()
			js[any](tab, "document.querySelector('video').pause()")
			tab.setHidden(true)
		}
		last := p.newTab()
		last.goTo(watch(pausedPages))
		last.play()
		p.shot("paused")
		send(p, cdppage.BringToFront, cdp.Empty{}) // a browser need not show what a hidden page plays
		p.setHidden(false)
		left := js[float64](p, videoTime)
		js[any](p, "document.querySelector('video').play()")
		p.until("the first goes on where it stood", fmt.Sprintf("%s && %s > %f", videoPlays, videoTime, max(left, 0.2)))
	})
	t.Run("firefox", func(t *testing.T) {
		p := openFirefox(t)
		for i := range pausedPages + 1 {
			p.must(p.NewTab())
			p.must(p.Navigate(watch(i)))
			waitFor(t, fmt.Sprintf("page %d in Firefox", i), func() bool {
				var at float64
				err := p.Run(`(async () => {
					const video = document.querySelector('video');
					video.muted = true;
					await video.play();
					return video.currentTime;
				})()`, &at)
				return err == nil && at > 0.2
			})
			if i < pausedPages {
				p.run("document.querySelector('video').pause()")
			}
		}
	})
}

// longLesson writes a recording of 260 MB, far more than a browser reads ahead: noise, which
// does not compress, repeated.
func longLesson(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "short.mp4")
	for _, args := range [][]string{
		{"-f", "lavfi", "-i", "color=gray:size=320x180:rate=10:duration=5,noise=alls=100:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", short},
		{"-stream_loop", "39", "-i", short, "-c", "copy", "-movflags", "+faststart", filepath.Join(folder, "long.mp4")},
	} {
		if out, err := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-nostdin", "-v", "error"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg: %v\n%s", err, out)
		}
	}
}

// setHidden has a page believe that nobody sees it, or that somebody does: a headless browser
// counts every tab as seen.
func (p *page) setHidden(hidden bool) {
	p.t.Helper()
	js[any](p, fmt.Sprintf(`(() => {
		Object.defineProperty(document, 'hidden', { configurable: true, get: () => %t });
		document.dispatchEvent(new Event('visibilitychange'));
	})()`, hidden))
}

// newTab is another page of the same browser, in front of this one.
func (p *page) newTab() *page {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	return &page{t: p.t, ctx: ctx}
}
