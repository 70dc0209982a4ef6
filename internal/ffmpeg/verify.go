package ffmpeg

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Verify holds a file against the parts that it was made of, in their order: the
// streams that are present; size, aspect and rotation of the picture; sample rate and
// channels; the length of picture and sound, each within 0.5 s or 0.5 %, whichever is
// more; timestamps that move on; a plain layout; and a second of decoding at the
// beginning, at each joint and at the end. It returns what the file holds. An error of
// kind Corrupt has one of this package's reasons and says what differs; other kinds are
// faults of this machine.
func (t Tool) Verify(ctx context.Context, path string, parts []Info) (Info, error) {
	if len(parts) == 0 {
		return Info{}, media.Faultf(media.Invalid, "ffmpeg: verify", "there is no part")
	}
	want := targetOf(parts)
	if whyNotCopied(parts) != "" {
		want = want.encodable()
	}
	return t.verify(ctx, path, parts, want)
}

func (t Tool) verify(ctx context.Context, path string, parts []Info, want target) (Info, error) {
	made, err := t.Probe(ctx, path)
	if err != nil {
		return Info{}, err
	}
	for _, check := range []func() error{
		func() error { return checkLayout(made) },
		func() error { return checkShape(made, want) },
		func() error { return checkDurations(made, parts) },
		func() error { return checkTimestamps(made, parts) },
		func() error { return t.checkDecoding(ctx, path, made, parts) },
	} {
		if err := check(); err != nil {
			return Info{}, err
		}
	}
	return made, nil
}

func differs(reason, format string, args ...any) error {
	return &media.Error{Kind: media.Corrupt, Op: "ffmpeg: verify", Reason: reason, Err: fmt.Errorf(format, args...)}
}

func checkLayout(made Info) error {
	if !made.Plain() {
		return differs(ReasonNotPlain, "fast start %v, fragmented %v, warnings %v", made.Layout.FastStart, made.Layout.Fragmented, made.Layout.Warnings)
	}
	return nil
}

// checkShape compares sizes as they are shown: a rotation that was applied must not
// remain, and one that was copied must.
func checkShape(made Info, want target) error {
	if made.Video.Present() != want.video || made.Audio.Present() != want.audio {
		return differs(ReasonStreamMissing, "picture %v and sound %v, want %v and %v", made.Video.Present(), made.Audio.Present(), want.video, want.audio)
	}
	if want.video {
		width, height, sampleAspect := made.Video.shown()
		if width != want.width || height != want.height {
			return differs(ReasonShapeDiffers, "%d x %d, want %d x %d", width, height, want.width, want.height)
		}
		got, aspect := displayAspect(width, height, sampleAspect), displayAspect(want.width, want.height, want.sampleAspect)
		if math.Abs(got-aspect) > 0.01*aspect {
			return differs(ReasonShapeDiffers, "aspect %.3f, want %.3f", got, aspect)
		}
	}
	if want.audio && (made.Audio.SampleRate != want.sampleRate || made.Audio.Channels != want.channels) {
		return differs(ReasonSoundDiffers, "%d Hz and %d channels, want %d Hz and %d", made.Audio.SampleRate, made.Audio.Channels, want.sampleRate, want.channels)
	}
	return nil
}

// tolerance is how far a stream of a length may be off.
func tolerance(d time.Duration) time.Duration { return max(500*time.Millisecond, d/200) }

// checkDurations compares when each stream ends with when it must: the parts before
// the last one count in full, as the longer of their streams does; of the last one, each
// stream's own end is early enough, and the part's end late enough. Both streams are
// held to the same clock, so that they are held to each other too.
func checkDurations(made Info, parts []Info) error {
	last := parts[len(parts)-1]
	before := sum(parts) - last.Duration
	check := func(name string, got time.Duration, present bool, end time.Duration) error {
		latest := before + last.Duration
		earliest := latest
		if present {
			earliest = before + end - last.begin()
		}
		if slack := tolerance(latest); got < earliest-slack || got > latest+slack {
			return differs(ReasonDurationDiffers, "%s: %v, want %v to %v", name, got, earliest, latest)
		}
		return nil
	}
	if made.Video.Present() {
		if err := check("picture", made.Video.End()-made.begin(), last.Video.Present(), last.Video.End()); err != nil {
			return err
		}
	}
	if made.Audio.Present() {
		return check("sound", made.Audio.End()-made.begin(), last.Audio.Present(), last.Audio.End())
	}
	return nil
}

// checkTimestamps reads the index: decoding times never go back in an MP4, but they can
// stand still or jump.
func checkTimestamps(made Info, parts []Info) error {
	check := func(name string, made Stream, of func(Info) Stream) error {
		var longest time.Duration
		zero := uint64(len(parts) - 1)
		for _, p := range parts {
			if p.Layout.Fragmented {
				return nil // its index lists no sample to compare with
			}
			s := of(p)
			if s.Codec == "" {
				continue
			}
			// Until the next part begins, the last frame stays.
			rest := p.begin() + p.Duration - s.End()
			longest = max(longest, rest+s.Track.Seconds(uint64(s.Track.Times.Longest)))
			zero += s.Track.Times.Zero
		}
		if got := made.Track.Seconds(uint64(made.Track.Times.Longest)); got > longest+tolerance(0) {
			return differs(ReasonTimestamps, "%s: a sample of %v, want at most %v", name, got, longest)
		}
		if made.Track.Times.Zero > zero {
			return differs(ReasonTimestamps, "%s: %d samples last no time, want at most %d", name, made.Track.Times.Zero, zero)
		}
		return nil
	}
	if err := check("picture", made.Video.Stream, func(i Info) Stream { return i.Video.Stream }); err != nil {
		return err
	}
	return check("sound", made.Audio.Stream, func(i Info) Stream { return i.Audio.Stream })
}

// window is how long each piece is that is decoded of a file.
const window = time.Second

// windowsAtOnce bounds the windows that one ffmpeg decodes. Each has decoders of its own, with
// their memory; and a start of ffmpeg costs as much as many a window.
const windowsAtOnce = 3

// checkDecoding decodes a second at the beginning, around each joint and at the end.
func (t Tool) checkDecoding(ctx context.Context, path string, made Info, parts []Info) error {
	starts := []time.Duration{0}
	at := time.Duration(0)
	for _, p := range parts[:len(parts)-1] {
		at += p.Duration
		starts = append(starts, max(0, at-window/2))
	}
	starts = append(starts, max(0, made.Duration-window))
	for some := range slices.Chunk(starts, windowsAtOnce) {
		if err := t.decode(ctx, path, made, some); err != nil {
			return err
		}
	}
	return nil
}

// decode decodes windows of a file, and counts the frames that come out. A stream that
// must cover a window has some in it; a picture may stand still for longer than that, but
// not at the beginning of the file.
func (t Tool) decode(ctx context.Context, path string, made Info, starts []time.Duration) error {
	frames := map[string]int{}
	out := &lines{f: func(line string) {
		if index, _, ok := strings.Cut(line, ","); ok && !strings.HasPrefix(line, "#") {
			frames[strings.TrimSpace(index)]++
		}
	}}
	err := t.run(ctx, "ffmpeg: decode", t.ffmpeg(), encodeLimits(time.Minute, made.Video.Width*made.Video.Height, len(starts)), out, decoding(path, made, starts)...)
	if err != nil {
		if media.KindOf(err) == media.Corrupt {
			return differs(ReasonUndecodable, "at one of %v: %w", starts, err)
		}
		return err
	}
	index := 0
	check := func(s Stream, name string, start time.Duration, required bool) error {
		if s.Codec == "" {
			return nil
		}
		n := frames[strconv.Itoa(index)]
		index++
		covered := min(s.End(), start+window) - max(s.Start, start)
		if required && covered >= window/2 && n == 0 {
			return differs(ReasonUndecodable, "at %v: no frame of the %s", start, name)
		}
		return nil
	}
	steady := made.Video.Track.Seconds(uint64(made.Video.Track.Times.Longest)) < window/2
	for _, start := range starts {
		if err := check(made.Video.Stream, "picture", start, start == 0 || steady); err != nil {
			return err
		}
		if err := check(made.Audio.Stream, "sound", start, true); err != nil {
			return err
		}
	}
	return nil
}

// decoding are the arguments that decode windows of a file and write a line for each frame,
// with the number of its stream: that of the first window's picture is 0. ffmpeg keeps
// frames until each of the streams has one, which a picture that stands still may not have: they
// are kept small.
func decoding(path string, made Info, starts []time.Duration) []string {
	args := concat(quiet, []string{"-xerror"})
	var streams []string
	for input, start := range starts {
		args = concat(args, []string{"-threads", "2", "-ss", seconds(start), "-t", seconds(window)}, reading(path))
		for _, s := range []Stream{made.Video.Stream, made.Audio.Stream} {
			if s.Codec != "" {
				streams = append(streams, "-map", fmt.Sprintf("%d:%d", input, s.Index))
			}
		}
	}
	if made.Video.Present() {
		streams = append(streams, "-vf", "scale=16:16:flags=neighbor")
	}
	return concat(args, []string{"-map_chapters", "-1"}, streams, []string{"-f", "framecrc", "pipe:1"})
}
