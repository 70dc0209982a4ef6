package ffmpeg

import (
	"path/filepath"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

func TestSmaller(t *testing.T) {
	lossless := func(size string, more ...string) string {
		return encode(t, "big.mp4", append(append(both(size, "1"), "-crf", "0"), more...)...)
	}
	for _, c := range []struct {
		name, in      string
		width, height int
	}{
		{"4:3", lossless("1280x960"), 960, 720},
		{"small already", lossless("320x180"), 320, 180},
		{"turned", derived(t, lossless("640x1280"), "turned.mp4", "-metadata:s:v", "rotate=90"), 1280, 640},
		{"pixels of 4:3", lossless("960x720", "-vf", "setsar=4/3"), 960, 720},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.mp4")
			worth, err := Tool{}.Smaller(t.Context(), c.in, out)
			if err != nil || !worth {
				t.Fatalf("worth %v, %v", worth, err)
			}
			before, after := probe(t, c.in), probe(t, out)
			if w, h, _ := after.Video.shown(); w != c.width || h != c.height {
				t.Errorf("%d x %d, want %d x %d", w, h, c.width, c.height)
			}
			if got, want := displayAspect(after.Video.shown()), displayAspect(before.Video.shown()); got < .99*want || got > 1.01*want {
				t.Errorf("aspect %v, want %v", got, want)
			}
			if !after.Audio.Present() || !after.Plain() {
				t.Errorf("%+v", after)
			}
		})
	}
	for _, c := range []struct {
		name, in string
		kind     media.Kind
	}{
		{"a larger result", encode(t, "small.mp4", append(both("64x48", "1"), "-crf", "51", "-b:a", "8k")...), media.Other},
		{"no track", sample("empty.mp4"), media.Corrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			worth, err := Tool{}.Smaller(t.Context(), c.in, filepath.Join(dir, "out.mp4"))
			if worth || media.KindOf(err) != c.kind {
				t.Errorf("worth %v, %v", worth, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
