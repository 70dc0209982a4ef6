package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/subprocess"
)

// limits bound one run of a program. Files come from outside: one of 1.5 kB can claim
// a table or a picture of gigabytes.
type limits struct {
	memory uint64        // address space, in bytes
	cpu    time.Duration // processor time of all threads
	wall   time.Duration // elapsed time
	output int           // standard output, in bytes; 0 = unbounded
}

// copyMemory is enough for the index of a recording of ten hours, twice over.
const copyMemory = 1 << 30

// maxAlloc bounds a single allocation, in bytes: a picture of 8192 × 8192 needs 96 MiB.
const maxAlloc = "268435456"

var probeLimits = limits{memory: copyMemory, cpu: time.Minute, wall: 5 * time.Minute, output: maxProbeOutput}

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

// reading are the options, in front of each input, that open nothing but a local file
// of the MP4 family: without them a file that begins like a manifest or a playlist
// makes ffmpeg open what it names.
func reading(path string) []string {
	return []string{"-protocol_whitelist", "file", "-format_whitelist", "mov", "-f", "mov", "-i", "file:" + path}
}

// quiet are the options of ffmpeg that every run has.
var quiet = []string{"-nostdin", "-v", "error", "-y", "-max_alloc", maxAlloc}

// run runs a program and writes its standard output to out, which may be nil. An end by
// context is that error; a failure carries the end of the standard error, whose file names
// are of our making.
func (t Tool) run(ctx context.Context, op, program string, l limits, out io.Writer, args ...string) error {
	err := subprocess.Command{
		Args: append([]string{program}, args...), Env: environment(),
		Timeout: l.wall, Processor: l.cpu, Memory: l.memory, MaxOutput: l.output, Niceness: t.niceness(), Alone: true,
	}.Stream(ctx, out)
	var failed *subprocess.Failure
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return &media.Error{Kind: media.Unavailable, Op: op, Reason: ReasonMissing, Err: fmt.Errorf("the program %s is not installed", program)}
	case errors.Is(err, subprocess.ErrNotStarted):
		return &media.Error{Kind: media.Unavailable, Op: op, Reason: ReasonMissing, Err: fmt.Errorf("%s: %w", program, err)}
	case errors.Is(err, subprocess.ErrTooLong), errors.Is(err, subprocess.ErrTooMuchOutput):
		return &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonTooExpensive, Err: err}
	case errors.As(err, &failed):
		// ffmpeg ends by itself when its processor time is over. Linux counts the time that it
		// bounds by ticks, and what it reports afterwards by a finer clock: they differ a little.
		return failure(op, failed, failed.Processor >= l.cpu-l.cpu/10)
	default:
		return media.Fault(media.Other, op, err)
	}
}

// environment: secrets of this process are none of the program's. One malloc arena for each
// thread would claim 64 MiB of address space each.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LD_LIBRARY_PATH=" + os.Getenv("LD_LIBRARY_PATH"), "LC_ALL=C", "MALLOC_ARENA_MAX=2"}
}

// failure classifies the end of a program that did not succeed.
func failure(op string, failed *subprocess.Failure, expired bool) error {
	kind, reason, err := media.Corrupt, ReasonUnreadable, error(failed)
	var exit *exec.ExitError
	signal := syscall.Signal(0)
	if errors.As(failed, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			signal = status.Signal()
		}
	}
	switch text := failed.Stderr; {
	case strings.Contains(text, syscall.ENOSPC.Error()) || strings.Contains(text, "No space left on device"):
		kind, reason, err = media.Unavailable, ReasonDiskFull, errors.Join(failed, syscall.ENOSPC)
	case expired, signal == syscall.SIGKILL, signal == syscall.SIGXCPU,
		strings.Contains(text, "Cannot allocate memory"), strings.Contains(text, "malloc of size"):
		reason = ReasonTooExpensive
	}
	return &media.Error{Kind: kind, Op: op, Reason: reason, Err: err}
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
