package syncer

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lectiospace/lectern/internal/failpoint"
)

// lockFile shows other processes on this machine that this one lives: whoever can
// lock it knows that it does not.
type lockFile struct {
	f    *os.File
	path string
}

func newLockFile(dir, id string) (*lockFile, error) {
	path := filepath.Join(dir, id+".alive")
	if err := failpoint.Err("syncer.create-alive-file"); err != nil {
		return nil, fmt.Errorf("sync-work-dir: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sync-work-dir: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("sync-work-dir: %w", err)
	}
	return &lockFile{f, path}, nil
}

// Close ends the sign of life.
func (l *lockFile) Close() {
	_ = os.Remove(l.path)
	l.f.Close()
}

// certainlyDead reports whether a syncer of this machine has ended: its file is here
// and nobody holds it. The file is removed.
func certainlyDead(dir, id string) bool {
	path := filepath.Join(dir, filepath.Base(id)+".alive")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	failpoint.Here("syncer.remove-alive-file")
	_ = os.Remove(path)
	return true
}
