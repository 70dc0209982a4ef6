// Package chunkfile is the format of a chunk's file: a header of HeaderSize bytes,
// then the data. It knows no object and no cache; the directory layout is the
// caller's.
//
// The data begins at a page boundary, which sendfile(2) needs to send whole pages.
//
//	offset size
//	     0    8  magic and format version
//	     8    4  CRC-32C of the header from byte 12 to its end
//	    12    4  zero
//	    16    8  index of the chunk
//	    24    8  length of the data
//	    32   64  CRC-32C of each block of the data; a block is a sixteenth of a full chunk
//	    96    2  length of the identity
//	    98    …  identity, then zeros
//
// A file is not synced before it is renamed into place. After a crash it may be
// torn; its checksums then fail, and the chunk is a miss.
package chunkfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	// HeaderSize is the offset of the data, in bytes.
	HeaderSize = 4096
	// MaxIdentity is the longest identity that fits into a header, in bytes.
	MaxIdentity = HeaderSize - 98

	magic     = "LCTRNCK2"
	maxBlocks = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrTorn is the error of a file that is truncated, damaged, or of another chunk.
// Any other error of Verify is the disk's.
var ErrTorn = errors.New("torn or foreign chunk file")

// Blocks has a bit for each block of a chunk.
type Blocks uint16

// AllBlocks has the bit of every block.
const AllBlocks = ^Blocks(0)

// BlockSize is the length of a block, in bytes, of chunks of chunkSize bytes.
func BlockSize(chunkSize int64) int64 { return (chunkSize + maxBlocks - 1) / maxBlocks }

// BlocksOf returns the blocks that contain the n bytes from off on; n is positive.
func BlocksOf(chunkSize, off, n int64) (set Blocks) {
	size := BlockSize(chunkSize)
	for b := off / size; b <= (off+n-1)/size; b++ {
		set |= 1 << b
	}
	return set
}

// Chunk says where a chunk's bytes belong.
type Chunk struct {
	Index  int64 // in its object
	Length int64 // of the data, in bytes; less than Size at the object's end only
	Size   int64 // of a full chunk, in bytes
}

// Header encodes the header of a file that holds data. The identity is no longer
// than MaxIdentity. Checksums that a run of the data has are not computed again.
func (c Chunk) Header(identity string, data []byte, runs ...*Run) []byte {
	h := make([]byte, HeaderSize)
	copy(h, magic)
	binary.LittleEndian.PutUint64(h[16:], uint64(c.Index))
	binary.LittleEndian.PutUint64(h[24:], uint64(len(data)))
	size := int(BlockSize(c.Size))
	for b := 0; b*size < len(data); b++ {
		sum, known := sumOf(b, runs)
		if !known {
			sum = crc32.Checksum(data[b*size:min((b+1)*size, len(data))], castagnoli)
		}
		binary.LittleEndian.PutUint32(h[32+4*b:], sum)
	}
	binary.LittleEndian.PutUint16(h[96:], uint16(len(identity)))
	copy(h[98:], identity)
	binary.LittleEndian.PutUint32(h[8:], crc32.Checksum(h[12:], castagnoli))
	return h
}

// Verify compares the file's header with c, its identity by the caller's accept,
// and the checksums of the given blocks with the data.
func (c Chunk) Verify(f io.ReaderAt, accept func(identity string) bool, blocks Blocks) error {
	header, identity, err := c.readHeader(f)
	if err != nil {
		return err
	}
	if !accept(identity) {
		return fmt.Errorf("%w: of another object", ErrTorn)
	}
	size := BlockSize(c.Size)
	buf := make([]byte, min(size, c.Length))
	for b := int64(0); b*size < c.Length; b++ {
		if blocks&(1<<b) == 0 {
			continue
		}
		part := buf[:min(size, c.Length-b*size)]
		if _, err := f.ReadAt(part, HeaderSize+b*size); err != nil {
			return readError(err, "data")
		}
		if crc32.Checksum(part, castagnoli) != binary.LittleEndian.Uint32(header[32+4*b:]) {
			return fmt.Errorf("%w: block %d", ErrTorn, b)
		}
	}
	return nil
}

func (c Chunk) readHeader(f io.ReaderAt) (h []byte, identity string, err error) {
	h = make([]byte, HeaderSize)
	if _, err := f.ReadAt(h, 0); err != nil {
		return nil, "", readError(err, "header")
	}
	n := int(binary.LittleEndian.Uint16(h[96:]))
	if !bytes.Equal(h[:8], []byte(magic)) || n > MaxIdentity ||
		binary.LittleEndian.Uint32(h[8:]) != crc32.Checksum(h[12:], castagnoli) ||
		binary.LittleEndian.Uint64(h[16:]) != uint64(c.Index) ||
		binary.LittleEndian.Uint64(h[24:]) != uint64(c.Length) {
		return nil, "", fmt.Errorf("%w: header", ErrTorn)
	}
	return h, string(h[98 : 98+n]), nil
}

// readError is ErrTorn for a file that ends too early, and the disk's own error
// otherwise.
func readError(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %s: %w", ErrTorn, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
