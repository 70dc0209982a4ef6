package ffmpeg

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg/ffmpegtest"
	"github.com/lectiospace/lectern/internal/media"
)

// TestVerify holds files against parts that they were not made of: each difference has
// its reason.
func TestVerify(t *testing.T) {
	plain := []string{"-movflags", "+faststart"}
	with := func(inputs []string, more ...string) []string {
		return append(append(append([]string{}, inputs...), more...), plain...)
	}
	a := encode(t, "a.mp4", with(both("160x90", "2"), "-ar", "44100")...)
	info := probe(t, a)
	for _, c := range []struct {
		name, made string
		parts      []Info
		reason     string
	}{
		{"itself", a, []Info{info}, ""},
		{"half of it", a, []Info{info, info}, ReasonDurationDiffers},
		{"no sound", encode(t, "s.mp4", with(picture("160x90", "2"))...), []Info{info}, ReasonStreamMissing},
		{"no picture", encode(t, "p.mp4", with(sound("2"), "-ar", "44100")...), []Info{info}, ReasonStreamMissing},
		{"another size", encode(t, "w.mp4", with(both("320x180", "2"), "-ar", "44100")...), []Info{info}, ReasonShapeDiffers},
		{"squeezed", encode(t, "q.mp4", with(both("160x90", "2"), "-ar", "44100", "-vf", "setsar=4/3")...), []Info{info}, ReasonShapeDiffers},
		{"turned", derived(t, a, "t.mp4", append([]string{"-metadata:s:v", "rotate=90"}, plain...)...), []Info{info}, ReasonShapeDiffers},
		{"another sample rate", encode(t, "r.mp4", with(both("160x90", "2"), "-ar", "48000")...), []Info{info}, ReasonSoundDiffers},
		{"two channels for one", encode(t, "c.mp4", with(both("160x90", "2"), "-ar", "44100", "-ac", "2")...), []Info{info}, ReasonSoundDiffers},
		{"a short sound", encode(t, "ss.mp4", with(append(picture("160x90", "2"), sound("1")...), "-ar", "44100")...), []Info{info}, ReasonDurationDiffers},
		{"a short picture", encode(t, "sp.mp4", with(append(picture("160x90", "1"), sound("2")...), "-ar", "44100")...), []Info{info}, ReasonDurationDiffers},
		{"a long picture", encode(t, "lp.mp4", with(append(picture("160x90", "4"), sound("2")...), "-ar", "44100")...), []Info{info}, ReasonDurationDiffers},
		{"a jump", encode(t, "j.mp4", with(both("160x90", "2"), "-ar", "44100", "-vsync", "passthrough", "-vf", "select='lt(n,3)+gt(n,15)'")...), []Info{info}, ReasonTimestamps},
		{"index behind", derived(t, a, "b.mp4"), []Info{info}, ReasonNotPlain},
		{"fragmented", derived(t, a, "f.mp4", "-movflags", "+frag_keyframe+empty_moov"), []Info{info}, ReasonNotPlain},
		{"bytes behind", appended(t, a, []byte("xyz")), []Info{info}, ReasonNotPlain},
		{"spoiled at the beginning", spoiled(t, a, 0, .3), []Info{info}, ReasonUndecodable},
		{"spoiled at the end", spoiled(t, a, .8, 1), []Info{info}, ReasonUndecodable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Tool{}.Verify(t.Context(), c.made, c.parts)
			if reasonOf(err) != c.reason || err != nil && media.KindOf(err) != media.Corrupt {
				t.Errorf("%v, want %q", err, c.reason)
			}
		})
	}
}

// TestVerifyCarelessCopies: what the concat demuxer makes of parts that only look alike
// does not pass.
func TestVerifyCarelessCopies(t *testing.T) {
	for _, second := range []string{"part-b-90000.mp4", "part-b-30fps.mp4"} {
		dir := t.TempDir()
		paths := []string{sample("part-a.mp4"), sample(second)}
		infos := []Info{probe(t, paths[0]), probe(t, paths[1])}
		out := filepath.Join(dir, "out.mp4")
		args, err := copying(paths, infos, dir, out)
		if err != nil {
			t.Fatal(err)
		}
		command(t, args...)
		if _, err := (Tool{}).Verify(t.Context(), out, infos); reasonOf(err) != ReasonDurationDiffers {
			t.Errorf("%s: %v", second, err)
		}
	}
}

// TestVerifyStarts: three windows are decoded by one ffmpeg, however many joints there are.
func TestVerifyStarts(t *testing.T) {
	part := encode(t, "a.mp4", both("160x90", "1")...)
	out := filepath.Join(t.TempDir(), "out.mp4")
	got, err := Joiner{}.Join(t.Context(), parts(t, part, part, part, part, part), out)
	if err != nil {
		t.Fatal(err)
	}
	ffmpeg, starts := ffmpegtest.Recorded(t, "ffmpeg")
	if _, err := (Tool{FFmpeg: ffmpeg}).Verify(t.Context(), out, got.Parts); err != nil {
		t.Fatal(err)
	}
	if n := len(starts()); n != 2 {
		t.Errorf("%d starts for six windows, want two", n)
	}
}

// TestVerifyEachWindow: a window without a frame is told from its neighbours, which the same
// ffmpeg decodes.
func TestVerifyEachWindow(t *testing.T) {
	t.Parallel()
	still := encode(t, "still.mp4", append(append(picture("160x90", "1"), sound("6")...), "-movflags", "+faststart")...)
	made := probe(t, still)
	made.Video.Duration = 6 * time.Second // it claims a picture until the end, and that it moves
	err := Tool{}.decode(t.Context(), still, made, []time.Duration{0, 3 * time.Second, 5 * time.Second})
	if reasonOf(err) != ReasonUndecodable || !strings.Contains(err.Error(), "at 3s: no frame of the picture") {
		t.Errorf("%v", err)
	}
	made.Video.Duration = time.Second
	if err := (Tool{}).decode(t.Context(), still, made, []time.Duration{0, 3 * time.Second, 5 * time.Second}); err != nil {
		t.Errorf("a picture that ends after a second: %v", err)
	}
}

// TestVerifyJoint: a flaw at a joint is found, although the beginning and the end are
// well and all lengths are right.
func TestVerifyJoint(t *testing.T) {
	part := encode(t, "a.mp4", both("160x90", "4")...)
	out := filepath.Join(t.TempDir(), "out.mp4")
	got, err := Joiner{}.Join(t.Context(), parts(t, part, part), out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Tool{}).Verify(t.Context(), spoiled(t, out, .45, .55), got.Parts); reasonOf(err) != ReasonUndecodable {
		t.Errorf("%v", err)
	}
}

// spoiled is a copy of a file without the bytes of a share of its media data.
func spoiled(t *testing.T, path string, from, to float64) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin := bytes.Index(data, []byte("mdat")) + 4
	length := float64(len(data) - begin)
	for i := begin + int(from*length); i < begin+int(to*length); i++ {
		data[i] = 0xff
	}
	return fileOf(t, "spoiled.mp4", data)
}
