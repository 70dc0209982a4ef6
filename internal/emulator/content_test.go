package emulator

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// TestSynthetic reads pieces of every alignment, and holds them against the definition.
func TestSynthetic(t *testing.T) {
	const size, seed = 3001, 7
	want := make([]byte, size)
	for i := range want {
		word := (uint64(i)>>3 + seed) * 0x9e3779b97f4a7c15
		word ^= word >> 29
		want[i] = byte(word >> (8 * (i & 7)))
	}
	c := Synthetic(size, seed)
	for range 2000 {
		off, p := rand.Int64N(size+10), make([]byte, rand.IntN(1200))
		n, err := c.ReadAt(p, off)
		here := want[min(off, size):]
		if wantN := min(len(p), len(here)); n != wantN || !bytes.Equal(p[:n], here[:n]) || errors.Is(err, io.EOF) != (n < len(p)) {
			t.Fatalf("%d bytes at %d: %d, %v", len(p), off, n, err)
		}
	}
}
