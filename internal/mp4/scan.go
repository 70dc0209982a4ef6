package mp4

import (
	"fmt"
	"io"
	"slices"

	"github.com/lectiospace/lectern/internal/media"
)

// Limits against hostile files. Real files have a handful of tracks, and at most two
// top-level boxes a second of recording.
const (
	maxTopLevel = 1 << 20
	maxChildren = 1 << 12
	maxTracks   = 64
)

func refuse(reason, format string, args ...any) error {
	return &media.Error{Kind: media.Corrupt, Op: op, Reason: reason, Err: fmt.Errorf(format, args...)}
}

// needed are the boxes without which nothing plays; one that is cut short is refused.
var needed = []string{"moov", "mdat", "moof"}

// known are other boxes that stand at the top level of files in the wild.
var known = []string{"ftyp", "styp", "free", "skip", "wide", "uuid", "udta", "meta", "pdin", "sidx", "ssix", "mfra", "prft", "emsg", "pnot", "PICT", "junk"}

// Scan reads the structure of a file of the given size. What does not play is an error
// of kind media.Corrupt whose Reason is one of the constants; a failure to read is of
// kind media.Other. Only reading is done, at most a few megabytes for hours of video.
func Scan(r io.ReaderAt, size int64) (File, error) {
	s := scanner{r: r, size: size}
	if err := s.topLevel(); err != nil {
		return File{}, err
	}
	if err := s.conclude(); err != nil {
		return File{}, err
	}
	return s.file, nil
}

type scanner struct {
	r    io.ReaderAt
	size int64
	file File

	moov      box
	boxes     int   // whole boxes at the top level
	mediaData int64 // bytes within mdat boxes
	// extendsIndex: the index has an mvex, which announces fragments.
	extendsIndex bool
}

func (s *scanner) warn(w Warning) {
	if !slices.Contains(s.file.Warnings, w) {
		s.file.Warnings = append(s.file.Warnings, w)
	}
}

// topLevel walks the boxes of the file.
func (s *scanner) topLevel() error {
	for at, n := int64(0), 0; at < s.size; n++ {
		if n == maxTopLevel {
			return refuse(ReasonNotMP4, "too many boxes")
		}
		b, status, err := readHeader(s.r, at, s.size)
		if err != nil {
			return err
		}
		isNeeded, isKnown := slices.Contains(needed, b.kind), slices.Contains(known, b.kind)
		if n == 0 && !isNeeded && !isKnown {
			return refuse(ReasonNotMP4, "the file begins with no box of an MP4")
		}
		whole := status == headerOK && b.end <= s.size
		switch {
		case whole && (isNeeded || isKnown || printable(b.kind)):
			if n == 0 && b.kind != "ftyp" && b.kind != "moov" {
				s.warn(UnusualFirstBox)
			}
			s.take(b)
			at = b.end
			continue
		case isNeeded && status == headerOK:
			return refuse(ReasonCutShort, "the file ends %d bytes before its %s does", b.end-s.size, b.kind)
		case isNeeded && status == headerPartial:
			return refuse(ReasonCutShort, "the file ends within the header of its %s", b.kind)
		case isKnown && status != headerImpossible:
			s.warn(TruncatedBox)
		default:
			s.warn(TrailingBytes)
		}
		// Nothing behind this offset can be found. Whether anything is missing is seen
		// from what came before it.
		return nil
	}
	return nil
}

func printable(kind string) bool {
	for _, c := range []byte(kind) {
		// 0xa9 is the copyright sign of QuickTime's user data.
		if (c < ' ' || c > '~') && c != 0xa9 {
			return false
		}
	}
	return true
}

// take records one whole box of the top level.
func (s *scanner) take(b box) {
	s.boxes++
	switch b.kind {
	case "moov":
		if s.moov.kind != "" {
			s.warn(SecondIndex)
			return
		}
		s.moov = b
		s.file.FastStart = s.mediaData == 0
	case "mdat":
		s.mediaData += b.end - b.body
	case "moof":
		s.file.Fragmented = true
	}
}

// conclude reads the index and decides whether the file plays.
func (s *scanner) conclude() error {
	switch {
	case s.boxes == 0:
		return refuse(ReasonNotMP4, "the file holds no box")
	case s.moov.kind == "":
		return refuse(ReasonNoIndex, "the file has no index (moov)")
	}
	if err := s.index(); err != nil {
		return err
	}
	playable, sampled := false, false
	for _, t := range s.file.Tracks {
		if t.Kind != Other && t.Timescale > 0 && t.Formats > 0 {
			playable = true
			sampled = sampled || t.Samples > 0
		}
	}
	s.file.Fragmented = s.file.Fragmented || s.extendsIndex && !sampled
	switch {
	case !playable || !sampled && !s.file.Fragmented:
		return refuse(ReasonNoPlayableTrack, "no video or audio track has a sample")
	case s.mediaData == 0:
		return refuse(ReasonNoMediaData, "the file has no media data (mdat)")
	}
	return nil
}
