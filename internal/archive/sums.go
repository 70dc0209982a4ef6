package archive

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
)

// Sums are the size and the checksums of some bytes.
type Sums struct {
	Size        int64
	MD5, SHA256 string // lower-case hex
}

// CopySums copies from until its end, with constant memory, and returns the sums of what was
// read; with an error, of what was read before it.
func CopySums(to io.Writer, from io.Reader) (s Sums, err error) {
	sum5, sum256 := md5.New(), sha256.New()
	s.Size, err = io.CopyBuffer(io.MultiWriter(to, sum5, sum256), from, make([]byte, 256<<10))
	s.MD5, s.SHA256 = hex.EncodeToString(sum5.Sum(nil)), hex.EncodeToString(sum256.Sum(nil))
	return s, err
}

// FileSums reads a local file once. It ends with its context.
func FileSums(ctx context.Context, path string) (Sums, error) {
	f, err := os.Open(path)
	if err != nil {
		return Sums{}, err
	}
	s, err := CopySums(io.Discard, ContextReader{Ctx: ctx, Reader: f})
	return s, errors.Join(err, f.Close())
}
