package ffmpeg

import (
	"path/filepath"
	"testing"
	"time"
)

func TestLow(t *testing.T) {
	late := append([]string{"-itsoffset", "1", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2"}, sound("3")...)
	for _, c := range []struct {
		name, in      string
		width, height int
		sampleRate    int // 0 = no sound
	}{
		{"a screen", encode(t, "a.mp4", append(both("1920x1080", "2"), "-ar", "32000")...), 960, 540, 24000},
		{"on its side", derived(t, encode(t, "b.mp4", append(both("1280x720", "2"), "-b:a", "64k", "-ac", "2")...), "turned.mp4", "-metadata:s:v", "rotate=90"), 540, 960, 24000},
		{"pixels of 4:3", encode(t, "c.mp4", append(both("480x360", "2"), "-vf", "setsar=4/3", "-ar", "8000")...), 640, 360, 8000},
		{"a small picture and a sound that fits", encode(t, "d.mp4", append(both("322x182", "2"), "-ar", "16000", "-b:a", "24k")...), 322, 182, 16000},
		{"a late picture", encode(t, "e.mp4", late...), 320, 180, 24000},
		{"silent", encode(t, "f.mp4", picture("320x180", "2")...), 320, 180, 0},
		{"frames at any time", encode(t, "g.mp4", append(both("320x180", "5"), "-vsync", "passthrough", "-vf", "select='not(mod(n,7))+eq(n,49)'")...), 320, 180, 24000},
		// x264 would take Mbit/s for this, and gets what the bound leaves.
		{"noise", encode(t, "n.mp4", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=10:d=10,noise=alls=100:allf=t", "-f", "lavfi", "-i", "sine=duration=10", "-qp", "30"), 320, 180, 24000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out.mp4")
			made, err := Tool{}.Low(t.Context(), c.in, probe(t, c.in), out)
			if err != nil {
				t.Fatal(err)
			}
			before, after := probe(t, c.in), probe(t, out)
			if after.Video.Width != c.width || after.Video.Height != c.height || after.Video.SampleAspect != (Ratio{1, 1}) || after.Video.Rotation != 0 {
				t.Errorf("%+v, want %d x %d", after.Video, c.width, c.height)
			}
			if got := after.Video.FrameRate; got != (Ratio{lowFrameRate, 1}) {
				t.Errorf("%v frames a second", got)
			}
			if after.Audio.SampleRate != c.sampleRate || !after.Plain() {
				t.Errorf("%+v", after)
			}
			if !near(after.Duration, before.Duration, time.Second/2) {
				t.Errorf("%v, the recording lasts %v", after.Duration, before.Duration)
			}
			if rate := made.bitRate(); rate > MaxLowBitRate {
				t.Errorf("%.0f bit/s", rate)
			}
		})
	}
}

// TestLowLimits: a rendition may take a quarter of the recording's duration.
func TestLowLimits(t *testing.T) {
	for _, c := range []struct{ duration, cpu time.Duration }{{time.Second, 20 * time.Second}, {2 * time.Hour, 30 * time.Minute}} {
		if l := lowLimits(Info{Duration: c.duration}); l.cpu != c.cpu {
			t.Errorf("%+v for %v, want %v", l, c.duration, c.cpu)
		}
	}
}
