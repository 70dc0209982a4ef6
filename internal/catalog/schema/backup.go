package schema

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// backupsKept is how many backups of one kind of database stay in a directory.
const backupsKept = 5

// partialKept is how long a partial file that nobody writes to stays: a killed backup's.
const partialKept = 24 * time.Hour

// backupName matches the files that Backup makes.
var backupName = regexp.MustCompile(`^lectern-\d{8}T\d{6}\.\d{3}Z\.(?:db|dump)$`)

// Backup writes a copy of Lectern's data into dir, readable by its owner only, proves that
// it can be read back, and returns its path. Only the last five backups stay in dir. A
// copy that fails the proof is removed. Beside the platform the copy is the schema lectern
// alone: the platform's tables are its own to back up, and hold password hashes.
// PostgreSQL needs pg_dump and pg_restore on the PATH.
func Backup(ctx context.Context, s *catalog.Store, dir string, now time.Time) (path string, err error) {
	return backUp(ctx, s, dir, now, "")
}

// backUp is Backup that never removes one file.
func backUp(ctx context.Context, s *catalog.Store, dir string, now time.Time, keep string) (path string, err error) {
	const op = "schema: back up"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", media.Fault(media.Unavailable, op, err)
	}
	path = filepath.Join(dir, "lectern-"+now.UTC().Format("20060102T150405.000Z")+backupSuffix(s.Dialect()))
	// A relative path that begins with "file:" would be a URI to VACUUM INTO.
	if path, err = filepath.Abs(path); err != nil {
		return "", media.Fault(media.Unavailable, op, err)
	}
	if err := BackupTo(ctx, s, path); err != nil {
		return "", err
	}
	if err := pruneBackups(dir, backupSuffix(s.Dialect()), keep); err != nil {
		s.Log().Warn("schema: old backups not removed", slog.Any("error", err))
	}
	return path, nil
}

// BackupTo is Backup into a file of the caller's choice, whose path is absolute and which
// must not exist. Nothing else is removed. The file appears when it has been proved.
func BackupTo(ctx context.Context, s *catalog.Store, path string) error {
	const op = "schema: back up"
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return media.Fault(media.Unavailable, op, cmp.Or(err, fmt.Errorf("%s exists: choose another name", path)))
	}
	partial := path + ".partial"
	// The file exists with its mode before a byte of the catalog is in it.
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		err = fmt.Errorf("%s exists: another backup is being written, or one was killed; remove it then", partial)
	}
	if err != nil {
		return media.Fault(media.Unavailable, op, err)
	}
	write := backUpSQLite
	if s.Dialect() == catalog.Postgres {
		write = backUpPostgres
	}
	if err = write(ctx, s, partial); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		return media.Fault(media.Unavailable, op, errors.Join(err, os.Remove(partial)))
	}
	return nil
}

// backupSuffix ends the names of a database's backups.
func backupSuffix(d catalog.Dialect) string {
	if d == catalog.Postgres {
		return ".dump"
	}
	return ".db"
}

// pruneBackups removes all but the last backups with a suffix, except for one file, and
// what killed backups left. The names sort by time.
func pruneBackups(dir, suffix, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	var errs []error
	for _, e := range entries {
		if backupName.MatchString(e.Name()) && filepath.Ext(e.Name()) == suffix {
			names = append(names, e.Name())
		}
		if finished, partial := strings.CutSuffix(e.Name(), ".partial"); partial && backupName.MatchString(finished) {
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > partialKept {
				errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
			}
		}
	}
	for _, name := range names[:max(0, len(names)-backupsKept)] {
		if path := filepath.Join(dir, name); !sameFile(path, keep) {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// sameFile reports whether two paths are one file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// backUpSQLite copies through SQLite itself, which sees a consistent state
// while others write. VACUUM INTO takes an existing file only when empty.
func backUpSQLite(ctx context.Context, s *catalog.Store, path string) error {
	if _, err := s.DB().ExecContext(ctx, `VACUUM INTO ?1`, path); err != nil {
		return err
	}
	copied, err := catalog.OpenReadOnly(path)
	if err != nil {
		return err
	}
	defer copied.Close()
	return checkIntegrity(ctx, copied.DB())
}

// backUpPostgres lets PostgreSQL's own programs dump and read back.
func backUpPostgres(ctx context.Context, s *catalog.Store, path string) error {
	var layout Layout
	err := s.View(ctx, "schema: layout", func(x catalog.Session) (err error) {
		layout, err = currentLayout(ctx, x)
		return err
	})
	if err != nil {
		return err
	}
	args := []string{"--format=custom", "--no-password", "--schema=lectern", "--file=" + path}
	if layout == LayoutStandalone {
		args = append(args, "--schema=public")
		others, err := otherTables(ctx, s)
		if err != nil {
			return err
		}
		for _, name := range others {
			args = append(args, "--exclude-table=public."+name)
		}
	}
	if err := runTool(ctx, s, nil, "pg_dump", args...); err != nil {
		return err
	}
	return runTool(ctx, s, nil, "pg_restore", "--list", path)
}

// otherTables are the relations of the schema public that are not the catalog's, quoted as
// patterns of pg_dump.
func otherTables(ctx context.Context, s *catalog.Store) (names []string, err error) {
	ours := catalogTables()
	err = s.View(ctx, "schema: other tables", func(x catalog.Session) error {
		return x.Each(ctx, `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1`, nil, func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			if err == nil && !slices.Contains(ours, name) {
				names = append(names, `"`+strings.ReplaceAll(name, `"`, `""`)+`"`)
			}
			return err
		})
	})
	return names, err
}
