package chunkfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
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

// FuzzVerify: whatever a file holds, Verify ends with ErrTorn, or the bytes are those of which
// the header was made. A header with the right magic and checksum is tried as well, which a
// fuzzer would hardly find.
func FuzzVerify(f *testing.F) {
	small := Chunk{Index: 7, Length: 40, Size: 64}
	data := bytes.Repeat([]byte{1, 2, 3, 4}, 10)
	f.Add(append(small.Header("identity", data), data...), false)
	f.Add(append(small.Header("", data), data...), true)
	f.Add(append(Chunk{Index: 7, Length: 40, Size: 32}.Header("identity", data), data...), true)
	f.Add(small.Header("identity", data), true)
	damaged := append(small.Header("identity", data), data...)
	damaged[HeaderSize+30] ^= 1
	f.Add(damaged, true)
	f.Fuzz(func(t *testing.T, file []byte, sealed bool) {
		if sealed && len(file) >= HeaderSize {
			file = bytes.Clone(file)
			copy(file, magic)
			binary.LittleEndian.PutUint32(file[8:], crc32.Checksum(file[12:HeaderSize], castagnoli))
		}
		var identity string
		err := small.Verify(bytes.NewReader(file), func(found string) bool { identity = found; return true }, AllBlocks)
		if err != nil {
			if !errors.Is(err, ErrTorn) {
				t.Error(err)
			}
			return
		}
		if len(file) < HeaderSize+40 || len(identity) > MaxIdentity {
			t.Fatalf("%d bytes with the identity %q are whole", len(file), identity)
		}
		want := small.Header(identity, file[HeaderSize:HeaderSize+40])
		if !bytes.Equal(want[16:32], file[16:32]) || !bytes.Equal(want[32:32+4*10], file[32:32+4*10]) || !bytes.Equal(want[96:98+len(identity)], file[96:98+len(identity)]) {
			t.Fatal("the header is not that of the data")
		}
	})
}
