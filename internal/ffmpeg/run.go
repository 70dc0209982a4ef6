package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// limits bound one run of a program. Files come from outside: one of 1.5 kB can claim
// a table or a picture of gigabytes.
type limits struct {
	memory uint64        // address space, in bytes
	cpu    time.Duration // processor time of all threads
	wall   time.Duration // elapsed time
	idle   bool          // nobody waits for it: all else goes first
}

// copyMemory is enough for the index of a recording of ten hours, twice over.
const copyMemory = 1 << 30

// maxAlloc bounds a single allocation, in bytes: a picture of 8192 × 8192 needs 96 MiB.
const maxAlloc = "268435456"

var probeLimits = limits{memory: copyMemory, cpu: time.Minute, wall: 5 * time.Minute}

// copyLimits are for reading or copying media of a duration.
func copyLimits(d time.Duration) limits {
	cpu := 2*time.Minute + d/10
	return limits{memory: copyMemory, cpu: cpu, wall: 10*time.Minute + 2*d}
}

// encodeLimits are for encoding pictures of a size. A core encodes 1280 × 720 several
// times as fast as it plays, and 3840 × 2160 several times as slowly; a busy machine
// may leave ffmpeg, which is niced, a tenth of a core.
func encodeLimits(d time.Duration, pixels, parts int) limits {
	hd := 1 + time.Duration(pixels)/(1920*1080)
	cpu := 5*time.Minute + 10*d*hd
	memory := uint64(3<<30) + uint64(pixels)*256 + uint64(parts)*(64<<20)
	return limits{memory: memory, cpu: cpu, wall: 10 * cpu}
}

// niceness lets the services on the machine go first.
const niceness = 10

// idleNiceness is the lowest priority.
const idleNiceness = 19

// reading are the options, in front of each input, that open nothing but a local file
// of the MP4 family: without them a file that begins like a manifest or a playlist
// makes ffmpeg open what it names.
func reading(path string) []string {
	return []string{"-protocol_whitelist", "file", "-format_whitelist", "mov", "-f", "mov", "-i", "file:" + path}
}

// quiet are the options of ffmpeg that every run has.
var quiet = []string{"-nostdin", "-v", "error", "-y", "-max_alloc", maxAlloc}

// run runs a program and writes its standard output to out, which may be nil. There is
// no shell, no standard input, and little environment; the process dies with this one.
// It returns after the process has ended. An end by context is that error; a failure
// carries the end of the standard error, whose file names are of our making.
func (t Tool) run(ctx context.Context, op, program string, l limits, out io.Writer, args ...string) error {
	limited, cancel := context.WithTimeout(ctx, l.wall)
	defer cancel()
	cmd := exec.CommandContext(limited, program, args...)
	cmd.WaitDelay = 5 * time.Second
	// Secrets of this process are none of the program's. One malloc arena per thread
	// would claim 64 MiB of address space each.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LD_LIBRARY_PATH=" + os.Getenv("LD_LIBRARY_PATH"), "LC_ALL=C", "MALLOC_ARENA_MAX=2"}
	var problem tail
	cmd.Stdout, cmd.Stderr = out, &problem

	// The kernel sends the parent-death signal when the thread that started the process
	// ends; locked, this one lives until the process has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	isolate(cmd)
	if err := cmd.Start(); err != nil {
		switch {
		case ctx.Err() != nil:
			return media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
		case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
			return &media.Error{Kind: media.Unavailable, Op: op, Reason: ReasonMissing, Err: fmt.Errorf("the program %s is not installed", program)}
		}
		return media.Fault(media.Other, op, err)
	}
	limitErr := l.apply(cmd.Process.Pid)
	if limitErr != nil {
		_ = cmd.Process.Kill()
	}
	err := cmd.Wait()
	switch {
	case ctx.Err() != nil && err != nil:
		return media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	case limitErr != nil:
		return media.Fault(media.Other, op, limitErr)
	case err == nil:
		return nil
	}
	// ffmpeg ends by itself when its processor time is over.
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return failure(op, err, problem.String(), limited.Err() != nil || used >= l.cpu)
}

// failure classifies the end of a program that did not succeed.
func failure(op string, err error, problem string, expired bool) error {
	text := strings.ReplaceAll(strings.TrimSpace(problem), "\n", "; ")
	kind, reason := media.Corrupt, ReasonUnreadable
	var exit *exec.ExitError
	signal := syscall.Signal(0)
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			signal = status.Signal()
		}
	}
	switch {
	case strings.Contains(text, syscall.ENOSPC.Error()) || strings.Contains(text, "No space left on device"):
		kind, reason, err = media.Unavailable, ReasonDiskFull, errors.Join(err, syscall.ENOSPC)
	case expired, errors.Is(err, errTooMuchOutput), signal == syscall.SIGKILL, signal == syscall.SIGXCPU,
		strings.Contains(text, "Cannot allocate memory"), strings.Contains(text, "malloc of size"):
		reason = ReasonTooExpensive
	}
	return &media.Error{Kind: kind, Op: op, Reason: reason, Err: fmt.Errorf("%w: %s", err, text)}
}

// tailSize is how much of a program's standard error is kept.
const tailSize = 400

// tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	more bool
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > tailSize {
		p, t.more = p[len(p)-tailSize:], true
	}
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept, t.more = slices.Delete(t.kept, 0, over), true
	}
	return n, nil
}

func (t *tail) String() string {
	if t.more {
		return "… " + strings.ToValidUTF8(string(t.kept), "")
	}
	return string(t.kept)
}

var errTooMuchOutput = errors.New("the program wrote too much")

// bounded is a buffer that refuses to grow beyond a size.
type bounded struct {
	kept []byte
	max  int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.kept)+len(p) > b.max {
		return 0, errTooMuchOutput
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}

// lines calls a function with every line that is written to it. A line longer than
// 4 KiB is passed in pieces.
type lines struct {
	f       func(line string)
	partial []byte
}

func (l *lines) Write(p []byte) (int, error) {
	for _, c := range p {
		if c == '\n' || len(l.partial) == 4096 {
			l.f(string(l.partial))
			l.partial = l.partial[:0]
		}
		if c != '\n' {
			l.partial = append(l.partial, c)
		}
	}
	return len(p), nil
}
