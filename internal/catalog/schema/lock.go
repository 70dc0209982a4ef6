package schema

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/catalog"
)

// migrationLock is the key of the advisory lock that lets one process migrate at a time.
const migrationLock = 0x6c65637465726e // "lectern"

// lockRetryInterval is how often a locked directory is tried again.
const lockRetryInterval = 20 * time.Millisecond

// exclusively runs f while no other process migrates.
//
// On PostgreSQL a transaction of its own holds an advisory lock: unlike a session's lock
// it works through a transaction-mode pooler. f runs on other connections. SQLite's own
// locks last for one migration only, so that there the directory of the file is locked.
func exclusively(ctx context.Context, s *catalog.Store, op string, f func(catalog.Session) error) error {
	if s.Dialect() == catalog.Postgres {
		// Nothing is written in the transaction: its end, however it comes, frees the lock.
		return s.Update(ctx, op, func(x catalog.Session) error {
			if _, err := x.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
				return err
			}
			return s.View(ctx, op, f)
		})
	}
	err := s.AsOnlyWriter(ctx, func() error {
		return withDirectoryLock(ctx, filepath.Dir(s.Path()), func() error { return s.View(ctx, op, f) })
	})
	return catalog.WrapError(ctx, op, err)
}

// withDirectoryLock runs f under flock(2) on a directory, which leaves nothing behind and
// which the kernel releases with the process. flock cannot be waited for with a context,
// so that it is tried at intervals.
func withDirectoryLock(ctx context.Context, path string, f func() error) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close() // releases the lock
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f()
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-time.After(lockRetryInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
