package ffmpeg

import (
	"context"
	"errors"
	"math"
	"os"

	"github.com/lectiospace/lectern/internal/media"
)

// The largest picture that Smaller makes, in pixels.
const (
	smallWidth  = 1280
	smallHeight = 720
)

// Smaller encodes a file at most 1280 wide and 720 high, keeping its aspect, and reports
// whether out is worth having: when it is not smaller than the original it is removed.
// What was made is measured like a join; a result that does not pass is an error of kind
// Corrupt, and out does not exist.
func (t Tool) Smaller(ctx context.Context, in, out string) (bool, error) {
	info, err := t.Probe(ctx, in)
	if err != nil {
		return false, err
	}
	infos := []Info{info}
	small := targetOf(infos)
	if scale := min(1, smallWidth/float64(max(1, small.width)), smallHeight/float64(max(1, small.height))); scale < 1 {
		small.width, small.height = int(math.Round(float64(small.width)*scale)), int(math.Round(float64(small.height)*scale))
	}
	small = small.encodable()
	err = whole(out, func(partial string) error {
		args := encoding([]string{in}, infos, small, quality{crf: 23, bitrate: "96k"}, partial)
		err := t.run(ctx, "ffmpeg: shrink", t.ffmpeg(), encodeLimits(info.Duration, info.Video.Width*info.Video.Height, 1), nil, args...)
		if err != nil {
			return err
		}
		if _, err := t.verify(ctx, partial, infos, small); err != nil {
			return err
		}
		if less, err := smaller(partial, in); err != nil || less {
			return err
		}
		return ErrNothingToMake
	})
	if errors.Is(err, ErrNothingToMake) {
		return false, nil
	}
	return err == nil, err
}

// smaller reports whether a file has fewer bytes than another.
func smaller(path, than string) (bool, error) {
	a, err := os.Stat(path)
	if err != nil {
		return false, media.Fault(media.Other, "ffmpeg: shrink", err)
	}
	b, err := os.Stat(than)
	if err != nil {
		return false, media.Fault(media.Other, "ffmpeg: shrink", err)
	}
	return a.Size() < b.Size(), nil
}
