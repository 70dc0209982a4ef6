package catalog

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

// Session runs queries in PostgreSQL's spelling ($1, public., lectern.), in whichever
// database the Store has. Times are passed and scanned as DBTime. It is used by one
// goroutine and is valid until the function that received it returns.
type Session struct {
	store *Store
	on    session
	tx    *sql.Tx
}

// View runs reads that need no transaction.
func (s *Store) View(ctx context.Context, op string, f func(Session) error) error {
	return WrapError(ctx, op, f(Session{store: s, on: s.db}))
}

// ViewWithin is View with a deadline of its own: a database that does not answer in
// time is Unavailable, a caller whose context ends is Canceled or Timeout.
func (s *Store) ViewWithin(ctx context.Context, op string, limit time.Duration, f func(context.Context, Session) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errOwnDeadline)
	defer cancel()
	return WrapError(ctx, op, f(limited, Session{store: s, on: s.db}))
}

// Snapshot runs reads that all see one moment of the database.
func (s *Store) Snapshot(ctx context.Context, op string, f func(Session) error) error {
	opts := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	if s.dialect == SQLite {
		opts = nil // every transaction of SQLite's sees one moment
	}
	caller := ctx
	ctx, timer, cancel := s.watched(ctx)
	defer cancel()
	began := time.Now()
	tx, err := s.db.BeginTx(ctx, opts)
	s.statements.observe(ctx, began, err)
	if err != nil {
		return WrapError(caller, op, err)
	}
	timer.stop()
	// It only reads: how it ends does not matter.
	defer func() { _ = tx.Rollback() }()
	return WrapError(caller, op, f(Session{store: s, on: tx, tx: tx}))
}

// Update runs f in one transaction: all of it is kept, or nothing when f or the commit
// fails. On SQLite there is one writer at a time from the beginning on.
func (s *Store) Update(ctx context.Context, op string, f func(Session) error) error {
	return s.write(ctx, op, func(tx *sql.Tx) error { return f(Session{store: s, on: tx, tx: tx}) })
}

// UpdateOnce runs f, which writes with a single statement: that is a transaction by
// itself, without the two round trips that begin and commit one.
func (s *Store) UpdateOnce(ctx context.Context, op string, f func(Session) error) error {
	return WrapError(ctx, op, s.AsOnlyWriter(ctx, func() error {
		if err := failpoint.ErrOf("db.commit", op); err != nil {
			return err
		}
		err := f(Session{store: s, on: s.db})
		failpoint.HereOf("db.committed", op)
		return err
	}))
}

// UpdateWithin is Update with a deadline of its own, as ViewWithin.
func (s *Store) UpdateWithin(ctx context.Context, op string, limit time.Duration, f func(context.Context, Session) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errOwnDeadline)
	defer cancel()
	return s.write(limited, op, func(tx *sql.Tx) error { return f(limited, Session{store: s, on: tx, tx: tx}) })
}

// Rows runs a query of many rows within a time limit and calls row for each of them,
// in order. It is tried again where a pooled connection had been cut before the first
// row.
func (s *Store) Rows(ctx context.Context, op string, limit time.Duration, query string, args []any, row func(scan func(...any) error) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errOwnDeadline)
	defer cancel()
	var err error
	for range lookupTries {
		begun := false
		err = s.each(limited, s.db, query, args, func(scan func(...any) error) error {
			begun = true
			return row(scan)
		})
		if err == nil || begun || limited.Err() != nil || !retriable(err) {
			break
		}
	}
	return WrapError(ctx, op, err)
}

// BinaryRows is Rows for columns of many bytes, which PostgreSQL sends as hexadecimal text
// unless their types are known beforehand. Each connection asks for those of a query once,
// so that queries should be few. Scanned as sql.RawBytes they are not copied.
func (s *Store) BinaryRows(ctx context.Context, op string, limit time.Duration, query string, args []any, row func(scan func(...any) error) error) error {
	if s.dialect == Postgres {
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	}
	return s.Rows(ctx, op, limit, query, args, row)
}

// Dialect is the database that the Store works with.
func (s *Store) Dialect() Dialect { return s.dialect }

// Dialect is the database that the Session works with.
func (x Session) Dialect() Dialect { return x.store.dialect }

// Tx is the transaction itself, for the job queue, which inserts jobs in it. nil outside
// Update and Snapshot.
func (x Session) Tx() *sql.Tx { return x.tx }

// One scans the first row of an answer, or gives sql.ErrNoRows.
func (x Session) One(ctx context.Context, query string, args []any, dest ...any) error {
	if err := x.store.permit(query); err != nil {
		return err
	}
	return x.store.one(ctx, x.on, query, args, dest...)
}

// Each calls row for every row of an answer, in order.
func (x Session) Each(ctx context.Context, query string, args []any, row func(scan func(...any) error) error) error {
	if err := x.store.permit(query); err != nil {
		return err
	}
	return x.store.each(ctx, x.on, query, args, row)
}

// Exec runs a statement and returns how many rows it affected.
func (x Session) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := x.store.permit(query); err != nil {
		return 0, err
	}
	ctx, cancel := x.store.bounded(ctx)
	defer cancel()
	began := time.Now()
	result, err := x.on.ExecContext(ctx, x.store.dialect.rewrite(query), x.store.dialect.bind(args)...)
	x.store.statements.observe(ctx, began, err)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Notify notifies every gateway, once the transaction is committed, that rows of a table
// have changed. PostgreSQL merges equal notifications of one transaction, so that
// triggers which notify too do no harm. SQLite's triggers count every change already.
func (x Session) Notify(ctx context.Context, table string) error {
	if x.store.dialect == SQLite {
		return nil
	}
	_, err := x.Exec(ctx, `SELECT pg_notify('lectern_changed', $1)`, table)
	return err
}

// ForUpdate ends a SELECT that must lock its rows until the transaction ends. SQLite
// locks the whole file anyway.
func (x Session) ForUpdate() string {
	if x.store.dialect == SQLite {
		return ""
	}
	return " FOR UPDATE"
}

// HasTable reports whether there is a table. It needs no right to the table. On SQLite
// the schema does not matter.
func (x Session) HasTable(ctx context.Context, schema, table string) (ok bool, err error) {
	if x.store.dialect == SQLite {
		err = x.One(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)`, []any{table}, &ok)
		return ok, err
	}
	err = x.One(ctx, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'f'))`, []any{schema, table}, &ok)
	return ok, err
}

// IsNotFound reports whether an error means that a row is not there: sql.ErrNoRows, or a
// media.Error of Kind NotFound.
func IsNotFound(err error) bool {
	return media.KindOf(WrapError(context.Background(), "", err)) == media.NotFound
}

// IgnoreNotFound is err, or nil where IsNotFound holds for it.
func IgnoreNotFound(err error) error {
	if IsNotFound(err) {
		return nil
	}
	return err
}
