package catalog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lectiospace/lectern/internal/media"
)

// errOwnDeadline is the cause of a context that this package, not the caller, limited.
var errOwnDeadline = errors.New("the database did not answer in time")

const (
	// HintMigrate says how to bring the schema up to date.
	HintMigrate = "run `gateway migrate up`"
	hintGrants  = "the database role lacks a right: apply configs/platform/grants.sql"
)

// WrapError makes a media.Error with a Kind of an error of the drivers. caller is the
// query's context: its cancellation is Canceled, its deadline Timeout, and a deadline that
// this package set Unavailable.
//
// Only sql.ErrNoRows is NotFound. Every error of the connection is Unavailable, and a
// missing table too: it is there after a migration.
func WrapError(caller context.Context, op string, err error) error {
	var known *media.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return media.Fault(media.NotFound, op, nil)
	case errors.Is(context.Cause(caller), errOwnDeadline):
		return media.Fault(media.Unavailable, op, errOwnDeadline)
	case errors.Is(caller.Err(), context.Canceled):
		return media.Fault(media.Canceled, op, context.Canceled)
	case caller.Err() != nil:
		return media.Fault(media.Timeout, op, caller.Err())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return media.Fault(media.Unavailable, op, errOwnDeadline)
	}
	kind, hint := classify(err)
	if hint != "" {
		return media.Faultf(kind, op, "%w (%s)", err, hint)
	}
	return media.Fault(kind, op, err)
}

// classify is the kind of an error that is neither "no row" nor a context's end, and what
// to do about it where that is known.
func classify(err error) (kind media.Kind, hint string) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return classifyPostgres(pg.Code)
	}
	var lite *sqlitedriver.Error
	if errors.As(err, &lite) {
		return classifySQLite(lite)
	}
	if isConnectionError(err) {
		return media.Unavailable, ""
	}
	return media.Other, ""
}

// SQLState is the code of an error of PostgreSQL's (its manual, appendix A), or "".
func SQLState(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	return pg.Code
}

// IsConflict reports whether PostgreSQL has rolled a transaction back for the sake of another one,
// by a deadlock or a serialization failure: the same succeeds when it is run again.
func IsConflict(err error) bool {
	code := SQLState(err)
	return code == "40P01" || code == "40001"
}

// classifyPostgres goes by SQLSTATE (PostgreSQL's manual, appendix A).
func classifyPostgres(code string) (media.Kind, string) {
	switch code {
	case "42P01", "42703", "3F000": // undefined table, column, schema
		return media.Unavailable, HintMigrate
	case "42501": // insufficient privilege
		return media.Unavailable, hintGrants
	case "57014", "55P03", "40001", "40P01": // statement timeout, lock timeout, serialization, deadlock
		return media.Unavailable, ""
	}
	switch code[:min(2, len(code))] {
	case "08", // connection exception
		"28", "3D", // invalid authorization, no such database
		"53", // insufficient resources: too many connections, disk full, out of memory
		"57", // operator intervention: shutdown, crash, starting up
		"58": // system error outside PostgreSQL, I/O among them
		return media.Unavailable, ""
	}
	return media.Other, ""
}

// classifySQLite goes by the primary result code (sqlite.org/rescode.html).
func classifySQLite(err *sqlitedriver.Error) (media.Kind, string) {
	switch err.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL:
		return media.Unavailable, ""
	case sqlite3.SQLITE_ERROR:
		if strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "no such column") {
			return media.Unavailable, HintMigrate
		}
	}
	return media.Other, ""
}

// isConnectionError reports whether an error came from the connection and not from the
// database.
func isConnectionError(err error) bool {
	var (
		network net.Error
		connect *pgconn.ConnectError
		errno   syscall.Errno
	)
	return errors.As(err, &connect) || errors.As(err, &network) || errors.As(err, &errno) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "conn closed")
}

// retriable reports whether a read that failed may succeed at once on another connection:
// the pooled one was cut, by a restart for example. A connection that could not be
// established is not tried again.
func retriable(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "57P01" || pg.Code == "08006" || pg.Code == "08P01"
	}
	var lite *sqlitedriver.Error
	return !errors.As(err, &lite) && isConnectionError(err)
}
