package syncertest

import (
	"context"
	"crypto/md5"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/lectiospace/lectern/internal/emulator"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/ffmpeg/ffmpegtest"
)

// inFront has ffmpeg write the index in front of the media, as Zoom does: such a file is
// archived as it is.
var inFront = []string{"-movflags", "+faststart"}

func mustEncode(t *testing.T, args ...string) emulator.Content {
	t.Helper()
	data, err := ffmpegtest.Encode(".mp4", args...)
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Bytes(data)
}

// clip are the arguments that make the clip of the tests.
var clip = []string{
	"-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=2", "-f", "lavfi", "-i", "sine=frequency=440:duration=2",
	"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest",
}

// Clip is a small real MP4 with its index in front.
func Clip() ([]byte, error) {
	return ffmpegtest.Encode(".mp4", append(clip[:len(clip):len(clip)], inFront...)...)
}

// Video is Clip as content of the emulated Zoom's.
func Video(t *testing.T) emulator.Content {
	t.Helper()
	return mustEncode(t, append(clip[:len(clip):len(clip)], inFront...)...)
}

// IndexBehind is Clip with its index behind the media: it is copied into another file before
// it is archived.
func IndexBehind(t *testing.T) emulator.Content {
	t.Helper()
	return mustEncode(t, clip...)
}

// Encode makes a video of so many seconds with sound, in a codec that ffmpeg knows by
// that name.
func Encode(t *testing.T, seconds int, codec string) emulator.Content {
	t.Helper()
	args := []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=160x90:rate=5:duration=%d", seconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:duration=%d", seconds), "-c:v", codec, "-c:a", "aac"}
	return mustEncode(t, append(args, inFront...)...)
}

// Noise is a video of about 6 MB.
func Noise(t *testing.T) emulator.Content {
	t.Helper()
	args := []string{"-f", "lavfi", "-i", "color=gray:size=640x360:rate=25:duration=0.5,noise=alls=100:allf=t",
		"-f", "lavfi", "-i", "sine=duration=0.5", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-c:a", "aac", "-shortest"}
	return mustEncode(t, append(args, inFront...)...)
}

// rememberingTool remembers what was said of the same bytes: most tests archive the same
// clip, and most of their time would be the starts of ffprobe.
type rememberingTool struct{ ffmpeg.Tool }

// probed is an Info by the MD5 of the file that it describes and the Tool that said so.
var probed sync.Map

// versions are the versions of the Tools.
var versions sync.Map

// Version is the Tool's. It is remembered where the programs are the machine's: those of a test
// may change.
func (r rememberingTool) Version(ctx context.Context) (string, error) {
	if r.FFmpeg != "" || r.FFprobe != "" {
		return r.Tool.Version(ctx)
	}
	if known, ok := versions.Load(r.Tool); ok {
		return known.(string), nil
	}
	version, err := r.Tool.Version(ctx)
	if err == nil {
		versions.Store(r.Tool, version)
	}
	return version, err
}

// Probe is the Tool's. What it refuses is not remembered.
func (r rememberingTool) Probe(ctx context.Context, path string) (ffmpeg.Info, error) {
	type key struct {
		tool ffmpeg.Tool
		sum  [md5.Size]byte
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return r.Tool.Probe(ctx, path)
	}
	of := key{r.Tool, md5.Sum(data)}
	if known, ok := probed.Load(of); ok {
		return known.(ffmpeg.Info), nil
	}
	info, err := r.Tool.Probe(ctx, path)
	if err == nil {
		probed.Store(of, info)
	}
	return info, err
}
