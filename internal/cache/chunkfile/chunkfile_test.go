package chunkfile

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

var chunk = Chunk{Index: 7, Length: 40_000, Size: 64 << 10}

func file() []byte {
	data := bytes.Repeat([]byte{1, 2, 3, 4, 5}, 8000)
	return append(chunk.Header("identity", data), data...)
}

func accept(identity string) bool { return identity == "identity" }

func TestVerify(t *testing.T) {
	damage := func(at int) []byte {
		f := file()
		f[at] ^= 1
		return f
	}
	for _, c := range []struct {
		name   string
		file   []byte
		chunk  Chunk
		accept func(string) bool
		blocks Blocks
		torn   bool
	}{
		{"whole", file(), chunk, accept, AllBlocks, false},
		{"another index", file(), Chunk{8, 40_000, 64 << 10}, accept, AllBlocks, true},
		{"another length", file(), Chunk{7, 40_001, 64 << 10}, accept, AllBlocks, true},
		{"another object", file(), chunk, func(string) bool { return false }, AllBlocks, true},
		{"a bit of the magic", damage(0), chunk, accept, AllBlocks, true},
		{"a bit of the identity", damage(99), chunk, accept, AllBlocks, true},
		{"a bit of the data", damage(HeaderSize + 5000), chunk, accept, AllBlocks, true},
		{"a bit of another block", damage(HeaderSize + 5000), chunk, accept, BlocksOf(64<<10, 0, 4096), false},
		{"no header", nil, chunk, accept, AllBlocks, true},
		{"truncated", file()[:HeaderSize+39_999], chunk, accept, AllBlocks, true},
	} {
		err := c.chunk.Verify(bytes.NewReader(c.file), c.accept, c.blocks)
		if errors.Is(err, ErrTorn) != c.torn || (err != nil) != c.torn {
			t.Errorf("%s: %v, want torn: %v", c.name, err, c.torn)
		}
	}
}

type failingReader struct{}

func (failingReader) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestAReadErrorIsNotTorn(t *testing.T) {
	if err := chunk.Verify(failingReader{}, accept, AllBlocks); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, ErrTorn) {
		t.Errorf("a disk that fails: %v", err)
	}
}

func TestBlocksOf(t *testing.T) {
	for _, c := range []struct {
		off, n int64
		want   Blocks
	}{{0, 1, 1}, {4095, 1, 1}, {4095, 2, 3}, {4096, 4096, 2}, {0, 64 << 10, AllBlocks}, {64<<10 - 1, 1, 1 << 15}} {
		if got := BlocksOf(64<<10, c.off, c.n); got != c.want {
			t.Errorf("%d bytes from %d: %b, want %b", c.n, c.off, got, c.want)
		}
	}
}

// FuzzVerify: whatever a file holds, Verify ends with ErrTorn or with the bytes
// that the header's checksums cover.
func FuzzVerify(f *testing.F) {
	f.Add(file())
	f.Add(file()[:HeaderSize])
	f.Fuzz(func(t *testing.T, file []byte) {
		err := chunk.Verify(bytes.NewReader(file), func(string) bool { return true }, AllBlocks)
		if err != nil && !errors.Is(err, ErrTorn) {
			t.Error(err)
		}
	})
}
