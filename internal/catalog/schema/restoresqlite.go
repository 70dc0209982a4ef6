package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	sqlitedriver "modernc.org/sqlite"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/stmtcache"
)

// pagesPerStep bounds how much of a restore is copied before the context is looked at.
const pagesPerStep = 4096

// backupURI opens a backup for reading only. Nobody else writes to it: a file in WAL mode
// could not be read otherwise without writing beside it.
func backupURI(path string) string {
	return catalog.SQLiteURI(path, url.Values{"mode": {"ro"}, "immutable": {"1"}})
}

// verifySQLite reads every page of a backup, and checks its references and versions.
func verifySQLite(ctx context.Context, path string) (BackupFile, error) {
	s, err := catalog.OpenReadOnly(path)
	if err != nil {
		return BackupFile{}, err
	}
	defer s.Close()
	if err := checkIntegrity(ctx, s.DB()); err != nil {
		return BackupFile{}, err
	}
	b := BackupFile{Path: path, Layout: LayoutStandalone}
	err = s.View(ctx, "schema: verify the backup", func(x catalog.Session) error {
		st, err := readStatus(ctx, x)
		if err != nil {
			return err
		}
		if b.Version, err = lastApplied(st); err != nil || len(st.Pending()) > 0 {
			return err
		}
		problems, err := checkColumns(ctx, x)
		return errors.Join(err, columnsError("schema: verify the backup", problems))
	})
	return b, err
}

// checkIntegrity checks every page and every reference of a SQLite database.
func checkIntegrity(ctx context.Context, db *sql.DB) error {
	var result string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("the integrity check says %q", result)
	}
	var table string
	err := db.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("a row of %s refers to one that is not there", table)
	}
}

// restoreSQLite replaces the database's content and proves it. When it does not prove to
// be good, what was replaced comes back.
func restoreSQLite(ctx context.Context, s *catalog.Store, b BackupFile, replaced string) error {
	if err := copyIntoSQLite(ctx, s, b.Path); err != nil {
		return err
	}
	err := s.View(ctx, "schema: prove the restore", func(x catalog.Session) error {
		st, err := readStatus(ctx, x)
		if err != nil {
			return err
		}
		version, err := lastApplied(st)
		if err != nil {
			return err
		}
		if version != b.Version {
			return fmt.Errorf("version %d instead of %d", version, b.Version)
		}
		return expireHeartbeats(func(statement string) error { _, err := x.Exec(ctx, statement); return err },
			func(table string) (bool, error) { return x.HasTable(ctx, "lectern", table) })
	})
	if err = errors.Join(err, checkIntegrity(ctx, s.DB())); err == nil || replaced == "" {
		return err
	}
	return fmt.Errorf("the restored database is not good, what was there came back: %w", errors.Join(err, copyIntoSQLite(context.WithoutCancel(ctx), s, replaced)))
}

// copyIntoSQLite replaces every page of the database by SQLite's backup interface, as one
// transaction: other programs see the old content or the new one, and a copy that is
// killed leaves the old.
func copyIntoSQLite(ctx context.Context, s *catalog.Store, path string) error {
	conn, err := s.DB().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driverConn any) error {
		kept, ok := driverConn.(*stmtcache.Conn)
		if !ok {
			panic("BUG: a connection to SQLite keeps no statements")
		}
		target, ok := kept.Unwrap().(interface {
			NewRestore(source string) (*sqlitedriver.Backup, error)
		})
		if !ok {
			panic("BUG: SQLite's driver cannot restore")
		}
		restore, err := target.NewRestore(backupURI(path))
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if more, err = restore.Step(pagesPerStep); err == nil && more {
				err = ctx.Err()
			}
		}
		return errors.Join(err, restore.Finish())
	})
}

// expireHeartbeats makes the programs that were alive when a backup was made dead for
// certain: gateways are deregistered; syncers stay, so that the next one releases what they
// held.
func expireHeartbeats(exec func(statement string) error, hasTable func(string) (bool, error)) error {
	for table, statement := range map[string]string{
		"lectern_gateways": `DELETE FROM lectern.lectern_gateways`,
		"lectern_syncers":  `UPDATE lectern.lectern_syncers SET beat_at = '2000-01-01T00:00:00Z'`,
	} {
		there, err := hasTable(table)
		if err != nil {
			return err
		}
		if there {
			if err := exec(statement); err != nil {
				return err
			}
		}
	}
	return nil
}
