package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// raceFlags are the flags of the builds of test/e2e, whose compiled packages are in Go's
// cache when scripts/test runs both.
var raceFlags = map[bool][]string{true: {"-race"}}

// testRelease is a release of both programs as the suite builds them, for this machine's
// architecture. What packaging's own builds add is for TestReproducible.
var testRelease = sync.OnceValues(func() (*release, error) {
	dir, err := os.MkdirTemp("", "lectern-packaging-test-")
	if err != nil {
		return nil, err
	}
	binaries := filepath.Join(dir, "bin")
	args := append([]string{"build", "-ldflags=-s -w", "-o", binaries + "/"}, raceFlags[os.Getenv("CGO_ENABLED") == "1"]...)
	cmd := exec.Command("go", append(args, "./cmd/...")...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	o := options{source: "..", architectures: []string{runtime.GOARCH}, binaries: binaries}
	cleanup = append(cleanup, func() { os.RemoveAll(dir) })
	r, err := newRelease(context.Background(), o, dir)
	if err == nil {
		r.level = gzip.NoCompression // which costs most of the time
	}
	return r, err
})

// cleanup is what remains to be done after all tests.
var cleanup []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range cleanup {
		f()
	}
	os.Exit(code)
}

func fixture(t *testing.T) *release {
	t.Helper()
	r, err := testRelease()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// written writes files of one kind twice, and returns the folder with the first ones. Both
// have the same bytes.
func written(t *testing.T, r *release, write kind) (dir string, names []string) {
	t.Helper()
	dir = t.TempDir()
	for _, into := range []string{dir, t.TempDir()} {
		var err error
		if names, err = write(r, into); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if first := read(t, filepath.Join(dir, name)); string(first) != string(read(t, filepath.Join(into, name))) {
				t.Errorf("%s is not the same when it is written again", name)
			}
		}
	}
	return dir, names
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// command runs a program that must succeed, and returns its output.
func command(t *testing.T, dir, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var errs strings.Builder
	cmd.Stderr = &errs
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}
