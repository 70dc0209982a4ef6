// Package ffmpegtest has what tests with real media share: files that ffmpeg encodes once, and
// programs that record their calls.
package ffmpegtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// encoded has a function for each file that was requested, by its extension and the arguments of ffmpeg.
var encoded sync.Map

// Encode returns the file that ffmpeg writes by args, which do not name it. ext is its extension, as
// ".mp4", which decides on the format. It runs ffmpeg once for equal arguments. It is safe for
// concurrent use; the bytes are the caller's.
func Encode(ext string, args ...string) ([]byte, error) {
	key := ext + "\n" + strings.Join(args, "\n")
	once, _ := encoded.LoadOrStore(key, sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "lectern-media-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		out := filepath.Join(dir, "out"+ext)
		if text, err := exec.Command("ffmpeg", slices.Concat([]string{"-nostdin", "-v", "error"}, args, []string{out})...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ffmpeg %q: %w\n%s", args, err, text)
		}
		return os.ReadFile(out)
	}))
	data, err := once.(func() ([]byte, error))()
	return slices.Clone(data), err
}

// Recorded returns the path of a program that runs another one, as "ffprobe", with the same arguments,
// and a function that returns the last argument of each call so far.
func Recorded(t testing.TB, program string) (path string, calls func() []string) {
	t.Helper()
	dir := t.TempDir()
	path, log := filepath.Join(dir, program), filepath.Join(dir, "calls")
	script := "#!/bin/sh\nfor last; do :; done\necho \"$last\" >>'" + log + "'\nexec " + program + " \"$@\"\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, func() []string {
		t.Helper()
		text, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Fields(string(text))
	}
}
