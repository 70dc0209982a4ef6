package ffmpeg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg/ffmpegtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/mp4"
)

// TestJoin joins parts of all kinds. That lengths, shapes and streams are right is what
// Join checks itself; here they are checked once more, against figures.
func TestJoin(t *testing.T) {
	a, b := encode(t, "it's a\n.mp4", both("320x240", "2")...), encode(t, "b.mp4", both("320x240", "3")...)
	wide := encode(t, "wide.mp4", both("640x360", "2")...)
	silent := encode(t, "silent.mp4", picture("320x240", "2")...)
	blind := encode(t, "blind.mp4", sound("2")...)
	for _, c := range []struct {
		name     string
		parts    []string
		length   time.Duration
		size     [2]int
		aspect   float64
		method   Method
		why      string // part of Result.Why
		warnings []PartWarning
	}{
		{"one", []string{a}, 2 * time.Second, [2]int{320, 240}, 4. / 3, Remuxed, "", nil},
		{"two of one kind", []string{a, b}, 5 * time.Second, [2]int{320, 240}, 4. / 3, Copied, "", nil},
		{"many", []string{a, b, a, a, b, b}, 15 * time.Second, [2]int{320, 240}, 4. / 3, Copied, "", nil},
		{"two sizes", []string{a, wide}, 4 * time.Second, [2]int{640, 360}, 16. / 9, Encoded, "video configuration", nil},
		{"one without sound", []string{a, silent, b}, 7 * time.Second, [2]int{320, 240}, 4. / 3, Encoded, "sound", []PartWarning{{1, WarnNoSound}}},
		{"one without picture", []string{a, blind, b}, 7 * time.Second, [2]int{320, 240}, 4. / 3, Encoded, "picture", []PartWarning{{1, WarnNoPicture}}},
		{"time bases", []string{sample("part-a.mp4"), sample("part-b-90000.mp4")}, 4 * time.Second, [2]int{64, 36}, 16. / 9, Encoded, "video time base: 1/12800 and 1/90000", nil},
		{"frame rates", []string{sample("part-a.mp4"), sample("part-b-30fps.mp4")}, 4 * time.Second, [2]int{64, 36}, 16. / 9, Encoded, "video", nil},
		{"pixel shapes", []string{sample("part-a.mp4"), sample("part-b-sar43.mp4")}, 4 * time.Second, [2]int{64, 36}, 16. / 9, Encoded, "video", nil},
		{"pixel shapes, the other way", []string{sample("part-b-sar43.mp4"), sample("part-a.mp4")}, 4 * time.Second, [2]int{64, 36}, 64. / 27, Encoded, "video", nil},
		{"bytes behind", []string{sample("three-bytes-behind.mp4"), sample("part-b.mp4")}, 4 * time.Second, [2]int{64, 36}, 16. / 9, Copied, "", []PartWarning{{0, string(mp4.TrailingBytes)}}},
		{"one with bytes behind", []string{sample("text-behind.mp4")}, 2 * time.Second, [2]int{64, 36}, 16. / 9, Remuxed, "", []PartWarning{{0, string(mp4.TrailingBytes)}}},
		{"one fragmented", []string{sample("fragmented.mp4")}, 4 * time.Second, [2]int{64, 36}, 16. / 9, Remuxed, "", nil},
		{"a fragmented one among others", []string{sample("fragmented.mp4"), sample("part-a.mp4")}, 6 * time.Second, [2]int{64, 36}, 16. / 9, Encoded, "sound", []PartWarning{{0, WarnNoSound}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out.mp4")
			got, err := Joiner{}.Join(t.Context(), parts(t, c.parts...), out)
			if err != nil {
				t.Fatal(err)
			}
			if got.Method != c.method || !strings.HasPrefix(got.Why, c.why) || (got.Why == "") != (got.Method != Encoded) {
				t.Errorf("%s because of %q, want %s because of %q", got.Method, got.Why, c.method, c.why)
			}
			if !slices.Equal(got.Warnings, c.warnings) {
				t.Errorf("warnings: %v, want %v", got.Warnings, c.warnings)
			}
			info := probe(t, out)
			if !info.Plain() {
				t.Errorf("not plain: %+v", info.Layout)
			}
			v := info.Video
			if [2]int{v.Width, v.Height} != c.size || !near(v.Duration, c.length, 300*time.Millisecond) {
				t.Errorf("picture: %+v", v)
			}
			if aspect := displayAspect(v.shown()); aspect < c.aspect*.99 || aspect > c.aspect*1.01 {
				t.Errorf("aspect %v, want %v", aspect, c.aspect)
			}
			if info.Audio.Present() && !near(info.Audio.Duration, c.length, 300*time.Millisecond) {
				t.Errorf("sound: %+v", info.Audio)
			}
			if got.Path != out || got.Info.Duration != info.Duration || len(got.Parts) != len(c.parts) || !near(sum(got.Parts), c.length, 300*time.Millisecond) {
				t.Errorf("result: %+v", got)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	if layout := probe(t, a).Layout; layout.FastStart {
		t.Error("the source has its index in front already: the test proves nothing")
	}
}

// TestJoinAgain: what was copied can be copied behind again, so that a late part does
// not make everything before it be encoded.
func TestJoinAgain(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.mp4")
	paths := []string{encode(t, "a.mp4", both("160x90", "1")...), encode(t, "b.mp4", both("160x90", "1")...)}
	for range 3 {
		got, err := Joiner{}.Join(t.Context(), parts(t, paths...), out)
		if err != nil || got.Method != Copied {
			t.Fatalf("%s because of %q, %v", got.Method, got.Why, err)
		}
		paths[0] = filepath.Join(dir, "archived.mp4")
		if err := os.Rename(out, paths[0]); err != nil {
			t.Fatal(err)
		}
	}
	if got := probe(t, paths[0]).Duration; !near(got, 4*time.Second, 300*time.Millisecond) {
		t.Errorf("%v after three joins, want 4s", got)
	}
}

func TestJoinSoundOnly(t *testing.T) {
	for _, second := range []string{encode(t, "b.m4a", sound("3")...), encode(t, "c.m4a", append(sound("3"), "-ar", "32000", "-ac", "2")...)} {
		out := filepath.Join(t.TempDir(), "out.m4a")
		got, err := Joiner{}.Join(t.Context(), parts(t, encode(t, "a.m4a", sound("2")...), second), out)
		if err != nil {
			t.Fatal(err)
		}
		if got.Info.Video.Present() || !near(got.Info.Audio.Duration, 5*time.Second, 200*time.Millisecond) {
			t.Errorf("joined: %+v", got.Info)
		}
	}
}

// TestJoinProbesWhatItMakes: the parts are not probed again; the copy of a fragmented part and
// the result are probed.
func TestJoinProbesWhatItMakes(t *testing.T) {
	whole := encode(t, "a.mp4", both("160x90", "1")...)
	fragmented := derived(t, whole, "f.mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof")
	two, dir := parts(t, whole, fragmented), t.TempDir()
	ffprobe, probed := ffmpegtest.Recorded(t, "ffprobe")
	if _, err := (Joiner{Tool: Tool{FFprobe: ffprobe}}).Join(t.Context(), two, filepath.Join(dir, "out.mp4")); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, arg := range probed() {
		paths = append(paths, strings.TrimPrefix(arg, "file:"))
	}
	if len(paths) != 2 || filepath.Base(paths[0]) != "plain-1.mp4" || !strings.HasPrefix(paths[1], dir) {
		t.Errorf("probed: %q", paths)
	}
}

// TestJoinCopyThatDoesNotPass: parts that look equal, and whose copy is no good, are
// encoded. The configuration in the index is that of another encoder than the one that
// made the pictures.
func TestJoinCopyThatDoesNotPass(t *testing.T) {
	a := encode(t, "a.mp4", both("160x90", "2")...)
	info := probe(t, a)
	// A table of times that says 10 s for the first frame: the copy inherits it, and its
	// sound ends 10 s before its picture.
	out := filepath.Join(t.TempDir(), "out.mp4")
	calls := filepath.Join(t.TempDir(), "calls")
	// This ffmpeg spoils what is copied, and encodes well.
	script := "#!/bin/sh\ncase \"$*\" in *'-c copy'*) echo copy >>" + calls + "; for last; do :; done; exec cp " + a + " \"${last#file:}\";; esac\nexec ffmpeg \"$@\"\n"
	fake := fileOf(t, "ffmpeg", []byte(script))
	if err := os.Chmod(fake, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := Joiner{Tool: Tool{FFmpeg: fake}}.Join(t.Context(), parts(t, a, a), out)
	if err != nil || got.Method != Encoded || !strings.Contains(got.Why, "does not pass") {
		t.Fatalf("%s because of %q, %v", got.Method, got.Why, err)
	}
	if d := probe(t, out).Duration; !near(d, 2*info.Duration, 300*time.Millisecond) {
		t.Errorf("%v, want %v", d, 2*info.Duration)
	}
	if text, _ := os.ReadFile(calls); string(text) != "copy\n" {
		t.Errorf("calls: %q", text)
	}
}

// TestJoinFailed: when no result passes, the error says so and nothing is left.
func TestJoinFailed(t *testing.T) {
	a, dir := sample("part-a.mp4"), t.TempDir()
	fake := fileOf(t, "ffmpeg", []byte("#!/bin/sh\nfor last; do :; done\nexec cp "+mustAbs(t, a)+" \"${last#file:}\"\n"))
	if err := os.Chmod(fake, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Joiner{Tool: Tool{FFmpeg: fake}}.Join(t.Context(), parts(t, a, a), filepath.Join(dir, "out.mp4"))
	if reasonOf(err) != ReasonJoinFailed || media.KindOf(err) != media.Corrupt || !strings.Contains(err.Error(), ReasonNotPlain) && !strings.Contains(err.Error(), ReasonDurationDiffers) {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func mustAbs(t testing.TB, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// TestJoinCanceled: the end of the context ends ffmpeg, is the error, and leaves nothing.
func TestJoinCanceled(t *testing.T) {
	dir, started := t.TempDir(), filepath.Join(t.TempDir(), "started")
	if err := mkfifo(started); err != nil {
		t.Skip(err)
	}
	fake := fileOf(t, "ffmpeg", []byte("#!/bin/sh\necho $$ >"+started+"\nwhile :; do :; done\n"))
	if err := os.Chmod(fake, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	two := parts(t, sample("part-a.mp4"), sample("part-b.mp4"))
	ended := make(chan error, 1)
	go func() {
		_, err := Joiner{Tool: Tool{FFmpeg: fake}}.Join(ctx, two, filepath.Join(dir, "out.mp4"))
		ended <- err
	}()
	pid, err := os.ReadFile(started) // returns when the program runs
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; media.KindOf(err) != media.Canceled || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); err == nil {
		t.Error("ffmpeg lives on")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
