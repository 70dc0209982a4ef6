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
)

// A chunk file is a header of headerSize bytes, then the data. The data begins at
// a page's border, which is where sendfile(2) likes it.
//
//	0   8  magic and format version
//	8   4  CRC-32C of the header from byte 12 to its end
//	12  4  CRC-32C of the data
//	16  8  index of the chunk
//	24  8  length of the data
//	32  2  length of the identity
//	34  …  identity, then zeros
const (
	headerSize  = 4096
	magic       = "LCTRNCK1"
	maxIdentity = headerSize - 34
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn is what a chunk file is that does not hold what its name says.
var errTorn = errors.New("torn or foreign chunk file")

func encodeHeader(identity string, index int64, data []byte) []byte {
	h := make([]byte, headerSize)
	copy(h, magic)
	binary.LittleEndian.PutUint32(h[12:], crc32.Checksum(data, castagnoli))
	binary.LittleEndian.PutUint64(h[16:], uint64(index))
	binary.LittleEndian.PutUint64(h[24:], uint64(len(data)))
	binary.LittleEndian.PutUint16(h[32:], uint16(len(identity)))
	copy(h[34:], identity)
	binary.LittleEndian.PutUint32(h[8:], crc32.Checksum(h[12:], castagnoli))
	return h
}

// verifyFile reads a whole chunk file and compares everything in it.
func verifyFile(f io.ReaderAt, identity string, index, length int64) error {
	h := make([]byte, headerSize)
	if _, err := f.ReadAt(h, 0); err != nil {
		return fmt.Errorf("%w: header: %w", errTorn, err)
	}
	switch {
	case !bytes.Equal(h[:8], []byte(magic)),
		binary.LittleEndian.Uint32(h[8:]) != crc32.Checksum(h[12:], castagnoli),
		binary.LittleEndian.Uint64(h[16:]) != uint64(index),
		binary.LittleEndian.Uint64(h[24:]) != uint64(length),
		int(binary.LittleEndian.Uint16(h[32:])) != len(identity),
		string(h[34:34+len(identity)]) != identity:
		return fmt.Errorf("%w: header", errTorn)
	}
	sum := crc32.New(castagnoli)
	n, err := io.Copy(sum, io.NewSectionReader(f, headerSize, length))
	if err != nil || n != length || sum.Sum32() != binary.LittleEndian.Uint32(h[12:]) {
		return fmt.Errorf("%w: data", errTorn)
	}
	return nil
}

// disk is the part of the operating system that may fail a write.
type disk interface {
	CreateTemp(dir string) (*os.File, error)
	Rename(from, to string) error
}

type realDisk struct{}

func (realDisk) CreateTemp(dir string) (*os.File, error) { return os.CreateTemp(dir, "chunk-*") }

// Rename makes the folders of the target first: most chunks have neighbours.
func (realDisk) Rename(from, to string) error {
	err := os.Rename(from, to)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(to), 0o700); err == nil {
			err = os.Rename(from, to)
		}
	}
	return err
}

// writeChunk makes a chunk file appear whole. It is not synced: after a crash a
// torn file fails its checksum and is a miss, which costs less than waiting.
func writeChunk(d disk, tmpDir, to, identity string, index int64, data []byte) (err error) {
	f, err := d.CreateTemp(tmpDir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what cannot be removed goes at the next start
		}
	}()
	_, err = f.Write(encodeHeader(identity, index, data))
	if err == nil {
		_, err = f.Write(data)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return d.Rename(f.Name(), to)
}
