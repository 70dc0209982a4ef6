package pictures_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// TestCost measures what the pictures of a recording cost: 1280 × 720 at 25 pictures a second
// with a keyframe each 2 s and all of it moving, which compresses worse than a lesson. Minutes
// are in PREVIEWS_MINUTES; `make previews` takes 120.
func TestCost(t *testing.T) {
	minutes, err := strconv.Atoi(os.Getenv("PREVIEWS_MINUTES"))
	once := 60 // seconds, which are repeated
	if err != nil {
		minutes, once = 1, 20 // to encode a minute takes long
	}
	minute := video(t, fmt.Sprintf("testsrc2=s=1280x720:r=25:d=%d", once), "-g", "50")
	path := filepath.Join(t.TempDir(), "lesson.mp4")
	command(t, "-stream_loop", strconv.Itoa(minutes-1), "-i", minute, "-c", "copy", "-movflags", "+faststart", path)
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
	hours := (minutes + 59) / 60
	t.Logf("together %.1f kB for each started hour and %.2f %% of the recording's time", float64(bytes)/1e3/float64(hours), 100*(processorTime(t)-began).Seconds()/src.Info.Duration.Seconds())
	if bytes > int64(hours)*400_000 {
		t.Errorf("%d bytes are more than 400 kB for each started hour", bytes)
	}
}
