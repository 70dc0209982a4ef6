package pictures_test

import (
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/derive/pictures"
)

// command runs ffmpeg for the making of samples.
func command(t *testing.T, args ...string) {
	t.Helper()
	if text, err := exec.Command("ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, text)
	}
}

// video encodes a picture that ffmpeg's lavfi makes.
func video(t *testing.T, graph string, options ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "video.mp4")
	args := []string{"-f", "lavfi", "-i", graph, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"}
	command(t, append(append(args, options...), out)...)
	return out
}

// blinking is red, green and blue for ten seconds each, after black for a second, and so on.
const blinking = "color=black:s=64x36:r=2:d=%d,geq=lum='if(lt(T,1),16,if(eq(mod(floor(T/10),3),0),82,if(eq(mod(floor(T/10),3),1),145,41)))':" +
	"cb='if(lt(T,1),128,if(eq(mod(floor(T/10),3),0),90,if(eq(mod(floor(T/10),3),1),54,240)))':cr='if(lt(T,1),128,if(eq(mod(floor(T/10),3),0),240,if(eq(mod(floor(T/10),3),1),34,110)))'"

func source(t *testing.T, path string) derive.Source {
	t.Helper()
	info, err := ffmpeg.Tool{}.Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return derive.Source{Path: path, Info: info}
}

// made are the pictures that a Maker makes, by name; texts are not pictures.
func made(t *testing.T, m derive.Maker, src derive.Source) (files map[string]image.Image, vtt string, size int64) {
	t.Helper()
	dir := t.TempDir()
	result, err := m.Make(t.Context(), src, dir)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]image.Image{}
	for _, f := range result.Files {
		data, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		size += int64(len(data))
		if f.ContentType != "image/jpeg" {
			vtt = string(data)
			continue
		}
		if files[f.Name], err = jpeg.Decode(strings.NewReader(string(data))); err != nil {
			t.Fatal(err)
		}
	}
	return files, vtt, size
}

// colour names what a pixel nearly is.
func colour(img image.Image, x, y int) string {
	r, g, b, _ := img.At(x, y).RGBA()
	switch {
	case r < 0x4000 && g < 0x4000 && b < 0x4000:
		return "black"
	case r > 2*g && r > 2*b:
		return "red"
	case g > 2*r && g > 2*b:
		return "green"
	case b > 2*r && b > 2*g:
		return "blue"
	}
	return fmt.Sprintf("%x %x %x", r>>8, g>>8, b>>8)
}

// TestStoryboard: each interval has the picture of its first keyframe, or the one before
// where it has none; sheets hold a hundred tiles.
func TestStoryboard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seconds int
		options []string
		want    string // the colours of the first tiles
	}{
		"a keyframe each second":     {1005, []string{"-g", "2"}, "black green blue red green"},
		"every picture a keyframe":   {35, []string{"-g", "1"}, "black green blue red"},
		"a keyframe each 20 seconds": {45, []string{"-g", "40", "-keyint_min", "40", "-sc_threshold", "0"}, "black black blue blue green"},
		"one keyframe":               {25, []string{"-g", "10000", "-keyint_min", "10000", "-sc_threshold", "0"}, "black black black"},
		"B-frames, another rate":     {35, []string{"-g", "2", "-bf", "2", "-vf", "setpts=PTS+0.25/TB*mod(N\\,2)", "-vsync", "vfr", "-x264-params", "scenecut=0"}, "black green blue red"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := source(t, video(t, fmt.Sprintf(blinking, c.seconds), c.options...))
			files, vtt, _ := made(t, pictures.Storyboard{}, src)
			cues := strings.Split(strings.TrimSpace(vtt), "\n\n")[1:]
			if want := (c.seconds + 9) / 10; len(cues) != want {
				t.Fatalf("%d cues, want %d: %s", len(cues), want, vtt)
			}
			var got []string
			for n, cue := range cues {
				times, place, _ := strings.Cut(cue, "\n")
				var x, y, w, h int
				sheet, fragment, _ := strings.Cut(place, "#")
				if _, err := fmt.Sscanf(fragment, "xywh=%d,%d,%d,%d", &x, &y, &w, &h); err != nil {
					t.Fatalf("%q: %v", cue, err)
				}
				img := files[sheet]
				if img == nil || !image.Rect(x, y, x+w, y+h).In(img.Bounds()) {
					t.Fatalf("%q is not on its sheet", cue)
				}
				if begin := time.Duration(n) * 10 * time.Second; !strings.HasPrefix(times, fmt.Sprintf("%02d:%02d:%02d.000 --> ", int(begin.Hours()), int(begin.Minutes())%60, int(begin.Seconds())%60)) {
					t.Errorf("tile %d at %q", n, times)
				}
				if n < len(strings.Fields(c.want)) {
					got = append(got, colour(img, x+w/2, y+h/2))
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("the first tiles are %q, want %q", got, c.want)
			}
			if want := (len(cues) + 99) / 100; len(files) != want {
				t.Errorf("%d sheets, want %d", len(files), want)
			}
		})
	}
}

// TestLongStoryboard: a long recording has no more than 400 tiles, and no more than 400 kB for
// each started hour with the poster, however much its pictures hold.
func TestLongStoryboard(t *testing.T) {
	t.Parallel()
	src := source(t, video(t, "testsrc2=s=160x90:r=1/5:d=4300,noise=alls=100:allf=t", "-g", "1"))
	files, vtt, size := made(t, pictures.Storyboard{}, src)
	_, _, poster := made(t, pictures.Poster{}, src)
	if n := strings.Count(vtt, "-->"); n > 400 || n < 390 || len(files) != 4 {
		t.Errorf("%d tiles on %d sheets", n, len(files))
	}
	if size+poster > 2*400_000 || size < 50_000 {
		t.Errorf("%d and %d bytes", size, poster)
	}
}

// TestPoster: the poster is neither the black beginning nor larger than allowed, and has the
// shape in which players show the picture.
func TestPoster(t *testing.T) {
	t.Parallel()
	const begins = "color=black:s=%[1]s:r=5:d=4[a];testsrc2=s=%[1]s:r=5:d=6,setsar=%[2]s[b];[a]setsar=%[2]s[c];[c][b]concat"
	plain := video(t, fmt.Sprintf(begins, "1920x1080", "1"), "-g", "5")
	turned := filepath.Join(t.TempDir(), "turned.mp4")
	command(t, "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", turned)
	for name, c := range map[string]struct {
		path string
		want image.Point
	}{
		"full HD":    {plain, image.Pt(1280, 720)},
		"turned":     {turned, image.Pt(720, 1280)},
		"anamorphic": {video(t, fmt.Sprintf(begins, "720x576", "64/45"), "-g", "5"), image.Pt(1024, 576)},
		"small":      {video(t, fmt.Sprintf(begins, "160x120", "1"), "-g", "5"), image.Pt(160, 120)},
	} {
		files, _, size := made(t, pictures.Poster{}, source(t, c.path))
		img := files["poster.jpg"]
		if img == nil || img.Bounds().Size() != c.want || size > 200_000 {
			t.Errorf("%s: %v, %d bytes, want %v", name, img.Bounds().Size(), size, c.want)
			continue
		}
		black := 0
		for y := 0; y < c.want.Y; y += 10 {
			for x := 0; x < c.want.X; x += 10 {
				if colour(img, x, y) == "black" {
					black++
				}
			}
		}
		if share := float64(black) / float64(c.want.X*c.want.Y/100); share > 0.5 {
			t.Errorf("%s: %.0f %% black", name, 100*share)
		}
	}
}

// TestWithoutPictures: a recording of sound alone has neither, which is no fault. What cannot
// be decoded is a fault of the recording, and the end of the context is not.
func TestWithoutPictures(t *testing.T) {
	t.Parallel()
	sound := filepath.Join(t.TempDir(), "sound.m4a")
	command(t, "-f", "lavfi", "-i", "sine=d=2", "-c:a", "aac", sound)
	src := source(t, sound)
	broken := source(t, video(t, "testsrc2=s=64x36:r=2:d=3"))
	data, err := os.ReadFile(broken.Path)
	if err != nil {
		t.Fatal(err)
	}
	media0 := strings.Index(string(data), "mdat")
	for i := media0 + 8; i < len(data) && string(data[i:min(i+4, len(data))]) != "moov"; i++ {
		data[i] = 0xff
	}
	if err := os.WriteFile(broken.Path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, m := range []derive.Maker{pictures.Poster{}, pictures.Storyboard{}} {
		if made, err := m.Make(t.Context(), src, t.TempDir()); err != nil || len(made.Files) != 0 {
			t.Errorf("%s of sound: %+v, %v", m.Kind(), made.Files, err)
		}
		if _, err := m.Make(t.Context(), broken, t.TempDir()); media.KindOf(err) != media.Corrupt {
			t.Errorf("%s of nothing to decode: %v", m.Kind(), err)
		}
		if _, err := m.Make(ended, broken, t.TempDir()); media.KindOf(err) != media.Canceled {
			t.Errorf("%s after the end: %v", m.Kind(), err)
		}
	}
}
