// Package content generates the bytes that the benchmarks serve. They are a function of
// seed and offset, cheap to generate and to compare, so that every byte of every answer
// is checked at the speed of memory and no file has to be stored.
package content

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// block is the period of the pattern. The first sequenceLen bytes of each block are its
// number, the rest is the same random run in all blocks: small enough for the
// processor's cache, and without a shorter period.
const (
	block       = 4096
	sequenceLen = 8
)

// Content is one file's bytes; it implements the emulators' content. Safe for
// concurrent use.
type Content struct {
	size    int64
	seed    uint64
	pattern [block]byte
}

// New is size bytes that no other seed has.
func New(size int64, seed uint64) *Content {
	c := &Content{size: size, seed: seed}
	rng := rand.New(rand.NewPCG(seed, 0x1ec7e2))
	for i := sequenceLen; i < block; i++ {
		c.pattern[i] = byte(rng.Uint32())
	}
	return c
}

// Size is the file's length.
func (c *Content) Size() int64 { return c.size }

// Seed is what New was given: with the size it is all that another process needs.
func (c *Content) Seed() uint64 { return c.seed }

func (c *Content) sequenceOf(index int64) (s [sequenceLen]byte) {
	binary.LittleEndian.PutUint64(s[:], (uint64(index)+c.seed)*0x9e3779b97f4a7c15)
	return s
}

// ReadAt implements io.ReaderAt.
func (c *Content) ReadAt(p []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.size-off))
	for rest := p[:n]; len(rest) > 0; {
		at := off % block
		s := c.sequenceOf(off / block)
		took := 0
		if at < sequenceLen {
			took = copy(rest, s[at:])
		}
		took += copy(rest[took:], c.pattern[at+int64(took):])
		rest, off = rest[took:], off+int64(took)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Matches reports whether p is the content at off.
func (c *Content) Matches(p []byte, off int64) bool {
	if off < 0 || off+int64(len(p)) > c.size {
		return false
	}
	for len(p) > 0 {
		at := off % block
		n := min(int64(len(p)), block-at)
		if at < sequenceLen {
			s := c.sequenceOf(off / block)
			n = min(n, sequenceLen-at)
			if !bytes.Equal(p[:n], s[at:at+n]) {
				return false
			}
		} else if !bytes.Equal(p[:n], c.pattern[at:at+n]) {
			return false
		}
		p, off = p[n:], off+n
	}
	return true
}
