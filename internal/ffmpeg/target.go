package ffmpeg

import (
	"math"
	"slices"
)

// target is what the streams of a join look like.
type target struct {
	video, audio bool
	// width and height are in pixels, as shown: rotation is applied.
	width, height int
	// sampleAspect is a shown pixel's width over its height.
	sampleAspect Ratio
	frameRate    Ratio
	sampleRate   int
	channels     int
}

// shown is the size and sample aspect of a picture after rotation.
func (v Video) shown() (width, height int, sampleAspect Ratio) {
	if v.Rotation%180 == 90 {
		return v.Height, v.Width, Ratio{v.SampleAspect.Den, v.SampleAspect.Num}
	}
	return v.Width, v.Height, v.SampleAspect
}

// displayAspect is a shown picture's width over its height.
func displayAspect(width, height int, sampleAspect Ratio) float64 {
	return float64(width) / float64(height) * sampleAspect.Float()
}

// targetOf is the best of the parts: the size and pixel shape of the largest picture
// (the longest of several as large), the highest frame rate, sample rate and number of
// channels. For parts that are copied it is what all of them are.
func targetOf(parts []Info) target {
	var t target
	var best Info
	for _, p := range parts {
		if p.Video.Present() {
			rate := steadyRate(p.Video)
			if rate.Float() > t.frameRate.Float() {
				t.frameRate = rate
			}
			size, bestSize := p.Video.Width*p.Video.Height, best.Video.Width*best.Video.Height
			if !t.video || size > bestSize || size == bestSize && p.Duration > best.Duration {
				best = p
			}
			t.video = true
		}
		if p.Audio.Present() {
			t.audio = true
			t.sampleRate = max(t.sampleRate, p.Audio.SampleRate)
			t.channels = max(t.channels, p.Audio.Channels)
		}
	}
	if t.video {
		t.width, t.height, t.sampleAspect = best.Video.shown()
	}
	return t
}

// encodable is the nearest target that the encoders take: even sizes (4:2:0 halves
// them), the sample rates of AAC, mono or stereo.
func (t target) encodable() target {
	t.width, t.height = max(2, t.width&^1), max(2, t.height&^1)
	rates := []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
	at, _ := slices.BinarySearch(rates, t.sampleRate)
	t.sampleRate = rates[min(at, len(rates)-1)]
	t.channels = min(t.channels, 2)
	return t
}

// The range of frame rates that are encoded. A recorded screen may have a frame every
// few seconds, and a broken header claims a frame every tick.
const (
	minFrameRate = 5
	maxFrameRate = 60
)

// steadyRate is the even frame rate for a picture.
func steadyRate(v Video) Ratio {
	rate := v.FrameRate
	if f := rate.Float(); f <= 0 || f > maxFrameRate {
		rate = Ratio{int64(math.Ceil(v.AverageRate.Float())), 1}
	}
	switch f := rate.Float(); {
	case f > maxFrameRate:
		return Ratio{maxFrameRate, 1}
	case f < minFrameRate:
		return Ratio{minFrameRate, 1}
	}
	return rate
}

// fit is the size in the target's pixels that shows a picture in its own aspect, as
// large as it can be.
func (t target) fit(v Video) (width, height int) {
	own, frame := displayAspect(v.shown()), displayAspect(t.width, t.height, t.sampleAspect)
	width, height = t.width, t.height
	switch {
	case own > frame*1.001:
		height = int(math.Round(float64(t.height)*frame/own/2)) * 2
	case own < frame/1.001:
		width = int(math.Round(float64(t.width)*own/frame/2)) * 2
	}
	return min(max(2, width), t.width), min(max(2, height), t.height)
}
