package ffmpeg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMeasureRenditions prints what the sound and the low rendition of a lesson cost, and
// that both keep to their bounds. `make renditions` runs it on a long lesson.
func TestMeasureRenditions(t *testing.T) {
	lesson := os.Getenv("FFMPEG_LESSON")
	if lesson == "" {
		minutes, err := strconv.ParseFloat(os.Getenv("FFMPEG_LESSON_MINUTES"), 64)
		if err != nil {
			minutes = .1
		}
		lesson = screen(t, time.Duration(minutes*float64(time.Minute)))
	}
	info, err := Tool{}.Probe(t.Context(), lesson)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the lesson: %v, %d x %d, %.1f frames/s, %d kbit/s", info.Duration, info.Video.Width, info.Video.Height, info.Video.AverageRate.Float(), info.BitRate/1000)
	for _, c := range []struct {
		name string
		make func(context.Context, string, Info, string) (Made, error)
		most float64 // bit/s
	}{
		{"sound.m4a", Tool{}.Sound, float64(soundBound(info.onlySound())) * 8 / info.Duration.Seconds()},
		{"low.mp4", Tool{}.Low, MaxLowBitRate},
	} {
		before := childrenTime(t)
		made, err := c.make(t.Context(), lesson, info, filepath.Join(t.TempDir(), c.name))
		if err != nil {
			t.Fatal(err)
		}
		cost := childrenTime(t) - before
		t.Logf("%s: %s, %.1f kbit/s, %.1f MB an hour; %.1f s of processor time for an hour, with its checks (%.2f %%)", c.name, made.Method,
			made.bitRate()/1000, made.bitRate()*3600/8e6, cost.Seconds()*float64(time.Hour)/float64(info.Duration), 100*cost.Seconds()/info.Duration.Seconds())
		if made.bitRate() > c.most {
			t.Errorf("%s: %.0f bit/s, want at most %.0f", c.name, made.bitRate(), c.most)
		}
	}
}

// childrenTime is the processor time of the programs that have ended.
func childrenTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// screen records a screen as Zoom does: pages of text that change each 20 s and are scrolled
// for a third of the time, with a moving inset, and noise of the level of speech.
func screen(t *testing.T, length time.Duration) string {
	t.Helper()
	var page strings.Builder
	for i := range 400 {
		fmt.Fprintf(&page, "%3d  func measure_%d(x float64) float64 { return x*%d.%d + offset[%d] } // line %d of the lesson\n", i, i*7919%1000, i%13, i*31%100, i*17%64, i)
	}
	text := fileOf(t, "page.txt", []byte(page.String()))
	y := "if(lt(mod(t,60),40),30-floor(mod(t,400)/20)*400,30-mod(t,60)*60)"
	out := filepath.Join(t.TempDir(), "screen.mp4")
	command(t, "-f", "lavfi", "-i", "color=c=white:s=1280x720:r=25", "-f", "lavfi", "-i", "testsrc2=s=240x136:r=25",
		"-f", "lavfi", "-i", "anoisesrc=color=pink:amplitude=0.2:r=32000",
		"-filter_complex", "[0:v]drawtext=textfile="+text+":font=Mono:fontsize=18:line_spacing=4:x=30:y='"+y+"'[s];[s][1:v]overlay=W-w-10:10[v]",
		"-map", "[v]", "-map", "2:a", "-t", seconds(length), "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "800k", "-maxrate", "2M", "-bufsize", "4M", "-g", "250",
		"-c:a", "aac", "-ac", "1", "-b:a", "64k", "-movflags", "+faststart", out)
	return out
}
