package ffmpeg

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o600) }

// TestRunLimits reads the limits from within the process, which waits for them.
func TestRunLimits(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out strings.Builder
	l := limits{memory: 300 << 20, cpu: 7 * time.Second, wall: time.Minute}
	err := Tool{}.run(ctx, "test", "sh", l, &out, "-c", `until [ "$(nice)" = 10 ]; do :; done; ulimit -v; ulimit -t; ulimit -c; env`)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "307200\n7\n0\n") {
		t.Errorf("limits: %q", out.String())
	}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n")[3:] {
		switch name, _, _ := strings.Cut(line, "="); name {
		case "PATH", "LD_LIBRARY_PATH", "LC_ALL", "MALLOC_ARENA_MAX", "PWD", "SHLVL", "_", "OLDPWD":
		default:
			t.Errorf("the environment holds %s", name)
		}
	}
}

// TestIdle: every program of an idle Tool runs with the lowest priority.
func TestIdle(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	script := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nuntil [ \"$(nice)\" = 19 ]; do :; done\necho idle\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if version, err := (Tool{FFmpeg: script, FFprobe: script, Idle: true}).Version(ctx); err != nil || version != "idle" {
		t.Errorf("%q, %v", version, err)
	}
}

func TestRunReachesLimits(t *testing.T) {
	for _, c := range []struct {
		name    string
		l       limits
		program string
		args    []string
	}{
		{"processor time", limits{memory: 1 << 30, cpu: time.Second, wall: time.Minute}, "sh", []string{"-c", "while :; do :; done"}},
		{"processor time, and ffmpeg ends by itself", limits{memory: 1 << 30, cpu: time.Second, wall: time.Minute}, "ffmpeg", []string{"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360", "-c:v", "mpeg4", "-f", "null", "-"}},
		{"elapsed time", limits{memory: 1 << 30, cpu: time.Minute, wall: 300 * time.Millisecond}, "tail", []string{"-f", "/dev/null"}},
		{"memory", limits{memory: 400 << 20, cpu: time.Minute, wall: time.Minute}, "ffmpeg", []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=8192x8192:d=1", "-c:v", "mpeg4", "-f", "null", "-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Tool{}.run(t.Context(), "test", c.program, c.l, nil, c.args...)
			if media.KindOf(err) != media.Corrupt || reasonOf(err) != ReasonTooExpensive {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestRunDiesWithParent: killed hard, this process leaves no ffmpeg behind.
func TestRunDiesWithParent(t *testing.T) {
	if fifo := os.Getenv("FFMPEG_TEST_PARENT"); fifo != "" {
		_ = Tool{}.run(t.Context(), "test", "sh", probeLimits, nil, "-c", "echo $$ >"+fifo+"; exec tail -f /dev/null")
		return
	}
	fifo := t.TempDir() + "/pid"
	if err := mkfifo(fifo); err != nil {
		t.Skip(err)
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestRunDiesWithParent$")
	parent.Env = append(os.Environ(), "FFMPEG_TEST_PARENT="+fifo)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	// A handle on the process, taken while it lives, is readable when it has ended.
	handle, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			_ = handle.Kill()
			t.Fatal("the program lives on")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// alive reports whether a process runs; one that ended and was not waited for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
