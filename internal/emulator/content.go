// Package emulator holds what the emulated services share: contents of files, also
// synthetic ones that need no disk.
package emulator

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
)

// Content is a file's bytes; safe for concurrent use.
type Content interface {
	io.ReaderAt
	Size() int64
}

// Bytes is content in memory.
func Bytes(b []byte) Content { return byteContent(b) }

type byteContent []byte

func (b byteContent) Size() int64 { return int64(len(b)) }

func (b byteContent) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Synthetic is size bytes that are made as they are read: byte i is a hash of
// seed and i/8, so that large files need no memory and no disk.
func Synthetic(size int64, seed uint64) Content { return synthetic{size, seed} }

type synthetic struct {
	size int64
	seed uint64
}

func (s synthetic) Size() int64 { return s.size }

// ReadAt makes a block at a time, on the stack: the race detector then looks at each copy, and
// not at each byte, for which it takes several times as long as to make them.
func (s synthetic) ReadAt(p []byte, off int64) (int, error) {
	var block [512]byte
	n := 0
	for left := s.size - off; n < len(p) && left > int64(n); {
		at := uint64(off) + uint64(n)
		for i := 0; i < len(block); i += 8 {
			word := (at>>3 + uint64(i>>3) + s.seed) * 0x9e3779b97f4a7c15
			word ^= word >> 29
			for b := range 8 {
				block[i+b] = byte(word >> (8 * b))
			}
		}
		made := block[at&7:]
		n += copy(p[n:], made[:min(int64(len(made)), left-int64(n))])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Concat is contents one behind the other.
func Concat(parts ...Content) Content { return concat(parts) }

type concat []Content

func (c concat) Size() (n int64) {
	for _, p := range c {
		n += p.Size()
	}
	return n
}

func (c concat) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for _, part := range c {
		size := part.Size()
		if off < size && n < len(p) {
			got, err := part.ReadAt(p[n:min(len(p), n+int(min(size-off, int64(len(p)))))], off)
			n += got
			off += int64(got)
			if err != nil && !errors.Is(err, io.EOF) {
				return n, err
			}
		}
		off = max(0, off-size)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Checksums are those of a file, in lower-case hex.
type Checksums struct{ MD5, SHA256 string }

// OpenFile is a file's bytes, read in place, and their checksums.
func OpenFile(path string) (Content, Checksums, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return nil, Checksums{}, err
	}
	defer f.Close()
	md5Sum, sha256Sum := md5.New(), sha256.New()
	n, err := io.Copy(io.MultiWriter(md5Sum, sha256Sum), f)
	if err != nil {
		return nil, Checksums{}, err
	}
	return fileContent{path, n}, Checksums{hex.EncodeToString(md5Sum.Sum(nil)), hex.EncodeToString(sha256Sum.Sum(nil))}, nil
}

type fileContent struct {
	path string
	size int64
}

func (f fileContent) Size() int64 { return f.size }

func (f fileContent) ReadAt(p []byte, off int64) (int, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.ReadAt(p, off)
}
