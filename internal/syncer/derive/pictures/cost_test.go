package pictures_test

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/derive/pictures"
)

// processorTime is what this process and those that it has awaited have used.
func processorTime(t *testing.T) (d time.Duration) {
	t.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if err := syscall.Getrusage(who, &used); err != nil {
			t.Fatal(err)
		}
		d += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return d
}

// TestCost measures what the pictures of a recording cost. Minutes are in PREVIEWS_MINUTES;
// `make previews` takes 120.
func TestCost(t *testing.T) {
	minutes, err := strconv.Atoi(os.Getenv("PREVIEWS_MINUTES"))
	moving, screen := time.Minute, 5*time.Minute // which are repeated
	if err != nil {
		minutes, moving, screen = 1, 20*time.Second, 20*time.Second // to encode takes long
	}
	t.Run("all of it moving", func(t *testing.T) {
		// 1280 × 720 at 25 pictures a second with a keyframe each 2 s: it compresses worse than
		// any lesson.
		piece := video(t, fmt.Sprintf("testsrc2=s=1280x720:r=25:d=%.0f", moving.Seconds()), "-g", "50")
		measureCost(t, piece, minutes*int(time.Minute)/int(moving), minutes)
	})
	t.Run("a shared screen", func(t *testing.T) {
		measureCost(t, sharedScreen(t, screen), minutes*int(time.Minute)/int(screen), minutes)
	})
}

// measureCost measures what the pictures of a recording cost that is a piece, times over.
func measureCost(t *testing.T, piece string, times, minutes int) {
	path := filepath.Join(t.TempDir(), "lesson.mp4")
	command(t, "-stream_loop", strconv.Itoa(times-1), "-i", piece, "-c", "copy", "-t", strconv.Itoa(60*minutes-1), "-movflags", "+faststart", path)
	src := source(t, path)
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a recording of %s, %.0f MB", src.Info.Duration.Round(time.Second), float64(stat.Size())/1e6)
	var bytes int64
	began := processorTime(t)
	for _, m := range []derive.Maker{pictures.Poster{}, pictures.Storyboard{}} {
		before := processorTime(t)
		files, _, size := made(t, m, src)
		bytes += size
		t.Logf("%s: %d pictures, %.1f kB, %.1f s of processor time", m.Kind(), len(files), float64(size)/1e3, (processorTime(t) - before).Seconds())
	}
	hours := int((src.Info.Duration + time.Hour - 1) / time.Hour)
	if most := (minutes + 59) / 60; hours > most {
		t.Errorf("a recording of %s is longer than it should be", src.Info.Duration)
	}
	t.Logf("together %.1f kB for each started hour and %.2f %% of the recording's time", float64(bytes)/1e3/float64(hours), 100*(processorTime(t)-began).Seconds()/src.Info.Duration.Seconds())
	if bytes > int64(hours)*400_000 {
		t.Errorf("%d bytes are more than 400 kB for each started hour", bytes)
	}
}

// sharedScreen is what Zoom makes of a shared screen: slides that stay for 20 to 60 s, with
// a small picture of the speaker, at 25 pictures a second. Keyframes are where the slide
// changes, and 10 s after the one before.
func sharedScreen(t *testing.T, length time.Duration) string {
	t.Helper()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	list := "ffconcat version 1.0\n"
	for i, left := 0, int(length.Seconds()); left > 0; i++ {
		seconds := min(left, 20+random.IntN(41))
		left -= seconds
		name := fmt.Sprintf("slide-%d.png", i)
		writeSlide(t, filepath.Join(dir, name), random)
		list += fmt.Sprintf("file %s\nduration %d\n", name, seconds)
	}
	if err := os.WriteFile(filepath.Join(dir, "slides"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	out, d := filepath.Join(dir, "screen.mp4"), strconv.Itoa(int(length.Seconds()))
	command(t, strings.Fields("-f concat -i "+filepath.Join(dir, "slides")+" -f lavfi -i testsrc2=s=240x136:r=25 -f lavfi -i anoisesrc=r=32000:a=0.1:c=pink"+
		" -filter_complex [0:v]fps=25,format=yuv420p[s];[1:v]format=yuv420p[c];[s][c]overlay=W-w-16:16[v] -map [v] -map 2:a"+
		" -c:v libx264 -preset veryfast -crf 26 -g 250 -sc_threshold 40 -c:a aac -b:a 64k -ac 1 -t "+d+" "+out)...)
	return out
}

// writeSlide writes a picture with what looks like lines of words, and a figure.
func writeSlide(t *testing.T, path string, random *rand.Rand) {
	t.Helper()
	slide := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	fill := func(r image.Rectangle, c color.Color) {
		draw.Draw(slide, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	fill(slide.Bounds(), color.White)
	for y := 130; y < 680; y += 30 {
		for x := 60; x < 700; {
			word := 10 + random.IntN(80)
			for letter := x; letter < x+word; letter += 8 {
				fill(image.Rect(letter, y+random.IntN(6), letter+2+random.IntN(4), y+14), color.Black)
			}
			x += word + 10
		}
	}
	for range 12 {
		x, y := 760+random.IntN(400), 140+random.IntN(400)
		fill(image.Rect(x, y, x+20+random.IntN(80), y+20+random.IntN(80)), color.RGBA{uint8(random.IntN(256)), uint8(random.IntN(256)), uint8(random.IntN(256)), 255})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, slide); err != nil {
		t.Fatal(err)
	}
}
