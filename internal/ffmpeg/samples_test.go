package ffmpeg

import (
	"crypto/md5"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg/ffmpegtest"
	"github.com/lectiospace/lectern/internal/media"
)

// sample is a recorded case of package mp4.
func sample(name string) string { return filepath.Join("..", "mp4", "testdata", name) }

// command runs ffmpeg, unlimited, for the making of samples.
func command(t testing.TB, args ...string) {
	t.Helper()
	full := append([]string{"-nostdin", "-v", "error", "-y"}, args...)
	if text, err := exec.Command("ffmpeg", full...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(full, " "), err, text)
	}
}

// encode makes a small real MP4 from inputs.
func encode(t testing.TB, name string, args ...string) string {
	t.Helper()
	args = append(args[:len(args):len(args)], "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac")
	data, err := ffmpegtest.Encode(filepath.Ext(name), args...)
	if err != nil {
		t.Fatal(err)
	}
	return fileOf(t, name, data)
}

// derived makes a file from another one without encoding it.
func derived(t testing.TB, in, name string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	command(t, append(append([]string{"-i", in, "-map", "0", "-c", "copy"}, args...), out)...)
	return out
}

// picture and sound are inputs.
func picture(size, seconds string) []string {
	return []string{"-f", "lavfi", "-i", "testsrc2=size=" + size + ":rate=10:duration=" + seconds}
}

func sound(seconds string) []string {
	return []string{"-f", "lavfi", "-i", "sine=frequency=440:duration=" + seconds}
}

func both(size, seconds string) []string { return append(picture(size, seconds), sound(seconds)...) }

// appended makes a file of another one and bytes behind it.
func appended(t testing.TB, in string, behind []byte) string {
	t.Helper()
	data, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	return fileOf(t, filepath.Base(in), append(data, behind...))
}

// fileOf makes a file of bytes.
func fileOf(t testing.TB, name string, data []byte) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(out, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// probed is what probe said of files, by their MD5.
var probed sync.Map

// probe is what a file holds. Most files are looked at several times by one test.
func probe(t testing.TB, path string) Info {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum(data)
	if info, ok := probed.Load(sum); ok {
		return info.(Info)
	}
	info, err := Tool{}.Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	probed.Store(sum, info)
	return info
}

// parts are files, probed.
func parts(t testing.TB, paths ...string) (out []Part) {
	t.Helper()
	for _, path := range paths {
		out = append(out, Part{path, probe(t, path)})
	}
	return out
}

func reasonOf(err error) string {
	var e *media.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func near(got, want, slack time.Duration) bool { return (got - want).Abs() <= slack }
