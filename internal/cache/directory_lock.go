package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockDirectory keeps two gateways from sharing a directory. The kernel drops
// the lock with the process, however it ends.
func lockDirectory(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cache-dir: %s is in use by another gateway", dir)
	}
	return f, nil
}

// Holder is what the process that holds a cache's directory says of itself.
type Owner struct {
	PID int `json:"pid"`
	// Admin is the address of its admin listener, where it takes orders.
	Admin string `json:"admin"`
}

// Announce writes into the lock file where the cache's owner takes orders, for
// commands that find the directory locked.
func (c *Cache) RecordOwner(admin string) error {
	text, err := json.Marshal(Owner{PID: os.Getpid(), Admin: admin})
	if err != nil {
		return err
	}
	if err := c.lock.Truncate(0); err != nil {
		return fmt.Errorf("cache-dir: %w", err)
	}
	if _, err := c.lock.WriteAt(append(text, '\n'), 0); err != nil {
		return fmt.Errorf("cache-dir: %w", err)
	}
	return nil
}

// HolderOf finds out who holds a cache's directory: nil when nobody does. A holder
// that has not announced itself has no Admin.
func OwnerOf(dir string) (*Owner, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	defer f.Close() // and with it a lock that we got
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		return nil, nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	var h Owner
	_ = json.NewDecoder(f).Decode(&h) // one that is just starting has written nothing yet
	return &h, nil
}
