package ffmpeg

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// packetSums are the checksums of the sound's packets of a file, without their times.
func packetSums(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "a:0", "-show_packets", "-show_data_hash", "crc32", "-show_entries", "packet=data_hash", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestSound(t *testing.T) {
	late := append([]string{"-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=3", "-itsoffset", "1"}, sound("2")...)
	for _, c := range []struct {
		name, in string
		method   Method
		start    time.Duration
	}{
		{"as Zoom records", encode(t, "a.mp4", append(both("64x48", "2"), "-b:a", "64k", "-ac", "1", "-ar", "32000")...), Copied, 0},
		{"ffmpeg's default of one channel", encode(t, "b.mp4", both("64x48", "2")...), Copied, 0},
		{"late sound", encode(t, "c.mp4", late...), Copied, time.Second},
		{"no picture", encode(t, "d.mp4", sound("2")...), Copied, 0},
		{"a recorded case", sample("part-a.mp4"), Copied, 0},
		{"too many bits", encode(t, "e.mp4", append(both("64x48", "2"), "-af", "aeval=random(0)", "-b:a", "256k", "-ac", "2")...), Encoded, 0},
		{"too many bits, and late", encode(t, "f.mp4", append(late, "-af", "aeval=random(0)", "-b:a", "256k", "-ac", "2")...), Encoded, 0},
		{"no AAC", joined(t, append(both("64x48", "2"), "-c:v", "mpeg4", "-c:a", "libmp3lame")...), Encoded, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out.m4a")
			made, err := Tool{}.Sound(t.Context(), c.in, probe(t, c.in), out)
			if err != nil || made.Method != c.method {
				t.Fatalf("%s, %v, want %s", made.Method, err, c.method)
			}
			before, after := probe(t, c.in), probe(t, out)
			if after.Video.Present() || after.Audio.Codec != "aac" || !after.Plain() {
				t.Errorf("%+v", after)
			}
			if !near(after.Audio.Start, c.start, 50*time.Millisecond) || !near(after.Audio.End(), before.Audio.End(), 100*time.Millisecond) {
				t.Errorf("from %v to %v, the recording's sound is from %v to %v", after.Audio.Start, after.Audio.End(), before.Audio.Start, before.Audio.End())
			}
			if same := packetSums(t, out) == packetSums(t, c.in); same != (c.method == Copied) {
				t.Errorf("the packets are the recording's: %v", same)
			}
			if made.Size > soundBound(after) {
				t.Errorf("%d bytes, want at most %d", made.Size, soundBound(after))
			}
		})
	}
}

// TestMadeOfNothing: what is not worth making leaves no file.
func TestMadeOfNothing(t *testing.T) {
	small := encode(t, "t.mp4", append(both("64x48", "1"), "-crf", "51", "-b:a", "8k")...)
	for _, c := range []struct {
		name string
		make func(context.Context, string, Info, string) (Made, error)
		in   string
	}{
		{"sound of a silent film", Tool{}.Sound, encode(t, "s.mp4", picture("64x48", "1")...)},
		{"rendition of a sound", Tool{}.Low, encode(t, "h.mp4", sound("1")...)},
		{"rendition that is no smaller", Tool{}.Low, small},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := c.make(t.Context(), c.in, probe(t, c.in), filepath.Join(dir, "out.mp4")); !errors.Is(err, ErrNothingToMake) {
				t.Errorf("%v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
