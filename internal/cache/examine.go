package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// InUse tells whether a gateway has the directory open. It changes nothing; a
// directory that is not there is not in use.
func InUse(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	defer f.Close() // and the lock with it
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// Stored is the size of the chunk files below the directory.
func ChunkFileBytes(dir string) (size int64) {
	_ = filepath.WalkDir(filepath.Join(dir, "chunks"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read is not counted
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}
