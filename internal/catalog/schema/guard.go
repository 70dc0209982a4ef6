package schema

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// ErrNotConfirmed is the error of a change of the schema that a person did not confirm.
var ErrNotConfirmed = errors.New("nothing was changed")

// Guard is what stands before a change of the schema of a database with data: a checked
// backup, and a person's confirmation.
type Guard struct {
	// BackupDir is where the backup is written; "" means no backup.
	BackupDir string
	// BackedUp is called with the backup's path, before Confirm.
	BackedUp func(path string)
	// Confirm reports whether a person agrees; nil means that nobody is asked.
	Confirm func() bool
}

// Admit returns nil when the schema may be changed. A database without a row needs neither
// backup nor confirmation. Without a backup that can be read back nobody is asked: the
// error says that nothing was changed.
func (g Guard) Admit(ctx context.Context, s *catalog.Store) error {
	if has, err := HasData(ctx, s); err != nil || !has {
		return err
	}
	if g.BackupDir != "" {
		path, err := Backup(ctx, s, g.BackupDir, time.Now())
		if err != nil {
			return fmt.Errorf("no backup, so nothing was changed (--no-backup goes on without): %w", err)
		}
		g.BackedUp(path)
	}
	if g.Confirm != nil && !g.Confirm() {
		return ErrNotConfirmed
	}
	return nil
}
