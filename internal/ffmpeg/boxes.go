package ffmpeg

import (
	"encoding/binary"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

// Layout is what the top-level boxes of an MP4 say (ISO/IEC 14496-12 section 4.2).
type Layout struct {
	// FastStart: the index (moov) stands before the pictures (mdat), so that a player
	// need not fetch the end first.
	FastStart bool
	// Fragmented: there are movie fragments (moof).
	Fragmented bool
}

// Boxes walks the top-level boxes of a file of the given size. A file that is no
// MP4, or that ends too early, is Kind Corrupt: an error page saved as a video, a
// download that broke off.
func Boxes(r io.ReaderAt, size int64) (Layout, error) {
	const op = "mp4"
	var (
		out              Layout
		ftyp, moov, mdat bool
		header           [16]byte
	)
	for at, n := int64(0), 0; at < size; n++ {
		if n > 1<<20 {
			return out, media.Faultf(media.Corrupt, op, "too many boxes")
		}
		if size-at < 8 {
			return out, media.Faultf(media.Corrupt, op, "the file ends within a box's header")
		}
		if _, err := r.ReadAt(header[:8], at); err != nil {
			return out, media.Fault(media.Other, op, err)
		}
		length, kind := int64(binary.BigEndian.Uint32(header[:4])), string(header[4:8])
		switch length {
		case 0: // to the end of the file
			length = size - at
		case 1: // a 64-bit length follows
			if size-at < 16 {
				return out, media.Faultf(media.Corrupt, op, "the file ends within a box's header")
			}
			if _, err := r.ReadAt(header[8:], at+8); err != nil {
				return out, media.Fault(media.Other, op, err)
			}
			long := binary.BigEndian.Uint64(header[8:])
			if long < 16 || long > 1<<62 {
				return out, media.Faultf(media.Corrupt, op, "a box with an impossible length")
			}
			length = int64(long)
		default:
			if length < 8 {
				return out, media.Faultf(media.Corrupt, op, "a box with an impossible length")
			}
		}
		if n == 0 && kind != "ftyp" && kind != "moov" && kind != "wide" && kind != "free" && kind != "skip" {
			return out, media.Faultf(media.Corrupt, op, "the file is not an MP4")
		}
		if length > size-at {
			return out, media.Faultf(media.Corrupt, op, "the file ends %d bytes too early", length-(size-at))
		}
		switch kind {
		case "ftyp":
			ftyp = true
		case "moov":
			moov = true
			out.FastStart = !mdat
		case "mdat":
			mdat = true
		case "moof":
			out.Fragmented = true
		}
		at += length
	}
	switch {
	case !ftyp && !moov:
		return out, media.Faultf(media.Corrupt, op, "the file is not an MP4")
	case !moov:
		return out, media.Faultf(media.Corrupt, op, "the file has no index (moov)")
	case !mdat:
		return out, media.Faultf(media.Corrupt, op, "the file has no pictures or sound (mdat)")
	}
	return out, nil
}
