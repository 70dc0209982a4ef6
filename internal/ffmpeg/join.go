package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Joiner joins the parts of a recording. Safe for concurrent use.
type Joiner struct {
	Tool Tool
	// TempDir holds the temporary files of a join, in a directory of its own that is
	// removed at the end; a process that is killed leaves one named "join-*". It must be
	// on the file system of the result. Default: the result's directory. Room for the
	// result and, when a part is fragmented, for a copy of that part is needed; twice
	// that while a copy that did not pass is replaced.
	TempDir string
}

// Method says how a file was made.
type Method string

// The methods.
const (
	Remuxed Method = "remuxed" // one part, its streams copied
	Copied  Method = "copied"  // several parts, their streams copied
	Encoded Method = "encoded"
)

// Result is a join that passed Verify.
type Result struct {
	Path   string
	Info   Info
	Method Method
	// Parts are the parts as they were measured; the sum of their durations up to a part
	// is when it begins in the result.
	Parts []Info
	// Why is the reason for encoding; "" when the streams were copied.
	Why string
	// Warnings are what was passed over.
	Warnings []PartWarning
}

// PartWarning is a flaw of one part that a join could live with.
type PartWarning struct {
	Part int // from 0
	Code string
}

// The codes of warnings, beside those of package mp4.
const (
	// WarnStreamsDropped: a part has further pictures or sounds, which are left out.
	WarnStreamsDropped = "streams_dropped"
	// WarnNoPicture: a part has no picture; black is shown.
	WarnNoPicture = "no_picture"
	// WarnNoSound: a part has no sound; it is silent.
	WarnNoSound = "no_sound"
)

// Part is one file of a join. Info is what Probe said of it: the join relies on that, and does
// not probe it again.
type Part struct {
	Path string
	Info Info
}

// Join makes one plain MP4 of parts in their order. The picture and the sound of
// compatible parts are copied; others, and those whose copy does not pass Verify, are
// encoded once. out appears whole, when it has passed, or not at all; an existing file
// is replaced.
//
// Errors: kind Corrupt with ReasonJoinFailed: no result passes; the parts are best kept as
// they are. Kind Unavailable with ReasonDiskFull or ReasonMissing, or the end of the
// context: try again later. Cancelling the context kills ffmpeg before Join returns.
func (j Joiner) Join(ctx context.Context, parts []Part, out string) (Result, error) {
	const op = "ffmpeg: join"
	if len(parts) == 0 {
		return Result{}, media.Faultf(media.Invalid, op, "there is no part")
	}
	dir := j.TempDir
	if dir == "" {
		dir = filepath.Dir(out)
	}
	dir, err := os.MkdirTemp(dir, "join-*")
	if err != nil {
		return Result{}, media.Fault(media.Other, op, err)
	}
	run := joinRun{Joiner: j, dir: dir, result: Result{Path: out}}
	err = run.join(ctx, parts)
	if err == nil {
		err = os.Rename(run.made, out)
	}
	if removed := os.RemoveAll(dir); removed != nil {
		err = errors.Join(err, media.Fault(media.Other, op, removed))
	}
	if err != nil {
		return Result{}, err
	}
	return run.result, nil
}

// Join is the Join of a Joiner of this tool.
func (t Tool) Join(ctx context.Context, parts []Part, out string) (Result, error) {
	return Joiner{Tool: t}.Join(ctx, parts, out)
}

// joinRun is one call of Join.
type joinRun struct {
	Joiner
	dir    string
	made   string // the file that passed
	result Result
}

func (r *joinRun) join(ctx context.Context, from []Part) error {
	parts, infos, err := r.plain(ctx, from)
	if err != nil {
		return err
	}
	r.result.Parts = infos
	r.warn()
	r.result.Why = whyNotCopied(infos)
	var copyErr error
	if r.result.Why == "" {
		copyErr = r.copy(ctx, parts, infos)
		if copyErr == nil || !encodingMayHelp(copyErr) {
			return copyErr
		}
		r.result.Why = "the copy does not pass: " + copyErr.Error()
	}
	encodeErr := r.encode(ctx, parts, infos)
	if encodeErr == nil || !encodingMayHelp(encodeErr) {
		return encodeErr
	}
	return &media.Error{Kind: media.Corrupt, Op: "ffmpeg: join", Reason: ReasonJoinFailed, Err: errors.Join(copyErr, encodeErr)}
}

// encodingMayHelp reports whether a failure is one of the files, and not of the machine
// or the caller.
func encodingMayHelp(err error) bool { return media.KindOf(err) == media.Corrupt }

// plain are the paths of the parts, and what they hold. A fragmented part among others is
// copied into a plain file first, whose times are certain; one that resists is encoded from
// what it is.
func (r *joinRun) plain(ctx context.Context, parts []Part) (paths []string, infos []Info, err error) {
	for i, part := range parts {
		path, info := part.Path, part.Info
		if info.Layout.Fragmented && len(parts) > 1 {
			copied := filepath.Join(r.dir, fmt.Sprintf("plain-%d.mp4", i))
			remuxed, err := r.remux(ctx, path, info, copied)
			switch {
			case err == nil:
				// The warnings about the part itself stay.
				remuxed.Layout.Warnings, remuxed.Dropped = info.Layout.Warnings, info.Dropped
				path, info = copied, remuxed
			case !encodingMayHelp(err):
				return nil, nil, err
			}
		}
		paths, infos = append(paths, path), append(infos, info)
	}
	return paths, infos, nil
}

// remux copies one file into a plain MP4 and measures it.
func (r *joinRun) remux(ctx context.Context, in string, info Info, out string) (Info, error) {
	if err := r.Tool.run(ctx, "ffmpeg: remux", r.Tool.ffmpeg(), copyLimits(info.Duration), nil, remuxing(in, info, out)...); err != nil {
		return Info{}, err
	}
	return r.Tool.Verify(ctx, out, []Info{info})
}

func (r *joinRun) copy(ctx context.Context, parts []string, infos []Info) (err error) {
	out := filepath.Join(r.dir, "copied.mp4")
	if len(parts) == 1 {
		r.result.Method = Remuxed
		r.result.Info, err = r.remux(ctx, parts[0], infos[0], out)
	} else {
		r.result.Method = Copied
		args, argsErr := copying(parts, infos, r.dir, out)
		if argsErr != nil {
			return media.Fault(media.Other, "ffmpeg: join", argsErr)
		}
		if err := r.Tool.run(ctx, "ffmpeg: copy", r.Tool.ffmpeg(), copyLimits(sum(infos)), nil, args...); err != nil {
			return err
		}
		r.result.Info, err = r.Tool.Verify(ctx, out, infos)
	}
	r.made = out
	return err
}

func (r *joinRun) encode(ctx context.Context, parts []string, infos []Info) (err error) {
	if r.made != "" {
		// The copy that did not pass makes room.
		if err := os.Remove(r.made); err != nil {
			return media.Fault(media.Other, "ffmpeg: join", err)
		}
	}
	r.made = filepath.Join(r.dir, "encoded.mp4")
	r.result.Method = Encoded
	t := targetOf(infos).encodable()
	limits := encodeLimits(sum(infos), t.width*t.height, len(parts))
	args := encoding(parts, infos, t, quality{crf: 21, bitrate: "128k"}, r.made)
	if err := r.Tool.run(ctx, "ffmpeg: encode", r.Tool.ffmpeg(), limits, nil, args...); err != nil {
		return err
	}
	r.result.Info, err = r.Tool.verify(ctx, r.made, infos, t)
	return err
}

func (r *joinRun) warn() {
	t := targetOf(r.result.Parts)
	for i, info := range r.result.Parts {
		add := func(when bool, code string) {
			if when {
				r.result.Warnings = append(r.result.Warnings, PartWarning{i, code})
			}
		}
		for _, w := range info.Layout.Warnings {
			add(true, string(w))
		}
		add(info.Dropped > 0, WarnStreamsDropped)
		add(t.video && !info.Video.Present(), WarnNoPicture)
		add(t.audio && !info.Audio.Present(), WarnNoSound)
	}
}

func sum(infos []Info) (total time.Duration) {
	for _, i := range infos {
		total += i.Duration
	}
	return total
}
