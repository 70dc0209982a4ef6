package e2e

import (
	_ "embed"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// noDuration is a browser's own recording: WebM without a length.
//
//go:embed testdata/no-duration.webm
var noDuration []byte

// serveTalk serves one lesson, a browser's own recording. Its plan says an hour.
func serveTalk(t *testing.T) *gateway {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, "recordings")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "talk.webm"), noDuration, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"LECTERN_DATA_DIR=" + dir}
	apply(t, env, `
people:
  - {email: ann@school.test, role: student, first_name: Ann}
  - {email: tom@school.test, role: teacher, first_name: Tom}
groups: [{name: A, teacher: tom@school.test, students: [ann@school.test]}]
lessons: [{title: Talk, group: A, start: 2026-01-02T10:00:00Z, end: 2026-01-02T11:00:00Z}]
recordings: [{lesson: Talk, provider: local, key: talk.webm, status: ready}]
`)
	return serve(t, env...)
}

// TestVideoWithoutALength skips and resumes in a video whose element says that it lasts
// for ever until its end has been seen.
func TestVideoWithoutALength(t *testing.T) {
	t.Parallel()
	s := serveTalk(t)
	p := open(t, viewport{})
	p.goTo(s.url + "/watch/1#token=" + token(t, "--user", "1", "--ttl", "1h"))
	p.play()
	if finite := js[bool](p, "Number.isFinite(document.querySelector('video').duration)"); finite {
		t.Fatal("the sample has a length")
	}
	js[any](p, videoTime+" = 3")
	p.until("it is at three seconds", videoTime+" >= 3 && "+videoPlays)
	js[any](p, "document.querySelector('video').pause()")
	at := js[float64](p, videoTime)
	js[any](p, "document.activeElement.blur()")
	p.press("l")
	p.until("the skip has ended", "!document.querySelector('video').seeking")
	if now := js[float64](p, videoTime); now < at+9 || now > at+11 {
		t.Errorf("ten seconds on from %.1f is %.1f", at, now)
	}
	p.press("j")
	p.until("the skip back has ended", "!document.querySelector('video').seeking")
	if now := js[float64](p, videoTime); now < at-1 || now > at+1 {
		t.Errorf("ten seconds back from %.1f is %.1f", at+10, now)
	}
	p.press("l")
	p.until("the skip has ended", "!document.querySelector('video').seeking")
	js[any](p, "window.dispatchEvent(new Event('pagehide'))")
	kept := js[[]float64](p, "Object.values(JSON.parse(localStorage.getItem('lectern.places.1')))[0]")
	if kept[0] < at+9 || kept[1] < kept[0] || kept[1] > float64(time.Hour/time.Second) {
		t.Errorf("the place is kept as %.0f of %.0f seconds", kept[0], kept[1])
	}
}
