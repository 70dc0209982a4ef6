package ffmpeg

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// MaxLowBitRate bounds picture, sound and index of a low rendition together, in bits a second.
const MaxLowBitRate = 200_000

// ReasonTooLarge says that what was made takes more bits a second than it may.
const ReasonTooLarge = "too_large"

// What a low rendition is made of. Text of a recorded screen stays readable at this size, and
// a screen has few frames that differ.
const (
	lowLong, lowShort = 960, 540 // the sides of the picture, at most
	lowFrameRate      = 6
	lowQuality        = 28     // x264's constant rate factor
	lowPicture        = 140e3  // the picture's steady bit rate, at most
	lowBurst          = 560e3  // bits that a new slide may take beyond that
	lowBurstRate      = 15e3   // bits a second of a burst in a short file
	lowKeyframe       = 10     // seconds
	lowSoundCopied    = 40e3   // the bit rate up to which sound is copied
	lowSoundRate      = 24_000 // samples a second
)

// Low writes a rendition of a recording, which was probed, for thin lines into out: a plain MP4 of at most
// MaxLowBitRate, whose times are those of the recording. It is made with one thread and in
// at most a quarter of the recording's duration of processor time (20 s for short ones). out
// appears whole or not at all.
//
// Errors: ErrNothingToMake, when there is no picture, or out would not be smaller; kind Corrupt
// with ReasonTooLarge or ReasonTooExpensive, when a bound is passed; otherwise as for
// Tool.Smaller.
func (t Tool) Low(ctx context.Context, in string, info Info, out string) (made Made, err error) {
	if !info.Video.Present() {
		return Made{}, fmt.Errorf("%w: it has no picture", ErrNothingToMake)
	}
	err = whole(out, func(partial string) error {
		want, args := lowArguments(in, info, partial)
		if err := t.run(ctx, "ffmpeg: rendition", t.ffmpeg(), lowLimits(info), nil, args...); err != nil {
			return err
		}
		if made, err = t.checkMade(ctx, partial, info, want, Encoded); err != nil {
			return err
		}
		less, err := smaller(partial, in)
		switch rate := made.bitRate(); {
		case err != nil:
			return err
		case !less:
			return fmt.Errorf("%w: a low rendition would not be smaller", ErrNothingToMake)
		case rate > MaxLowBitRate:
			return &media.Error{Kind: media.Corrupt, Op: "ffmpeg: rendition", Reason: ReasonTooLarge, Err: fmt.Errorf("%.0f bit/s, at most %d are allowed", rate, MaxLowBitRate)}
		}
		return nil
	})
	return made, err
}

// bitRate is that of the whole file, in bits a second.
func (m Made) bitRate() float64 { return float64(m.Size) * 8 / m.Info.Duration.Seconds() }

// lowLimits leave ffmpeg a quarter of a recording's duration of processor time. It may have
// to wait long for that on a busy machine.
func lowLimits(i Info) limits {
	l := encodeLimits(i.Duration, i.Video.Width*i.Video.Height, 1)
	l.cpu = max(20*time.Second, i.Duration/4)
	l.wall = 12*time.Hour + i.Duration
	return l
}

// lowArguments are those of Low, and what its result must look like.
func lowArguments(in string, i Info, out string) (target, []string) {
	want := lowTarget(i)
	// Frames are dropped before they are scaled, which takes as long as decoding them.
	picture := fmt.Sprintf("fps=%d:start_time=0,scale=%d:%d,setsar=1,format=yuv420p", lowFrameRate, want.width, want.height)
	burst := min(lowBurst, lowBurstRate*i.Duration.Seconds())
	args := concat(quiet, oneThread, []string{"-filter_threads", "1", "-reinit_filter:v", "0"}, reading(in), mapped(i), []string{
		"-vf", picture, "-c:v", "libx264", "-preset", "veryfast", "-crf", strconv.Itoa(lowQuality),
		"-maxrate", bits(lowPicture), "-bufsize", bits(max(burst, lowPicture/lowFrameRate)), "-g", strconv.Itoa(lowKeyframe * lowFrameRate),
	}, oneThread)
	switch {
	case !want.audio:
	case copiedIntoLow(i):
		args = append(args, "-c:a", "copy")
	default:
		args = append(args, "-af", inTime(want.sampleRate), "-ac", "1", "-c:a", "aac", "-b:a", "32k")
	}
	return want, append(args, written(out)...)
}

// copiedIntoLow reports whether the sound fits into a low rendition as it is.
func copiedIntoLow(i Info) bool {
	return i.Audio.Codec == "aac" && i.Audio.BitRate > 0 && i.Audio.BitRate <= lowSoundCopied && whyNotCopied([]Info{i.onlySound()}) == ""
}

// lowTarget is what a low rendition looks like: square pixels, no larger than the recording.
func lowTarget(i Info) target {
	t := targetOf([]Info{i})
	width, height := float64(t.width)*t.sampleAspect.Float(), float64(t.height)
	scale := min(1, lowLong/max(width, height), lowShort/min(width, height))
	t.width, t.height, t.sampleAspect = int(math.Round(width*scale)), int(math.Round(height*scale)), Ratio{1, 1}
	if !copiedIntoLow(i) {
		t.sampleRate, t.channels = min(t.sampleRate, lowSoundRate), min(t.channels, 1)
		return t.encodable()
	}
	rate, channels := t.sampleRate, t.channels
	t = t.encodable()
	t.sampleRate, t.channels = rate, channels
	return t
}

// bits writes a bit rate, or a number of bits, as ffmpeg reads it.
func bits(n float64) string { return strconv.Itoa(int(n)) }
