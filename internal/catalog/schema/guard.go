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

// Guard is what stands before a change of the schema of a database with data: a person's
// confirmation, and a checked backup.
type Guard struct {
	// BackupDir is where the backup is written; "" means no backup.
	BackupDir string
	// BackedUp is called with the backup's path.
	BackedUp func(path string)
	// Confirm reports whether a person agrees; nil means that nobody is asked.
	Confirm func() bool
}

// Admit returns nil when the schema may be changed. A database without data of Lectern's
// needs neither confirmation nor backup. The backup is made after the confirmation, so
// that a refusal leaves no file behind. Without a backup that can be read back the error
// says that nothing was changed.
func (g Guard) Admit(ctx context.Context, s *catalog.Store) error {
	if has, err := HasData(ctx, s); err != nil || !has {
		return err
	}
	if g.Confirm != nil && !g.Confirm() {
		return ErrNotConfirmed
	}
	if g.BackupDir == "" {
		return nil
	}
	path, err := Backup(ctx, s, g.BackupDir, time.Now())
	if err != nil {
		return fmt.Errorf("no backup, so nothing was changed (--no-backup goes on without): %w", err)
	}
	g.BackedUp(path)
	return nil
}
