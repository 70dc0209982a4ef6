package mp4

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

const op = "mp4"

// box is where a box lies in the file. Its payload is [body, end).
type box struct {
	kind      string
	body, end int64
}

// headerStatus says what readHeader found.
type headerStatus uint8

const (
	headerOK headerStatus = iota
	// headerPartial: the limit comes before the end of the header.
	headerPartial
	// headerImpossible: the length is smaller than the header.
	headerImpossible
)

// readHeader reads the header at an offset; limit is the end of the enclosing box or
// of the file. A box of length 0 extends to the limit (section 4.2). The end it
// returns may lie beyond the limit.
func readHeader(r io.ReaderAt, at, limit int64) (box, headerStatus, error) {
	var header [16]byte
	if limit-at < 8 {
		return box{}, headerPartial, nil
	}
	if err := readFull(r, header[:8], at); err != nil {
		return box{}, headerOK, err
	}
	b := box{kind: string(header[4:8]), body: at + 8}
	switch length := int64(binary.BigEndian.Uint32(header[:4])); {
	case length == 0:
		b.end = limit
	case length == 1:
		if limit-at < 16 {
			return b, headerPartial, nil
		}
		if err := readFull(r, header[8:], at+8); err != nil {
			return box{}, headerOK, err
		}
		long := binary.BigEndian.Uint64(header[8:])
		if long < 16 {
			return b, headerImpossible, nil
		}
		b.body = at + 16
		// A length beyond any file must not wrap around.
		b.end = at + int64(min(long, 1<<61))
	case length < 8:
		return b, headerImpossible, nil
	default:
		b.end = at + length
	}
	return b, headerOK, nil
}

// children calls f for every box within [at, end). Bytes that are no box end the walk:
// some writers pad a container with four zero bytes. A box that passes the end of its
// container is refused.
func children(r io.ReaderAt, at, end int64, f func(box) error) error {
	for n := 0; at < end; n++ {
		if n == maxChildren {
			return refuse(ReasonMalformed, "too many boxes in one")
		}
		b, status, err := readHeader(r, at, end)
		if err != nil {
			return err
		}
		if status != headerOK {
			return nil
		}
		if b.end > end {
			return refuse(ReasonMalformed, "the box %q passes the end of its container", b.kind)
		}
		if err := f(b); err != nil {
			return err
		}
		at = b.end
	}
	return nil
}

// readBody reads the first len(p) bytes of a box, or fewer when it has fewer.
func readBody(r io.ReaderAt, b box, p []byte) ([]byte, error) {
	p = p[:min(int64(len(p)), b.end-b.body)]
	return p, readFull(r, p, b.body)
}

// readFull reads all of p. The file is as long as the caller said: an early end is a
// fault of the reader, and not of the format.
func readFull(r io.ReaderAt, p []byte, at int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return media.Fault(media.Other, op, err)
}
