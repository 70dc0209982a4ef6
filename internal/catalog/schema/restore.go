package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// aliveFor is how old the heartbeat of a running program may be: three of a gateway's.
const aliveFor = 30 * time.Second

// BackupFile is a backup that has been read from its beginning to its end.
type BackupFile struct {
	Path    string // absolute
	Layout  Layout
	Version int64 // the last one that is applied in it
	// rows counts the rows of each table, with its schema; PostgreSQL only.
	rows map[string]int64
}

// Restored says what a restore did.
type Restored struct {
	// Replaced is the path of a backup of what was replaced; "" when that was nothing, or
	// not wanted.
	Replaced string
	// Orphans is how many rows were changed or left out because the platform has removed
	// since the backup what they refer to.
	Orphans int64
	// Pending are the versions that the backup lacks.
	Pending []Migration
}

// VerifyBackup reads a whole backup and checks that the database of s can take it: its
// kind of database, its layout, and that this program can work with its version. Kind
// Invalid says what is wrong. Nothing is changed.
func VerifyBackup(ctx context.Context, s *catalog.Store, path string) (b BackupFile, err error) {
	const op = "schema: verify the backup"
	path, err = filepath.Abs(path)
	if err == nil {
		err = checkKind(path, s.Dialect())
	}
	if err != nil {
		return b, media.Fault(media.Invalid, op, err)
	}
	if s.Dialect() == catalog.SQLite {
		b, err = verifySQLite(ctx, path)
	} else {
		b, err = verifyDump(ctx, s, path)
	}
	if err != nil {
		return b, media.Fault(media.Invalid, op, fmt.Errorf("%s: %w", path, err))
	}
	var current Layout
	err = s.View(ctx, op, func(x catalog.Session) error {
		current, err = currentLayout(ctx, x)
		return err
	})
	if err != nil {
		return b, err
	}
	if current != b.Layout {
		return b, media.Faultf(media.Invalid, op, "%s is of layout %s, and the database's is %s", path, b.Layout, current)
	}
	return b, nil
}

// checkKind tells the files of both databases apart by their first bytes.
func checkKind(path string, d catalog.Dialect) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := f.Read(head)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", path, err)
	}
	kinds := []struct {
		dialect     catalog.Dialect
		name, magic string
	}{{catalog.SQLite, "SQLite", "SQLite format 3\x00"}, {catalog.Postgres, "PostgreSQL", "PGDMP"}}
	for _, k := range kinds {
		if bytes.HasPrefix(head[:n], []byte(k.magic)) {
			if k.dialect != d {
				return fmt.Errorf("%s is a backup of %s, and database-url names another kind of database", path, k.name)
			}
			return nil
		}
	}
	return fmt.Errorf("%s is no backup of Lectern's", path)
}

// Alive lists the gateways and syncers whose last heartbeat in the database is recent, for
// people.
func Alive(ctx context.Context, s *catalog.Store, now time.Time) (alive []string, err error) {
	err = s.View(ctx, "schema: list running programs", func(x catalog.Session) error {
		alive, err = listAlive(ctx, x, now)
		return err
	})
	return alive, err
}

func listAlive(ctx context.Context, x catalog.Session, now time.Time) (alive []string, err error) {
	for _, program := range []struct{ name, table string }{{"gateway", "lectern_gateways"}, {"syncer", "lectern_syncers"}} {
		there, err := x.HasTable(ctx, "lectern", program.table)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		err = x.Each(ctx, `SELECT id, beat_at FROM lectern.`+program.table+` ORDER BY id`, nil, func(scan func(...any) error) error {
			var (
				id string
				at catalog.DBTime
			)
			err := scan(&id, &at)
			// A clock that is ahead makes the age negative.
			if age := now.Sub(at.Time); err == nil && age < aliveFor {
				alive = append(alive, fmt.Sprintf("%s %s (last heartbeat %s ago)", program.name, id, max(age, 0).Round(time.Second)))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return alive, nil
}

// Restore replaces Lectern's data in the database by a backup that was verified, or
// changes nothing: a replacement that fails, or that does not prove to be what the backup
// has, is rolled back. It is refused (Kind Invalid) while a gateway or a syncer is alive.
// A copy of what is replaced is written into backups first, unless backups is "". Beside
// the platform the schema lectern alone is touched.
func Restore(ctx context.Context, s *catalog.Store, b BackupFile, backups string, now func() time.Time) (done Restored, err error) {
	const op = "schema: restore"
	err = exclusively(ctx, s, op, func(x catalog.Session) error {
		alive, err := listAlive(ctx, x, now())
		if err != nil {
			return err
		}
		if len(alive) > 0 {
			return media.Fault(media.Invalid, op, AliveError(alive))
		}
		if has, err := HasData(ctx, s); err != nil {
			return err
		} else if has && backups != "" {
			if done.Replaced, err = backUp(ctx, s, backups, now(), b.Path); err != nil {
				return fmt.Errorf("no copy of what would be replaced, so nothing was changed (--no-backup goes on without): %w", err)
			}
		}
		if s.Dialect() == catalog.SQLite {
			err = restoreSQLite(ctx, s, b, done.Replaced)
		} else {
			done.Orphans, err = restoreDump(ctx, s, b)
		}
		if err != nil {
			return err
		}
		st, err := readStatus(ctx, x)
		done.Pending = st.Pending()
		return err
	})
	return done, err
}

// AliveError refuses a restore because of the programs that Alive lists.
func AliveError(alive []string) error {
	return fmt.Errorf("stop these first, nothing was changed: %s; one that was killed counts as running for %s after its last heartbeat", strings.Join(alive, ", "), aliveFor)
}

// lastApplied checks that this program can work with the versions of a backup and returns
// the last one.
func lastApplied(st Status) (version int64, err error) {
	if err := st.Fits(); err != nil {
		return 0, err
	}
	for _, m := range st.Migrations {
		if m.Applied {
			version = m.Version
		}
	}
	for _, v := range st.Newer {
		version = max(version, v)
	}
	if version == 0 {
		return 0, errors.New("it holds no schema of Lectern's")
	}
	return version, nil
}
