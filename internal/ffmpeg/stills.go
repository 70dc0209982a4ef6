package ffmpeg

import (
	"context"
	"fmt"
	"image"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/subprocess"
)

// MaxStills bounds how many pictures Stills takes of a file.
const MaxStills = 1000

// Stills are pictures of a recording at even intervals. The first keyframe of each interval
// is copied into a small file, and only those are decoded: the cost does not grow with the
// recording's rate of pictures or of keyframes. One goroutine uses it at a time.
type Stills struct {
	tool  Tool
	path  string
	every time.Duration
	video Video
	whole time.Duration // of the recording
}

// Stills copies the first keyframe of each interval of a file's picture to out, of which the
// caller is the owner. Kind Corrupt: there is no picture, or it cannot be read.
func (t Tool) Stills(ctx context.Context, in string, info Info, every time.Duration, out string) (Stills, error) {
	const op = "ffmpeg: copy keyframes"
	s := Stills{tool: t, path: out, every: every, video: info.Video, whole: info.Duration}
	switch {
	case !info.Video.Present():
		return s, &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonStreamMissing, Err: fmt.Errorf("there is no picture")}
	case every <= 0 || s.Len() > MaxStills:
		return s, media.Faultf(media.Invalid, op, "%d pictures, one each %s, are not between 1 and %d", s.Len(), every, MaxStills)
	}
	// A register of the expression holds when the next interval begins. The demuxer's own way
	// to skip other frames gives the composition times of those to the ones that it keeps.
	step := seconds(every)
	first := fmt.Sprintf("noise=drop='if(key*gte(pts*tb,ld(0)),st(0,(floor(pts*tb/%s)+1)*%s)*0,1)'", step, step)
	args := concat(quiet, []string{"-copyts"}, reading(in), []string{
		"-map_chapters", "-1", "-map", "0:" + strconv.Itoa(info.Video.Index), "-c", "copy", "-bsf:v", first,
		"-avoid_negative_ts", "disabled", "-f", "mp4", "file:" + out,
	})
	return s, t.run(ctx, op, t.ffmpeg(), stillLimits(info.Duration), nil, args...)
}

// stillLimits are for one copy, or one decoding, of the keyframes of a recording: 1 % of its
// time beside what it takes to start.
func stillLimits(d time.Duration) limits {
	return limits{memory: copyMemory, cpu: 10*time.Second + d/100, wall: 10*time.Minute + d}
}

// Len is how many intervals there are.
func (s Stills) Len() int {
	return int((s.whole + s.every - 1) / max(s.every, 1))
}

// Each calls f with the picture of each interval in turn, scaled to a size; an interval
// without a keyframe has the picture before it. f must not keep the picture, which is in the
// colours of JFIF. An error of f ends it and is returned. Kind Corrupt: no picture can be
// decoded.
func (s Stills) Each(ctx context.Context, size image.Point, f func(n int, picture *image.YCbCr) error) error {
	const op = "ffmpeg: decode keyframes"
	frames := newFrames(size, s.Len(), f)
	filter := fmt.Sprintf("fps=fps=1/%s:start_time=0:round=down:eof_action=pass,scale=%d:%d:out_color_matrix=bt601:out_range=full,format=yuv420p", seconds(s.every), size.X, size.Y)
	args := concat(quiet, []string{"-copyts", "-threads", "1", "-filter_threads", "1", "-reinit_filter:v", "0"}, reading(s.path),
		[]string{"-map", "0:v:0", "-vf", filter, "-frames:v", strconv.Itoa(s.Len()), "-f", "rawvideo", "pipe:1"})
	err := s.tool.run(ctx, op, s.tool.ffmpeg(), stillLimits(s.whole), frames, args...)
	switch {
	case frames.err != nil:
		return frames.err
	case err != nil:
		return err
	case frames.n == 0:
		return &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonUndecodable, Err: fmt.Errorf("no keyframe can be decoded")}
	}
	// The last keyframe stays until the end.
	for frames.n < frames.max && frames.err == nil {
		frames.deliver()
	}
	return frames.err
}

// DisplaySize is the size in which a picture is shown, with square pixels and turned as
// players turn it, scaled down to fit into a box. Both sides are even and at least 2.
func (v Video) DisplaySize(box image.Point) image.Point {
	width, height := float64(v.Width)*v.SampleAspect.Float(), float64(v.Height)
	if v.Rotation == 90 || v.Rotation == 270 {
		width, height = height, width
	}
	scale := min(1, float64(box.X)/width, float64(box.Y)/height)
	even := func(f float64, most int) int { return max(2, min(int(f/2+0.5)*2, most/2*2)) }
	return image.Pt(even(width*scale, box.X), even(height*scale, box.Y))
}

// frames gathers raw pictures of one size.
type frames struct {
	picture *image.YCbCr
	buffer  []byte // of picture's three planes
	filled  int
	n, max  int // pictures
	f       func(n int, picture *image.YCbCr) error
	err     error // of f
}

func newFrames(size image.Point, most int, f func(int, *image.YCbCr) error) *frames {
	luma, chroma := size.X*size.Y, ((size.X+1)/2)*((size.Y+1)/2)
	buffer := make([]byte, luma+2*chroma)
	return &frames{buffer: buffer, max: most, f: f, picture: &image.YCbCr{
		Y: buffer[:luma:luma], Cb: buffer[luma : luma+chroma : luma+chroma], Cr: buffer[luma+chroma:],
		YStride: size.X, CStride: (size.X + 1) / 2, SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rectangle{Max: size},
	}}
}

// Write implements io.Writer.
func (r *frames) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if r.n == r.max {
			return 0, subprocess.ErrTooMuchOutput
		}
		taken := copy(r.buffer[r.filled:], rest)
		rest, r.filled = rest[taken:], r.filled+taken
		if r.filled < len(r.buffer) {
			break
		}
		r.filled = 0
		if r.deliver(); r.err != nil {
			return 0, r.err
		}
	}
	return len(p), nil
}

func (r *frames) deliver() {
	r.err = r.f(r.n, r.picture)
	r.n++
}
