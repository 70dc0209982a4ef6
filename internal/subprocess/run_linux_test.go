package subprocess

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shell is a command that a shell runs, as an operator may configure one.
func shell(t *testing.T, script string) Command {
	t.Helper()
	return Command{Args: []string{"sh", "-c", script}, Dir: t.TempDir(), Timeout: time.Minute, MaxOutput: 1 << 20}
}

// TestRun reads limits and environment from within the process, which waits for them.
func TestRun(t *testing.T) {
	t.Setenv("SECRET", "not to be seen")
	c := shell(t, `until [ "$(nice)" = 19 ]; do :; done; ulimit -v; ulimit -c; pwd; wc -c; env`)
	c.Memory = 300 << 20
	out, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	if lines[0] != "307200" || lines[1] != "0" || lines[2] != c.Dir || strings.TrimSpace(lines[3]) != "0" {
		t.Errorf("limits, directory and length of the input: %q", lines[:4])
	}
	if !strings.Contains(string(out), "TMPDIR="+c.Dir) || strings.Contains(string(out), "SECRET") {
		t.Errorf("environment: %q", lines[4:])
	}
}

// TestLimitsFromTheBeginning: the limits hold when the program begins, also where this process has to wait for
// a processor meanwhile.
func TestLimitsFromTheBeginning(t *testing.T) {
	var group sync.WaitGroup
	for range 16 {
		c := shell(t, `ulimit -v; ulimit -c; ulimit -S -t; ulimit -H -t`)
		c.Memory, c.Processor = 300<<20, 1500*time.Millisecond
		group.Go(func() {
			for range 15 {
				out, err := c.Run(t.Context())
				if want := "307200\n0\n2\n7\n"; err != nil || string(out) != want {
					t.Errorf("limits %q, %v, want %q", out, err, want)
					return
				}
			}
		})
	}
	group.Wait()
}

// interpretedBy is a script that names its interpreter.
func interpretedBy(t *testing.T, interpreter string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!"+interpreter+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRelativeProgram: a relative program is found from this process's directory, as Check finds it.
func TestRelativeProgram(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("program", []byte("#!/bin/sh\npwd\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := Command{Args: []string{"./program"}, Dir: t.TempDir(), Timeout: time.Minute}
	if out, err := c.Run(t.Context()); err != nil || strings.TrimSpace(string(out)) != c.Dir || c.Check() != nil {
		t.Errorf("%q, %v, %v", out, err, c.Check())
	}
}

func TestRunFails(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		script string
		change func(*Command)
		want   error // nil: text
		text   string
	}{
		{"a failure", t.Context(), "echo out; echo no model >&2; exit 3", nil, nil, "exit status 3: no model"},
		{"a failure without words", t.Context(), "exit 3", nil, nil, "exit status 3"},
		{"an end by a signal", t.Context(), "kill -9 $$", nil, nil, "signal: killed"},
		{"no program", t.Context(), "", func(c *Command) { c.Args[0] = "/nowhere/whisper" }, os.ErrNotExist, ""},
		{"a missing interpreter", t.Context(), "", func(c *Command) { c.Args[0] = interpretedBy(t, "/nowhere/python") }, ErrNotStarted, ""},
		{"a directory as interpreter", t.Context(), "", func(c *Command) { c.Args[0] = interpretedBy(t, t.TempDir()) }, ErrNotStarted, ""},
		{"no working directory", t.Context(), "", func(c *Command) { c.Dir += "/nowhere" }, ErrNotStarted, ""},
		{"too much output", t.Context(), "yes", func(c *Command) { c.MaxOutput = 1000 }, ErrTooMuchOutput, ""},
		{"too long", t.Context(), "exec tail -f /dev/null", func(c *Command) { c.Timeout = 50 * time.Millisecond }, ErrTooLong, ""},
		{"canceled", canceled, "exec tail -f /dev/null", nil, context.Canceled, ""},
		{"too much memory", t.Context(), "exec dd if=/dev/zero of=/dev/null bs=200M count=1", func(c *Command) { c.Memory = 100 << 20 }, nil, "exit status 1: dd: memory exhausted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := shell(t, c.script)
			if c.change != nil {
				c.change(&command)
			}
			out, err := command.Run(c.ctx)
			if c.want != nil && !errors.Is(err, c.want) || c.want == nil && (err == nil || !strings.HasPrefix(err.Error(), c.text)) || out != nil {
				t.Errorf("%q, %v, want %v%q", out, err, c.want, c.text)
			}
		})
	}
}

// TestRunLeavesNoProcess: what a program has started ends with it, at its own end and at a
// limit, also where it keeps the standard output open.
func TestRunLeavesNoProcess(t *testing.T) {
	for _, c := range []struct {
		name, output, end string
		want              error
	}{
		{"at its end", "/dev/null", "exit 0", nil},
		{"at its end, with its output open", "&1", "exit 0", nil},
		{"at a limit", "/dev/null", "wait", ErrTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pid")
			command := shell(t, "tail -f /dev/null >"+c.output+" 2>&1 & echo $! >"+pids+"; echo out; "+c.end)
			if c.want != nil {
				command.Timeout = time.Second
			}
			if out, err := command.Run(t.Context()); !errors.Is(err, c.want) || err == nil && string(out) != "out\n" {
				t.Fatalf("%q, %v", out, err)
			}
			text, err := os.ReadFile(pids)
			if err != nil {
				t.Fatal(err)
			}
			awaitEnd(t, strings.TrimSpace(string(text)))
		})
	}
}

// TestRunDiesWithParent: killed hard, this process leaves no program behind, and nothing that
// the program has started.
func TestRunDiesWithParent(t *testing.T) {
	if fifo := os.Getenv("SUBPROCESS_TEST_PARENT"); fifo != "" {
		_, _ = shell(t, "tail -f /dev/null >/dev/null 2>&1 & echo $$ $! >"+fifo+"; wait").Run(context.Background())
		return
	}
	fifo := filepath.Join(t.TempDir(), "pid")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestRunDiesWithParent$")
	parent.Env = append(os.Environ(), "SUBPROCESS_TEST_PARENT="+fifo)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for pid := range strings.FieldsSeq(string(text)) {
		awaitEnd(t, pid)
	}
}

// awaitEnd fails the test when a process lives on.
func awaitEnd(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); alive(n); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(n, syscall.SIGKILL)
			t.Fatalf("process %d lives on", n)
		}
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
