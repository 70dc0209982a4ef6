package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/failpoint"
)

// lockDirectory takes the directory lock, which keeps two gateways from sharing a
// directory. The kernel releases it with the process, however the process ends.
func lockDirectory(dir string) (*os.File, error) {
	if err := failpoint.Err("cache.lock"); err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	f, err := os.OpenFile(lockFile(dir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cache-dir: %s is in use by another gateway", dir)
	}
	return f, nil
}

func lockFile(dir string) string { return filepath.Join(dir, "lock") }

// Owner is what the process that holds a directory lock has recorded of itself.
type Owner struct {
	PID int `json:"pid"`
	// Admin is the address of its admin listener, which accepts cache commands.
	Admin string `json:"admin"`
}

// RecordOwner writes the address of the admin listener into the lock file, for
// commands that find the directory locked.
func (c *Cache) RecordOwner(admin string) error {
	text, err := json.Marshal(Owner{PID: os.Getpid(), Admin: admin})
	if err != nil {
		return err
	}
	if err := c.lock.Truncate(0); err != nil {
		return fmt.Errorf("cache-dir: %w", err)
	}
	failpoint.Here("cache.record-owner")
	if _, err := c.lock.WriteAt(append(text, '\n'), 0); err != nil {
		return fmt.Errorf("cache-dir: %w", err)
	}
	return nil
}

// OwnerOf returns the owner of a cache's directory, nil when there is none. An owner
// that has not recorded itself has no Admin.
func OwnerOf(dir string) (*Owner, error) {
	f, err := os.OpenFile(lockFile(dir), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	defer f.Close()
	locked, err := isLocked(f)
	if err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	if !locked {
		return nil, nil
	}
	var owner Owner
	_ = json.NewDecoder(f).Decode(&owner) // a starting owner has written nothing yet
	return &owner, nil
}

// InUse reports whether a gateway has the directory open. It changes nothing; a
// directory that does not exist is not in use.
func InUse(dir string) (bool, error) {
	f, err := os.Open(lockFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	return isLocked(f)
}

// isLocked reports whether another process holds the directory lock. If none does,
// the lock is the caller's until it closes the file.
func isLocked(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
