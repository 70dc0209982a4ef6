package pictures

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/webvtt"
)

const (
	// tileEvery is how far tiles are apart, and maxTiles how many there are at most: those of
	// long recordings are farther apart.
	tileEvery = 10 * time.Second
	maxTiles  = 400
	// columns and rows are a full sheet's. A player that shows one tile loads its sheet.
	columns, rows = 10, 10
	// hourBytes is what the pictures of each started hour take at most, the poster included.
	hourBytes = 400_000
)

// tileBoxes are the sizes into which tiles are fitted, the largest first, and tileQualities
// the qualities: the first of a size that takes few enough bytes is used.
var (
	tileBoxes     = []image.Point{{X: 160, Y: 120}, {X: 128, Y: 96}, {X: 96, Y: 72}, {X: 64, Y: 48}}
	tileQualities = []int{75, 65, 55, 45, 35, 25}
)

// Storyboard makes small pictures of a recording at even intervals, several on a sheet, and a
// WebVTT file that says where on which sheet the picture of each interval is.
type Storyboard struct{ Tool ffmpeg.Tool }

// Kind implements derive.Maker.
func (Storyboard) Kind() string { return "storyboard" }

// Revision implements derive.Maker.
func (Storyboard) Revision() int64 { return 1 }

// Make implements derive.Maker.
func (s Storyboard) Make(ctx context.Context, src derive.Source, dir string) (derive.Made, error) {
	if !src.Info.Video.Present() {
		return derive.Made{}, nil
	}
	// In whole milliseconds: the times of WebVTT have no more.
	every := max(tileEvery, (src.Info.Duration/maxTiles).Truncate(time.Millisecond)+time.Millisecond)
	stills, err := s.Tool.Stills(ctx, src.Path, src.Info, every, filepath.Join(dir, "keyframes.mp4"))
	if err != nil {
		return derive.Made{}, err
	}
	limit := budget(src.Info.Duration)
	for _, box := range tileBoxes {
		b := newBoard(src.Info.Video.DisplaySize(box), stills.Len())
		if err := stills.Each(ctx, b.tile, b.add); err != nil {
			return derive.Made{}, err
		}
		cues := b.cues(every, src.Info.Duration)
		for _, quality := range tileQualities {
			sheets, err := b.encode(quality)
			if err != nil {
				return derive.Made{}, err
			}
			if total(sheets)+len(cues) <= limit {
				return writeBoard(dir, cues, sheets)
			}
		}
	}
	return derive.Made{}, media.Faultf(media.Other, "pictures: storyboard", "%d tiles do not fit into %d bytes", stills.Len(), limit)
}

// budget is how many bytes a storyboard takes at most.
func budget(d time.Duration) int {
	return int(math.Ceil(max(d, time.Second).Hours()))*hourBytes - posterBytes
}

func total(sheets [][]byte) (n int) {
	for _, s := range sheets {
		n += len(s)
	}
	return n
}

// board is a storyboard under way.
type board struct {
	tile   image.Point
	tiles  int
	sheets []*image.YCbCr
}

// newBoard makes the sheets for tiles of an even size, black so far.
func newBoard(tile image.Point, tiles int) *board {
	b := &board{tile: tile, tiles: tiles}
	for left := tiles; left > 0; left -= columns * rows {
		n := min(left, columns*rows)
		b.sheets = append(b.sheets, image.NewYCbCr(image.Rect(0, 0, min(n, columns)*tile.X, (n+columns-1)/columns*tile.Y), image.YCbCrSubsampleRatio420))
	}
	for _, s := range b.sheets {
		for i := range s.Cb {
			s.Cb[i], s.Cr[i] = 128, 128
		}
	}
	return b
}

// place is on which sheet, and where on it, a tile is.
func (b *board) place(n int) (sheet int, at image.Point) {
	onSheet := n % (columns * rows)
	return n / (columns * rows), image.Pt(onSheet%columns*b.tile.X, onSheet/columns*b.tile.Y)
}

// add copies a tile to its place.
func (b *board) add(n int, picture *image.YCbCr) error {
	sheet, at := b.place(n)
	out := b.sheets[sheet]
	for y := range b.tile.Y {
		copy(out.Y[out.YOffset(at.X, at.Y+y):], picture.Y[y*picture.YStride:][:b.tile.X])
	}
	for y := range b.tile.Y / 2 {
		from, to := y*picture.CStride, out.COffset(at.X, at.Y+2*y)
		copy(out.Cb[to:], picture.Cb[from:][:b.tile.X/2])
		copy(out.Cr[to:], picture.Cr[from:][:b.tile.X/2])
	}
	return nil
}

func (b *board) encode(quality int) (out [][]byte, err error) {
	for _, s := range b.sheets {
		data, err := encode(s, quality)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// cues is the WebVTT file. every is a whole number of milliseconds. The end of the recording
// is rounded up to one, so that no cue ends when it begins.
func (b *board) cues(every, whole time.Duration) string {
	end := (whole + time.Millisecond - 1).Truncate(time.Millisecond)
	var track webvtt.Track
	for n := range b.tiles {
		sheet, at := b.place(n)
		track.Cues = append(track.Cues, webvtt.Cue{
			Start: time.Duration(n) * every, End: min(time.Duration(n+1)*every, end),
			Text: fmt.Sprintf("%s#xywh=%d,%d,%d,%d", sheetName(sheet), at.X, at.Y, b.tile.X, b.tile.Y),
		})
	}
	return track.String()
}

// sheetName is the name of a sheet, numbered from 0.
func sheetName(n int) string {
	if n == 0 {
		return "storyboard.jpg"
	}
	return fmt.Sprintf("storyboard-%d.jpg", n+1)
}

// writeBoard writes the files of a storyboard.
func writeBoard(dir, cues string, sheets [][]byte) (derive.Made, error) {
	vtt := filepath.Join(dir, "storyboard.vtt")
	err := os.WriteFile(vtt, []byte(cues), 0o600)
	files := []derive.File{{Path: vtt, Name: "storyboard.vtt", Kind: media.CompanionStoryboard, Label: "Storyboard", ContentType: "text/vtt; charset=utf-8"}}
	for n, data := range sheets {
		path := filepath.Join(dir, sheetName(n))
		err = errors.Join(err, os.WriteFile(path, data, 0o600))
		files = append(files, derive.File{Path: path, Name: sheetName(n), Kind: media.CompanionStoryboard, Label: "Storyboard sheet", ContentType: "image/jpeg"})
	}
	return derive.Made{Files: files}, err
}
