// Package transcribe has an operator's program for speech recognition write what is said in a
// sound.
package transcribe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/subprocess"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// maxTranscript bounds what the program prints, in bytes: as much as a teacher may send.
const maxTranscript = 2 << 20

// The reasons of failures, in media.Error.Reason.
const (
	// ReasonFailed: the program cannot be started, or ended with a failure.
	ReasonFailed = "transcribe_failed"
	// ReasonTooExpensive: the program reached a limit of time or output.
	ReasonTooExpensive = "transcribe_too_expensive"
	// ReasonNotCaptions: what the program printed is no valid WebVTT.
	ReasonNotCaptions = "transcribe_not_webvtt"
)

// Program is a program that is run with the path of a sound as its last argument, prints
// WebVTT and ends with 0. The zero value is none. Safe for concurrent use.
type Program struct {
	args   []string
	memory uint64
}

// ParseProgram reads a command line as subprocess.Split does; "" is no program. memory bounds
// the address space of each of its processes, in bytes.
func ParseProgram(line string, memory uint64) (Program, error) {
	args, err := subprocess.Split(line)
	if err == nil && len(args) > 0 && args[0] == "" {
		err = errors.New("the program has no name")
	}
	return Program{args, memory}, err
}

// IsNone reports whether there is no program.
func (p Program) IsNone() bool { return len(p.args) == 0 }

// Check reports whether the program can be started.
func (p Program) Check() error { return subprocess.Command{Args: p.args}.Check() }

// timeout bounds how long a sound of a duration is worked on.
func timeout(d time.Duration) time.Duration { return 10*time.Minute + 4*d }

// Transcribe returns what is said in the sound at a path, which lasts d. The program's
// temporary files are in the directory of the sound. Kind Canceled: the context ended. Kind
// Unavailable: the program is gone or cannot be started, or this machine has no room for what it writes. Kind
// Invalid, with one of this package's reasons: the program failed.
func (p Program) Transcribe(ctx context.Context, sound string, d time.Duration) (webvtt.Track, error) {
	out, err := subprocess.Command{
		Args: append(p.args[:len(p.args):len(p.args)], sound), Dir: filepath.Dir(sound), Timeout: timeout(d), Memory: p.memory, MaxOutput: maxTranscript,
	}.Run(ctx)
	switch {
	case ctx.Err() != nil:
		return webvtt.Track{}, media.Fault(media.KindOf(ctx.Err()), "transcribe", ctx.Err())
	case errors.Is(err, subprocess.ErrTooLong), errors.Is(err, subprocess.ErrTooMuchOutput):
		return webvtt.Track{}, fault(ReasonTooExpensive, err)
	case err != nil && (p.Check() != nil || diskFull(err) || errors.Is(err, subprocess.ErrNotStarted)):
		return webvtt.Track{}, &media.Error{Kind: media.Unavailable, Op: "transcribe", Reason: ReasonFailed, Err: err}
	case err != nil:
		return webvtt.Track{}, fault(ReasonFailed, err)
	}
	track, err := webvtt.Validate(out)
	if err != nil {
		return webvtt.Track{}, fault(ReasonNotCaptions, fmt.Errorf("what it printed is no WebVTT: %w", err))
	}
	return track, nil
}

// diskFull reports whether a program ended because the disk is full, by what it has said.
func diskFull(err error) bool {
	var failed *subprocess.Failure
	return errors.As(err, &failed) && strings.Contains(strings.ToLower(failed.Stderr), syscall.ENOSPC.Error())
}

func fault(reason string, err error) error {
	return &media.Error{Kind: media.Invalid, Op: "transcribe", Reason: reason, Err: err}
}
