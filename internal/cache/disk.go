package cache

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/failpoint"
)

// disk is the part of the operating system that may fail or be slow. Tests
// replace it to inject faults and to count calls.
type disk interface {
	CreateTemp(dir string) (*os.File, error)
	Open(path string, flag int) (*os.File, error)
	Rename(from, to string) error
	Remove(path string) error
	Stat(path string) (os.FileInfo, error)
	// Free is how many bytes of the directory's filesystem the process may take.
	Free(dir string) (int64, error)
	// LowerPriority lowers that of the calling thread.
	LowerPriority() error
	// ThreadWaits are the calling thread's waits for a processor.
	ThreadWaits() threadWaits
}

type realDisk struct{}

func (realDisk) CreateTemp(dir string) (*os.File, error) {
	if err := failpoint.Err("cache.create-temp"); err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, "chunk-*")
}

func (realDisk) LowerPriority() error { return lowerPriority() }

func (realDisk) ThreadWaits() threadWaits { return ownWaits() }

func (realDisk) Open(path string, flag int) (*os.File, error) {
	if err := failpoint.Err("cache.open"); err != nil {
		return nil, err
	}
	return os.OpenFile(path, flag, 0)
}

func (realDisk) Remove(path string) error {
	if err := failpoint.Err("cache.remove"); err != nil {
		return err
	}
	err := os.Remove(path)
	failpoint.Here("cache.removed")
	return err
}

func (realDisk) Stat(path string) (os.FileInfo, error) {
	if err := failpoint.Err("cache.stat"); err != nil {
		return nil, err
	}
	return os.Stat(path)
}

func (realDisk) Free(dir string) (int64, error) {
	if err := failpoint.Err("cache.free"); err != nil {
		return 0, err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// Rename makes the target's folder where it is missing. A concurrent removal of
// the folder's last chunk may remove the folder again before the rename, hence the
// loop.
func (realDisk) Rename(from, to string) (err error) {
	if err := failpoint.Err("cache.rename"); err != nil {
		return err
	}
	for range 10 {
		if err = os.Rename(from, to); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err = failpoint.Err("cache.make-folder"); err != nil {
			return err
		}
		if err = os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		failpoint.Here("cache.made-folder")
	}
	return os.Rename(from, to)
}

// openChunk opens a chunk's file for reading, without updates of its time of last access:
// a sendfile(2) would wait for the filesystem's journal where that is due. The system
// refuses this, open(2), for a file that is somebody else's; it is opened as usual then.
func openChunk(d disk, path string) (*os.File, error) {
	f, err := d.Open(path, os.O_RDONLY|unix.O_NOATIME)
	if errors.Is(err, unix.EPERM) {
		return d.Open(path, os.O_RDONLY)
	}
	return f, err
}

// verifyChunk is chunk.Verify of a file on the disk.
func verifyChunk(chunk chunkfile.Chunk, f *os.File, accept func(identity string) bool, blocks chunkfile.Blocks) error {
	if err := failpoint.Err("cache.read"); err != nil {
		return err
	}
	return chunk.Verify(f, accept, blocks)
}

// writeChunk makes a chunk file appear whole: temp file, write, close, rename. It
// is not synced: after a crash a torn file fails its checksums and is a miss, which
// costs less than a sync of every chunk. remains reports that a failed write has
// left a file on the disk.
func writeChunk(d disk, tmpDir, to string, header, data []byte) (remains bool, err error) {
	f, err := d.CreateTemp(tmpDir)
	if err != nil {
		return false, err
	}
	_, err = failpoint.Write("cache.write-header", f, header)
	if err == nil {
		_, err = failpoint.Write("cache.write-data", f, data)
	}
	if err == nil {
		err = failpoint.Err("cache.close")
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = d.Rename(f.Name(), to)
		failpoint.Here("cache.renamed")
	}
	if err != nil {
		failpoint.Here("cache.remove-temp")
		removeErr := os.Remove(f.Name()) // the next start clears the directory of temp files
		remains = removeErr != nil && !errors.Is(removeErr, os.ErrNotExist)
	}
	return remains, err
}
