package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// ErrNothingToMake says that a recording plays, and that there is nothing to make of it: it has
// no sound or no picture, or what was made would not be smaller.
var ErrNothingToMake = errors.New("there is nothing to make of the recording")

// Made is a file that was made of one recording and passed its checks.
type Made struct {
	Info   Info
	Method Method
	Size   int64 // in bytes
}

// MaxSoundPerHour is how many bytes an hour of sound may take, without the index: 30 MiB,
// a bit rate of 69.9 kbit/s.
const MaxSoundPerHour = 30 << 20

// soundBitRate is that of a sound that is encoded, in one channel: enough for speech.
const soundBitRate = "48k"

// Sound writes the sound of a recording, which was probed, into out, as an M4A with its index in front. AAC is
// copied, and plays at the same times as in the recording. Sound in another codec, and what
// takes more than MaxSoundPerHour, is encoded in one channel. out appears whole or not at all.
//
// Errors: ErrNothingToMake, when there is no sound; otherwise as for Tool.Smaller.
func (t Tool) Sound(ctx context.Context, in string, info Info, out string) (made Made, err error) {
	if !info.Audio.Present() {
		return Made{}, fmt.Errorf("%w: it has no sound", ErrNothingToMake)
	}
	sound := info.onlySound()
	err = whole(out, func(partial string) error {
		if info.Audio.Codec == "aac" && whyNotCopied([]Info{sound}) == "" {
			made, err = t.copySound(ctx, in, sound, partial)
			if err == nil && made.Size <= soundBound(sound) || err != nil && !encodingMayHelp(err) {
				return err
			}
		}
		made, err = t.encodeSound(ctx, in, sound.fromBegin(info.begin()), partial)
		return err
	})
	return made, err
}

// onlySound is a recording without its picture.
func (i Info) onlySound() Info {
	i.Video, i.Duration = Video{}, i.Audio.Duration
	return i
}

// fromBegin is a sound with silence in front of it, from the recording's begin on.
func (i Info) fromBegin(begin time.Duration) Info {
	i.Audio.Start, i.Audio.Duration = begin, i.Audio.End()-begin
	i.Duration = i.Audio.Duration
	return i
}

// soundBound is how large an M4A may be: MaxSoundPerHour and an index of its samples.
func soundBound(i Info) int64 {
	const header, perSample = 4 << 10, 8
	return int64(i.Duration.Hours()*MaxSoundPerHour) + header + perSample*int64(i.Audio.Track.Samples)
}

func (t Tool) copySound(ctx context.Context, in string, sound Info, out string) (Made, error) {
	args := concat(quiet, reading(in), mapped(sound), []string{"-c", "copy"}, writtenSound(out))
	if err := t.run(ctx, "ffmpeg: copy sound", t.ffmpeg(), copyLimits(sound.Duration), nil, args...); err != nil {
		return Made{}, err
	}
	return t.checkMade(ctx, out, sound, targetOf([]Info{sound}), Copied)
}

func (t Tool) encodeSound(ctx context.Context, in string, sound Info, out string) (Made, error) {
	want := targetOf([]Info{sound})
	want.sampleRate, want.channels = min(want.sampleRate, 32000), 1
	want = want.encodable()
	args := concat(quiet, oneThread, reading(in), mapped(sound),
		[]string{"-af", inTime(want.sampleRate), "-ac", "1", "-c:a", "aac", "-b:a", soundBitRate}, oneThread, writtenSound(out))
	if err := t.run(ctx, "ffmpeg: encode sound", t.ffmpeg(), encodeLimits(sound.Duration, 0, 1), nil, args...); err != nil {
		return Made{}, err
	}
	return t.checkMade(ctx, out, sound, want, Encoded)
}

// inTime is a filter that resamples a sound and keeps it at its times: gaps, and a late
// beginning, are filled with silence.
func inTime(sampleRate int) string {
	return "aresample=" + strconv.Itoa(sampleRate) + ":async=1:first_pts=0"
}

// writtenSound are the options that write a plain M4A.
func writtenSound(out string) []string {
	return []string{"-movflags", "+faststart", "-f", "ipod", "file:" + out}
}

// oneThread are the options of an input and of an output that keep to one processor.
var oneThread = []string{"-threads", "1"}

// sameTime is how far what was made of a recording may end before or after it.
const sameTime = time.Second

// checkMade measures a file that was made of one recording: as a join of that one part, and
// that its streams end when those of the recording do.
func (t Tool) checkMade(ctx context.Context, path string, of Info, want target, method Method) (Made, error) {
	info, err := t.verify(ctx, path, []Info{of}, want)
	if err != nil {
		return Made{}, err
	}
	for _, s := range []struct {
		name     string
		made, of Stream
	}{{"picture", info.Video.Stream, of.Video.Stream}, {"sound", info.Audio.Stream, of.Audio.Stream}} {
		got, want := s.made.End()-info.begin(), s.of.End()-of.begin()
		if s.made.Codec != "" && (got-want).Abs() > sameTime {
			return Made{}, differs(ReasonDurationDiffers, "%s: %v, want %v", s.name, got, want)
		}
	}
	stat, err := os.Stat(path)
	if err != nil {
		return Made{}, media.Fault(media.Other, "ffmpeg: verify", err)
	}
	return Made{Info: info, Method: method, Size: stat.Size()}, nil
}

// whole has a file written beside out, and gives it its name when that went well; otherwise
// neither exists.
func whole(out string, write func(partial string) error) error {
	partial := out + ".partial" + filepath.Ext(out)
	err := write(partial)
	if err == nil {
		err = os.Rename(partial, out)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(partial))
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return media.Fault(media.Other, "ffmpeg: remove", err)
	}
	return nil
}
