package subprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// The errors of Run and Stream, beside Failure, the context's, and those of a program that
// cannot be started.
var (
	// ErrTooMuchOutput: the program wrote more than MaxOutput.
	ErrTooMuchOutput = errors.New("the program wrote too much")
	// ErrTooLong: the program did not end within Timeout.
	ErrTooLong = errors.New("the program did not end in time")
	// ErrNotStarted: the program is there and cannot be started, or lacks a library, or its limits cannot be
	// set. It is also what a program says of itself by the exit status 126 or 127.
	ErrNotStarted = errors.New("the program cannot be started")
)

// The exit statuses by which a shell says that it could not become the program (POSIX, Shell Command
// Language, 2.8.2), and a dynamic loader that a library is missing.
const (
	statusNotExecutable = 126
	statusNotFound      = 127
)

// Failure is the end of a program that did not succeed.
type Failure struct {
	Err error // an *exec.ExitError, and ErrNotStarted where that is why
	// Stderr is the end of its standard error, in one line.
	Stderr string
	// Processor is the processor time that it and what it had waited for took.
	Processor time.Duration
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Stderr == "" {
		return f.Err.Error()
	}
	return f.Err.Error() + ": " + f.Stderr
}

// Unwrap returns Err.
func (f *Failure) Unwrap() error { return f.Err }

// Command is a program to run. Its standard input is empty.
type Command struct {
	// Args are the program and its arguments.
	Args []string
	// Dir is the working directory; "" = this process's.
	Dir string
	// Env is its environment; nil = a little one without secrets, whose temporary files are
	// in Dir.
	Env []string
	// Timeout bounds the elapsed time.
	Timeout time.Duration
	// Processor bounds the processor time of each of its processes; 0 = unbounded.
	Processor time.Duration
	// Memory bounds the address space of each of its processes, in bytes; 0 = unbounded.
	Memory uint64
	// MaxOutput bounds the standard output, in bytes; 0 = unbounded.
	MaxOutput int
	// Niceness is its priority; 0 = the lowest, 19.
	Niceness int
	// Alone says that it starts no other program. Of others the whole process group is killed:
	// at the program's end, at a limit, and with this process.
	Alone bool
}

// Run runs the program and returns its standard output. When it returns, nothing of the
// program is left: it is killed at the end of the context, which is that error, and with this
// process.
func (c Command) Run(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	if err := c.Stream(ctx, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Stream is Run, but the standard output is written to out as it comes; nil = discarded.
func (c Command) Stream(ctx context.Context, out io.Writer) error {
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, ErrTooLong)
	defer cancel()
	limited, stop := context.WithCancelCause(limited)
	defer stop(nil)
	if c.MaxOutput > 0 {
		out = &bounded{to: out, left: c.MaxOutput, full: func() { stop(ErrTooMuchOutput) }}
	}
	program, err := c.find() // else the shell would look for it, in places of its own
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	args, err := c.limited(program)
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	problem := &tail{}
	cmd := exec.CommandContext(limited, args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, c.environment(), out, problem
	cmd.WaitDelay = 2 * time.Second
	if !c.Alone {
		cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	}

	// The kernel sends the parent-death signal when the thread that started the process ends;
	// locked, this one lives until the process has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	isolate(cmd, c.Alone)
	if err := cmd.Start(); err != nil {
		return errors.Join(context.Cause(ctx), fmt.Errorf("%w: %s", ErrNotStarted, err.Error())) // a missing shell is no missing program
	}
	if err := c.lowerPriority(cmd.Process.Pid); err != nil {
		stop(err)
	}
	err = c.wait(cmd, stop)
	if cause := context.Cause(limited); err != nil && cause != nil {
		return cause
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status := exit.ExitCode(); status == statusNotExecutable || status == statusNotFound {
			err = fmt.Errorf("%w: %w", ErrNotStarted, err)
		}
		return &Failure{err, problem.String(), exit.UserTime() + exit.SystemTime()}
	}
	return err
}

// wait waits for the program and, where it may have started others, ends these.
func (c Command) wait(cmd *exec.Cmd, stop context.CancelCauseFunc) error {
	if c.Alone {
		return cmd.Wait()
	}
	watched, err := watchGroup(cmd.Process.Pid)
	defer watched()
	if err != nil {
		stop(err)
	}
	if err = cmd.Wait(); errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has ended well, and what it has left running keeps its output open
	}
	return errors.Join(err, killGroup(cmd.Process.Pid))
}

// environment are the variables that a program gets: secrets are none of its business.
func (c Command) environment() []string {
	if c.Env != nil {
		return c.Env
	}
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
	_, err := c.find()
	return err
}

// find is the absolute path of the program, which a relative one has from this process's directory.
func (c Command) find() (string, error) {
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// bounded passes on what is written to it up to a size, beyond which it calls full.
type bounded struct {
	to   io.Writer // nil = discarded
	left int
	full func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		b.full()
		return 0, ErrTooMuchOutput
	}
	if b.to == nil {
		return len(p), nil
	}
	return b.to.Write(p)
}

// tailSize is how much of a program's standard error is kept.
const tailSize = 400

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte // guarded by mu
	more bool   // something came before; guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept, t.more = slices.Delete(t.kept, 0, over), true
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.ReplaceAll(strings.TrimSpace(strings.ToValidUTF8(string(t.kept), "")), "\n", "; ")
	if t.more {
		return "… " + text
	}
	return text
}
