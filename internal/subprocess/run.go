package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// The errors of Run, beside those of the program, which carry the end of its standard error.
var (
	// ErrTooMuchOutput: the program wrote more than MaxOutput.
	ErrTooMuchOutput = errors.New("the program wrote too much")
	// ErrTooLong: the program did not end within Timeout.
	ErrTooLong = errors.New("the program did not end in time")
)

// Command is a program to run.
type Command struct {
	// Args are the program and its arguments.
	Args []string
	// Dir is the working directory, in which its temporary files are too.
	Dir string
	// Timeout bounds the elapsed time.
	Timeout time.Duration
	// Memory bounds the address space of each of its processes, in bytes; 0 = unbounded.
	Memory uint64
	// MaxOutput bounds the standard output, in bytes.
	MaxOutput int
}

// Run runs the program, at the lowest priority, and returns its standard output. Its standard
// input is empty. When Run returns, no process of the program's group is left: it is killed at
// its end, at the end of the context, which is that error, and with this process.
func (c Command) Run(ctx context.Context) ([]byte, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, ErrTooLong)
	defer cancel()
	limited, stop := context.WithCancelCause(limited)
	defer stop(nil)
	out, problem := &bounded{max: c.MaxOutput, full: func() { stop(ErrTooMuchOutput) }}, &tail{}
	cmd := exec.CommandContext(limited, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, out, problem
	cmd.Env = c.environment()
	cmd.WaitDelay = 2 * time.Second
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }

	// The kernel sends the parent-death signal when the thread that started the process ends;
	// locked, this one lives until the process has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	isolate(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	watched, watchErr := watchGroup(cmd.Process.Pid)
	defer watched()
	if err := errors.Join(watchErr, c.limit(cmd.Process.Pid)); err != nil {
		stop(err)
	}
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has ended well, and what it has left running keeps its output open
	}
	// What it has left running in its group ends with it.
	killed := killGroup(cmd.Process.Pid)
	switch cause := context.Cause(limited); {
	case cause != nil:
		return nil, cause
	case err != nil && problem.String() != "":
		return nil, fmt.Errorf("%w: %s", err, problem)
	case err != nil:
		return nil, err
	}
	return out.kept, killed
}

// environment are the variables that a program gets: secrets are none of its business.
func (c Command) environment() []string {
	env := []string{"TMPDIR=" + c.Dir}
	for _, v := range []struct{ name, value string }{
		{"PATH", os.Getenv("PATH")}, {"LD_LIBRARY_PATH", os.Getenv("LD_LIBRARY_PATH")}, {"HOME", os.Getenv("HOME")},
		{"LANG", os.Getenv("LANG")}, {"LC_ALL", os.Getenv("LC_ALL")}, {"TZ", os.Getenv("TZ")},
	} {
		if v.value != "" {
			env = append(env, v.name+"="+v.value)
		}
	}
	return env
}

// Check reports whether the program can be started.
func (c Command) Check() error {
	_, err := exec.LookPath(c.Args[0])
	return err
}

// bounded is a buffer that calls full instead of growing beyond a size.
type bounded struct {
	kept []byte
	max  int
	full func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.kept)+len(p) > b.max {
		b.full()
		return 0, ErrTooMuchOutput
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}

// tailSize is how much of a program's standard error is kept.
const tailSize = 400

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailSize):]...)
	t.kept = slices.Delete(t.kept, 0, max(0, len(t.kept)-tailSize))
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ReplaceAll(strings.TrimSpace(strings.ToValidUTF8(string(t.kept), "")), "\n", "; ")
}
