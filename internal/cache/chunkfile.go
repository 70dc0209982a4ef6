package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/media"
)

// A chunk file is a header of headerSize bytes, then the data. The data begins at
// a page's border, which is where sendfile(2) likes it.
//
//	0   8  magic and format version
//	8   4  CRC-32C of the header from byte 12 to its end
//	12  4  zero
//	16  8  index of the chunk
//	24  8  length of the data
//	32 64  CRC-32C of each block of the data; a block is a sixteenth of a full chunk
//	96  2  length of the identity
//	98  …  identity, then zeros
const (
	headerSize  = 4096
	magic       = "LCTRNCK2"
	maxBlocks   = 16
	maxIdentity = headerSize - 98
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn is what a chunk file is that does not hold what its name says.
var errTorn = errors.New("torn or foreign chunk file")

// blockSet has a bit for each block of a chunk.
type blockSet uint16

// allBlocks is verified of a file we wrote ourselves.
const allBlocks = ^blockSet(0)

func blockSize(chunkSize int64) int64 { return (chunkSize + maxBlocks - 1) / maxBlocks }

// blocksOf is the blocks that n bytes from off on lie in.
func blocksOf(chunkSize, off, n int64) (set blockSet) {
	size := blockSize(chunkSize)
	for b := off / size; b <= (off+n-1)/size; b++ {
		set |= 1 << b
	}
	return set
}

func encodeHeader(identity string, index, chunkSize int64, data []byte) []byte {
	h := make([]byte, headerSize)
	copy(h, magic)
	binary.LittleEndian.PutUint64(h[16:], uint64(index))
	binary.LittleEndian.PutUint64(h[24:], uint64(len(data)))
	size := int(blockSize(chunkSize))
	for b := 0; b*size < len(data); b++ {
		binary.LittleEndian.PutUint32(h[32+4*b:], crc32.Checksum(data[b*size:min((b+1)*size, len(data))], castagnoli))
	}
	binary.LittleEndian.PutUint16(h[96:], uint16(len(identity)))
	copy(h[98:], identity)
	binary.LittleEndian.PutUint32(h[8:], crc32.Checksum(h[12:], castagnoli))
	return h
}

// readHeader reads a chunk file's header and compares it with where the file was
// found.
func readHeader(f io.ReaderAt, index, length int64) (h []byte, identity string, err error) {
	h = make([]byte, headerSize)
	if _, err := f.ReadAt(h, 0); err != nil {
		return nil, "", torn(err, "header")
	}
	n := int(binary.LittleEndian.Uint16(h[96:]))
	if !bytes.Equal(h[:8], []byte(magic)) || n > maxIdentity ||
		binary.LittleEndian.Uint32(h[8:]) != crc32.Checksum(h[12:], castagnoli) ||
		binary.LittleEndian.Uint64(h[16:]) != uint64(index) ||
		binary.LittleEndian.Uint64(h[24:]) != uint64(length) {
		return nil, "", fmt.Errorf("%w: header", errTorn)
	}
	return h, string(h[98 : 98+n]), nil
}

// verifyBlocks compares a chunk file's header, and those blocks of its data.
func verifyBlocks(f io.ReaderAt, identity string, index, length, chunkSize int64, blocks blockSet) error {
	h, found, err := readHeader(f, index, length)
	if err != nil {
		return err
	}
	if found != identity {
		return fmt.Errorf("%w: of another object", errTorn)
	}
	return compareBlocks(f, h, length, chunkSize, blocks)
}

// verifyWhole compares a chunk file with its folder's name and every checksum in
// it, for who does not know the object.
func verifyWhole(f io.ReaderAt, key objectKey, index, length, chunkSize int64) error {
	h, found, err := readHeader(f, index, length)
	if err != nil {
		return err
	}
	parts := strings.Split(found, "\x00")
	if len(parts) < 2 || keyOfIdentity(media.Location{Provider: parts[0], Key: parts[1]}, found) != key {
		return fmt.Errorf("%w: of another object", errTorn)
	}
	return compareBlocks(f, h, length, chunkSize, allBlocks)
}

func compareBlocks(f io.ReaderAt, header []byte, length, chunkSize int64, blocks blockSet) error {
	size := blockSize(chunkSize)
	buf := make([]byte, min(size, length))
	for b := int64(0); b*size < length; b++ {
		if blocks&(1<<b) == 0 {
			continue
		}
		part := buf[:min(size, length-b*size)]
		if _, err := f.ReadAt(part, headerSize+b*size); err != nil {
			return torn(err, "data")
		}
		if crc32.Checksum(part, castagnoli) != binary.LittleEndian.Uint32(header[32+4*b:]) {
			return fmt.Errorf("%w: block %d", errTorn, b)
		}
	}
	return nil
}

// torn is errTorn for a file that ends too early, and the disk's own fault else.
func torn(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %s: %w", errTorn, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// disk is the part of the operating system that may fail a write.
type disk interface {
	CreateTemp(dir string) (*os.File, error)
	Rename(from, to string) error
	// Free is how many bytes of the directory's filesystem we may still take.
	Free(dir string) (int64, error)
}

type realDisk struct{}

func (realDisk) CreateTemp(dir string) (*os.File, error) { return os.CreateTemp(dir, "chunk-*") }

func (realDisk) Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// Rename makes the target's folder where it is missing. Somebody may remove it
// again before the rename, because its last chunk has just gone.
func (realDisk) Rename(from, to string) (err error) {
	for range 10 {
		if err = os.Rename(from, to); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err = os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
	}
	return os.Rename(from, to)
}

// writeChunk makes a chunk file appear whole. It is not synced: after a crash a
// torn file fails its checksum and is a miss, which costs less than waiting.
// litter reports that a failed write has left something on the disk.
func writeChunk(d disk, tmpDir, to string, header, data []byte) (litter bool, err error) {
	f, err := d.CreateTemp(tmpDir)
	if err != nil {
		return false, err
	}
	_, err = f.Write(header)
	if err == nil {
		_, err = f.Write(data)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = d.Rename(f.Name(), to)
	}
	if err != nil {
		removeErr := os.Remove(f.Name()) // what cannot be removed goes at the next start
		litter = removeErr != nil && !errors.Is(removeErr, os.ErrNotExist)
	}
	return litter, err
}
