package schema

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// Backup writes a copy of the whole database into dir, readable by its owner
// only, proves that it can be read back, and returns its path. A copy that fails
// the proof is removed. PostgreSQL needs pg_dump and pg_restore on the PATH.
func Backup(ctx context.Context, s *catalog.Store, dir string, now time.Time) (path string, err error) {
	const op = "schema: back up"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", media.Fault(media.Unavailable, op, err)
	}
	name, write := "lectern-"+now.UTC().Format("20060102T150405.000Z")+".db", backUpSQLite
	if s.Dialect() == catalog.Postgres {
		name, write = strings.TrimSuffix(name, ".db")+".dump", backUpPostgres
	}
	// A relative path that begins with "file:" would be a URI to VACUUM INTO.
	if path, err = filepath.Abs(filepath.Join(dir, name)); err != nil {
		return "", media.Fault(media.Unavailable, op, err)
	}
	// The file exists with its mode before a byte of the catalog is in it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", media.Fault(media.Unavailable, op, err)
	}
	err = f.Close()
	if err == nil {
		err = write(ctx, s, path)
	}
	if err != nil {
		return "", media.Fault(media.Unavailable, op, errors.Join(err, os.Remove(path)))
	}
	return path, nil
}

// backUpSQLite copies through SQLite itself, which sees a consistent state
// whoever else is writing. VACUUM INTO takes an existing file only when empty.
func backUpSQLite(ctx context.Context, s *catalog.Store, path string) error {
	if _, err := s.DB().ExecContext(ctx, `VACUUM INTO ?1`, path); err != nil {
		return err
	}
	check, err := sql.Open("sqlite", catalog.SQLiteURI(path, url.Values{"mode": {"ro"}}))
	if err != nil {
		return err
	}
	defer check.Close()
	var result string
	if err := check.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("the copy's integrity check says %q", result)
	}
	return nil
}

// backUpPostgres lets PostgreSQL's own programs dump and read back. The password
// goes through the environment: a command line is everybody's to read.
func backUpPostgres(ctx context.Context, s *catalog.Store, path string) error {
	c := s.ConnConfig()
	env := append(os.Environ(), "PGHOST="+c.Host, fmt.Sprintf("PGPORT=%d", c.Port), "PGUSER="+c.User, "PGPASSWORD="+c.Password, "PGDATABASE="+c.Database)
	if err := runTool(ctx, env, "pg_dump", "--format=custom", "--no-password", "--file="+path); err != nil {
		return err
	}
	return runTool(ctx, env, "pg_restore", "--list", path)
}

func runTool(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	return nil
}
