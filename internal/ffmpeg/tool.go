package ffmpeg

import (
	"context"
	"strings"
)

// Tool runs the two programs. The zero value finds them in PATH. Safe for
// concurrent use.
type Tool struct {
	FFmpeg, FFprobe string
	// Idle runs both with the lowest priority, for what nobody waits for.
	Idle bool
}

// The reasons of faults, in media.Error.Reason, beside those of package mp4. All are of
// kind media.Corrupt, but for ReasonMissing and ReasonDiskFull (media.Unavailable).
const (
	// ReasonMissing: the program is not installed, or cannot be started.
	ReasonMissing = "ffmpeg_missing"
	// ReasonDiskFull: the file system has no room for the result.
	ReasonDiskFull = "disk_full"
	// ReasonTooExpensive: the program reached a limit of memory, time or output.
	ReasonTooExpensive = "too_expensive"
	// ReasonUnreadable: the program cannot make sense of the file.
	ReasonUnreadable = "unreadable"
	// ReasonJoinFailed: neither copying nor encoding gave a result that passes Verify.
	ReasonJoinFailed = "join_failed"

	// ReasonStreamMissing: the result lacks the picture or the sound.
	ReasonStreamMissing = "stream_missing"
	// ReasonShapeDiffers: the result has another size, aspect or rotation than it must.
	ReasonShapeDiffers = "shape_differs"
	// ReasonSoundDiffers: the result has another sample rate or other channels.
	ReasonSoundDiffers = "sound_differs"
	// ReasonDurationDiffers: a stream is not as long as the parts together.
	ReasonDurationDiffers = "duration_differs"
	// ReasonTimestamps: timestamps stand still or jump.
	ReasonTimestamps = "timestamps_broken"
	// ReasonUndecodable: the beginning, a joint or the end cannot be decoded.
	ReasonUndecodable = "undecodable"
	// ReasonNotPlain: the index is not in front, or the result is fragmented.
	ReasonNotPlain = "not_plain"
)

// Version is the first line of ffmpeg's account of itself; ffprobe has been started too. Kind
// Unavailable with ReasonMissing: one of them is not installed.
func (t Tool) Version(ctx context.Context) (string, error) {
	var out, probe strings.Builder
	if err := t.run(ctx, "ffprobe: version", t.ffprobe(), probeLimits, &probe, "-version"); err != nil {
		return "", err
	}
	if err := t.run(ctx, "ffmpeg: version", t.ffmpeg(), probeLimits, &out, "-version"); err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	return line, nil
}

// niceness lets the services on the machine go first.
func (t Tool) niceness() int {
	if t.Idle {
		return 19
	}
	return 10
}

func (t Tool) ffmpeg() string {
	if t.FFmpeg != "" {
		return t.FFmpeg
	}
	return "ffmpeg"
}

func (t Tool) ffprobe() string {
	if t.FFprobe != "" {
		return t.FFprobe
	}
	return "ffprobe"
}
