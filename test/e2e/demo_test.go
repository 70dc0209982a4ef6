package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestDemo does what a newcomer does: starts the demo, pastes the curl line,
// asks ffprobe, opens the page in a browser, plays and seeks, presses Ctrl-C.
func TestDemo(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	demo := start(t, []string{"TMPDIR=" + tmp}, "gateway", "demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	urlPattern := regexp.MustCompile(`http://\S+/watch/\d+#token=\S+`)
	page := urlPattern.FindString(demo.stdout.find(t, "a player URL", urlPattern.MatchString))
	curl := demo.stdout.find(t, "a curl line", func(l string) bool { return strings.Contains(l, "curl ") })
	metrics := regexp.MustCompile(`http://\S+/metrics`).FindString(demo.stdout.find(t, "the metrics URL", func(l string) bool { return strings.Contains(l, "/metrics") }))

	t.Run("curl", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), "bash", "-c", strings.TrimSpace(curl)).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("206 Partial Content")) {
			t.Fatalf("%s\n%v\n%s", curl, err, out)
		}
	})
	t.Run("metrics", func(t *testing.T) {
		_, body := get(t, metrics, "", "")
		if !bytes.Contains(body, []byte(`lectern_stream_requests_total{cache="bypass",code="206"}`)) {
			t.Errorf("the curl line's exchange is not counted in:\n%s", body)
		}
	})
	t.Run("ffprobe", func(t *testing.T) {
		base, tok, _ := strings.Cut(page, "#token=")
		stream := strings.Replace(base, "/watch/", "/api/recordings/", 1) + "/stream/?token=" + tok
		out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-of", "json", "-show_entries", "stream=codec_name:format=duration", stream).Output()
		if err != nil {
			t.Fatal(err)
		}
		var probe struct {
			Streams []struct {
				Codec string `json:"codec_name"`
			}
		}
		if err := json.Unmarshal(out, &probe); err != nil || len(probe.Streams) != 2 || probe.Streams[0].Codec != "h264" || probe.Streams[1].Codec != "aac" {
			t.Errorf("ffprobe found %s (%v), want h264 and aac", out, err)
		}
	})
	t.Run("browser", func(t *testing.T) {
		for _, lesson := range regexp.MustCompile(`http://\S+/watch/\d+#token=\S+`).FindAllString(demo.stdout.String(), 3) {
			playInBrowser(t, lesson)
		}
	})

	demo.stop(t, syscall.SIGINT)
	if demo.err != nil {
		t.Errorf("after Ctrl-C: %v", demo.err)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 0 {
		t.Errorf("the demo left %v behind (%v)", left, err)
	}
}

// TestDemoWithS3: the printed line's bytes come from the emulated bucket, and are stored.
func TestDemoWithS3(t *testing.T) {
	t.Parallel()
	demo := start(t, []string{"TMPDIR=" + t.TempDir()}, "gateway", "demo", "--with-s3", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	curl := demo.stdout.find(t, "a curl line", func(l string) bool { return strings.Contains(l, "curl ") })
	metrics := regexp.MustCompile(`http://\S+/metrics`).FindString(demo.stdout.find(t, "the metrics URL", func(l string) bool { return strings.Contains(l, "/metrics") }))
	out, err := exec.CommandContext(t.Context(), "bash", "-c", strings.TrimSpace(curl)).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("206 Partial Content")) || !bytes.Contains(out, []byte("Content-Range: bytes 0-1023/558249")) {
		t.Fatalf("%s\n%v\n%s", curl, err, out)
	}
	if _, body := get(t, metrics, "", ""); !regexp.MustCompile(`(?m)^lectern_origin_bytes_total\{provider="s3"\} [1-9]`).Match(body) {
		t.Errorf("nothing was read from S3:\n%s", body)
	}
	demo.stop(t, syscall.SIGINT)
	if demo.err != nil {
		t.Errorf("after Ctrl-C: %v", demo.err)
	}
}

// TestDemoWithSyncer: a meeting ends at the emulated Zoom, its webhook comes, and the
// lesson plays on its watch page.
func TestDemoWithSyncer(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	demo := start(t, []string{"TMPDIR=" + tmp}, "gateway", "demo", "--with-syncer", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	demo.stdout.find(t, "the webhook", func(l string) bool { return strings.Contains(l, `recording.completed: {"status":"accepted"}`) })
	demo.stdout.find(t, "the archive", func(l string) bool { return strings.HasPrefix(l, "Archived ") })
	lesson := false
	line := demo.stdout.find(t, "the lesson's page", func(l string) bool {
		lesson = lesson || l == "Watch it:"
		return lesson && strings.Contains(l, "/watch/")
	})
	playInBrowser(t, strings.TrimSpace(line))
	demo.stop(t, syscall.SIGINT)
	if demo.err != nil {
		t.Errorf("after Ctrl-C: %v", demo.err)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 0 {
		t.Errorf("the demo left %v behind (%v)", left, err)
	}
}

// playInBrowser opens a lesson in Chromium, plays it, seeks to 80 % and sees the time move on.
func playInBrowser(t *testing.T, page string) {
	t.Helper()
	ctx := browser(t)
	type state struct {
		Duration, Time float64
		Error          string
	}
	var now state
	// The page takes the video over from the script that began to load it: for a moment there may
	// be none.
	const read = `(() => { const v = document.querySelector('video') || {currentTime: 0};
		return {Duration: v.duration || 0, Time: v.currentTime, Error: v.error ? String(v.error.code) + ' ' + v.error.message : ''} })()`
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			var err error
			if now, err = chromedp.Run(ctx, chromedp.Evaluate[state](read)); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if ok() {
				return
			}
			if now.Error != "" || time.Now().After(end) {
				t.Fatalf("%s: not so: %+v", what, now)
			}
		}
	}
	script := func(code string) {
		t.Helper()
		waitFor(t, "video for "+code, func() bool {
			there, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("(() => { const video = document.querySelector('video'); if (!video) return false; "+code+"; return true })()"))
			if err != nil {
				t.Fatalf("%s: %v", code, err)
			}
			return there
		})
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1024, 720), chromedp.Navigate(page), chromedp.WaitReady("video")); err != nil {
		t.Fatal(err)
	}
	until("metadata", func() bool { return now.Duration > 0 })
	script("video.muted = true; video.play()")
	until("playing", func() bool { return now.Time > 0.3 })
	script("video.currentTime = 0.8 * video.duration")
	until("playing on after the seek", func() bool { return now.Time > 0.8*now.Duration+0.5 })
	t.Logf("at %.1f of %.1f s", now.Time, now.Duration)

	address, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil || strings.Contains(address, "token") {
		t.Errorf("the address is %q: the token must be gone (%v)", address, err)
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	saveScreenshot(t, "watch-"+regexp.MustCompile(`watch/(\d+)`).FindStringSubmatch(page)[1]+".png", shot)
}

// browser is a fresh headless Chromium that talks to nobody but the test.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	options = append(options, more...)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// saveScreenshot writes a picture into the folder named by SCREENSHOTS, for people to look at.
func saveScreenshot(t *testing.T, name string, png []byte) {
	t.Helper()
	if len(png) < 1000 {
		t.Errorf("screenshot %s has only %d bytes", name, len(png))
	}
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), png, 0o644); err != nil {
		t.Fatal(err)
	}
}
