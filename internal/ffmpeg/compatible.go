package ffmpeg

import (
	"fmt"
	"math"
	"time"
)

// Compatible reports whether the streams of b can be copied behind those of a, and if
// not, why: the first property that differs with both values, or the flaw of one file.
func Compatible(a, b Info) (ok bool, why string) {
	for _, i := range []Info{a, b} {
		if why := copyable(i); why != "" {
			return false, why
		}
	}
	type property struct {
		name string
		a, b any
	}
	both := []property{
		{"picture", a.Video.Present(), b.Video.Present()},
		{"sound", a.Audio.Present(), b.Audio.Present()},
	}
	streamProperties := func(name string, a, b Stream) []property {
		return []property{
			// The concat demuxer matches streams by their place.
			{name + " index", a.Index, b.Index},
			{name + " codec", a.Codec, b.Codec},
			{name + " tag", a.Tag, b.Tag},
			{name + " profile", a.Profile, b.Profile},
			{name + " configuration", a.Config, b.Config},
			{name + " time base", a.TimeBase, b.TimeBase},
			{name + " edit list", a.Track.Edits.MediaTime, b.Track.Edits.MediaTime},
		}
	}
	if a.Video.Present() && b.Video.Present() {
		v, w := a.Video, b.Video
		both = append(both, streamProperties("video", v.Stream, w.Stream)...)
		both = append(both,
			property{"video level", v.Level, w.Level},
			property{"video width", v.Width, w.Width},
			property{"video height", v.Height, w.Height},
			property{"sample aspect", v.SampleAspect, w.SampleAspect},
			property{"rotation", v.Rotation, w.Rotation},
			property{"display matrix", v.Matrix, w.Matrix},
			property{"pixel format", v.Pixels, w.Pixels},
			property{"color", v.Color, w.Color},
			property{"interlacing", v.Interlaced, w.Interlaced},
		)
		if !sameRate(v, w) {
			both = append(both, property{"frame rate", v.FrameRate, w.FrameRate}, property{"average frame rate", v.AverageRate, w.AverageRate})
		}
	}
	if a.Audio.Present() && b.Audio.Present() {
		v, w := a.Audio, b.Audio
		both = append(both, streamProperties("audio", v.Stream, w.Stream)...)
		both = append(both,
			property{"sample rate", v.SampleRate, w.SampleRate},
			property{"channels", v.Channels, w.Channels},
			property{"channel layout", v.Layout, w.Layout},
			property{"sample format", v.Format, w.Format},
		)
	}
	for _, p := range both {
		if p.a != p.b {
			return false, fmt.Sprintf("%s: %v and %v", p.name, p.a, p.b)
		}
	}
	return true, ""
}

// sameRate reports whether two pictures have one frame rate. Screens are recorded with
// frames of uneven length: the average then differs from part to part, while the rate
// that all timestamps fit does not.
func sameRate(a, b Video) bool {
	if a.FrameRate == b.FrameRate && a.FrameRate != (Ratio{}) {
		return true
	}
	x, y := a.AverageRate.Float(), b.AverageRate.Float()
	return x > 0 && y > 0 && math.Abs(x-y) <= 0.01*max(x, y)
}

// editSlack is how much an edit list may cut off at an end, and how far a stream may
// begin behind the other, without being heard or seen when it is copied.
const editSlack = 100 * time.Millisecond

// copyable reports why a file's streams cannot be copied among others, or "".
func copyable(i Info) string {
	if i.Layout.Fragmented {
		return "a part is fragmented"
	}
	for _, s := range []Stream{i.Video.Stream, i.Audio.Stream} {
		if s.Codec == "" {
			continue
		}
		switch {
		case s.Track.Formats > 1:
			return s.Codec + ": the codec's configuration changes within a part"
		case cuts(s.Track.Edits.Count > 0, s):
			return s.Codec + ": an edit list cuts a part"
		case s.Start > editSlack || s.Start-i.begin() > editSlack:
			return s.Codec + ": a stream begins late"
		}
	}
	return ""
}

// cuts reports whether an edit list keeps samples from being presented, or moves them:
// copying would show them. Skipping the priming samples of a sound, and the time until
// the first frame of a reordered stream is shown, is what nearly every edit list does.
func cuts(edited bool, s Stream) bool {
	if !edited {
		return false
	}
	e, track := s.Track.Edits, s.Track
	if !e.Simple || e.Delay > editSlack {
		return true
	}
	skipped := e.MediaTime - int64(track.Times.FirstComposition)
	if skipped > 0 && track.Seconds(uint64(skipped)) > editSlack {
		return true
	}
	if e.Length == 0 {
		return false
	}
	return track.Seconds(track.Times.Total)-track.Seconds(uint64(max(0, e.MediaTime)))-e.Length > editSlack
}

// whyNotCopied is the reason why parts cannot be joined by copying, or "". One part is
// copied into plain MP4 unless its codec's configuration changes on the way, which
// ffmpeg would not write.
func whyNotCopied(parts []Info) string {
	if len(parts) == 1 {
		for _, s := range []Stream{parts[0].Video.Stream, parts[0].Audio.Stream} {
			if s.Track.Formats > 1 {
				return s.Codec + ": the codec's configuration changes within the part"
			}
		}
		return ""
	}
	for _, p := range parts[1:] {
		if ok, why := Compatible(parts[0], p); !ok {
			return why
		}
	}
	return ""
}
