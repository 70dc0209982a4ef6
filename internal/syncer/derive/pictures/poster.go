package pictures

import (
	"context"
	"image"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/derive"
)

const (
	// posterSide is the longest side of a poster, in pixels.
	posterSide = 1280
	// posterBytes is how large a poster is at most: together with a storyboard it takes at
	// most 400 kB for each hour.
	posterBytes = 120_000
	// candidates is how many pictures of a recording a poster is chosen from, at most.
	candidates = 40
)

// Poster makes the poster of a recording: the first of several pictures, unless later ones
// show much more. Recordings begin black, or with somebody's empty desktop.
type Poster struct{ Tool ffmpeg.Tool }

// Kind implements derive.Maker.
func (Poster) Kind() string { return "poster" }

// Revision implements derive.Maker.
func (Poster) Revision() int64 { return 1 }

// Make implements derive.Maker.
func (p Poster) Make(ctx context.Context, src derive.Source, dir string) (derive.Made, error) {
	video := src.Info.Video
	if !video.Present() {
		return derive.Made{}, nil
	}
	every := max(src.Info.Duration/candidates, time.Second)
	stills, err := p.Tool.Stills(ctx, src.Path, src.Info, every, filepath.Join(dir, "keyframes.mp4"))
	if err != nil {
		return derive.Made{}, err
	}
	best, err := choosePoster(ctx, stills, video.DisplaySize(image.Pt(posterSide, posterSide)))
	if err != nil {
		return derive.Made{}, err
	}
	out := filepath.Join(dir, media.PosterName)
	if err := writeJPEG(out, best, posterBytes); err != nil {
		return derive.Made{}, err
	}
	return derive.Made{Files: []derive.File{{Path: out, Name: media.PosterName, Kind: media.CompanionPoster, Label: "Poster", ContentType: "image/jpeg"}}}, nil
}

// choosePoster returns a copy of the picture that is to be the poster.
func choosePoster(ctx context.Context, stills ffmpeg.Stills, size image.Point) (*image.YCbCr, error) {
	// A later picture replaces the one chosen so far if it is half as rich again.
	const muchRicher = 1.5
	var best *image.YCbCr
	richest := 0.0
	err := stills.Each(ctx, size, func(_ int, picture *image.YCbCr) error {
		if r := richness(picture); best == nil || r > richest*muchRicher {
			best, richest = clone(picture), r
		}
		return nil
	})
	return best, err
}

// richness is how much a picture shows: the entropy of its brightness, in bits from 0 to 6. A
// picture of one colour has none.
func richness(p *image.YCbCr) float64 {
	var histogram [64]float64
	for _, y := range p.Y {
		histogram[y>>2]++
	}
	bits := 0.0
	for _, n := range histogram {
		if n > 0 {
			share := n / float64(len(p.Y))
			bits -= share * math.Log2(share)
		}
	}
	return bits
}

func clone(p *image.YCbCr) *image.YCbCr {
	out := *p
	out.Y, out.Cb, out.Cr = slices.Clone(p.Y), slices.Clone(p.Cb), slices.Clone(p.Cr)
	return &out
}
