package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint"
)

// How statements and transactions run: bounded in time, and again where a connection was lost.

// Row runs a query of one row within LookupTimeout and scans it. A row that
// is not there is Kind NotFound.
func (s *Store) Row(ctx context.Context, op, query string, args []any, dest ...any) error {
	limited, cancel := context.WithTimeoutCause(ctx, LookupTimeout, errOwnDeadline)
	defer cancel()
	var err error
	for range lookupTries {
		err = s.one(limited, s.db, query, args, dest...)
		if err == nil || limited.Err() != nil || !retriable(err) {
			break
		}
	}
	return WrapError(ctx, op, err)
}

// session is where a query runs: the pool, or a transaction.
type session interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// isBounded reports whether a statement under ctx ends soon enough without a timeout of its own.
func (s *Store) isBounded(ctx context.Context) bool {
	deadline, has := ctx.Deadline()
	return s.dialect == SQLite || has && time.Until(deadline) <= s.statementTimeout
}

// bounded is a context for a statement, which has a deadline on PostgreSQL.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.isBounded(ctx) {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, s.statementTimeout, errOwnDeadline)
}

// one runs a query and scans the first row of its answer, or gives sql.ErrNoRows.
func (s *Store) one(ctx context.Context, on session, query string, args []any, dest ...any) (err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	defer func(began time.Time) { s.statements.observe(ctx, began, err) }(time.Now())
	return on.QueryRowContext(ctx, s.dialect.rewrite(query), s.dialect.bind(args)...).Scan(dest...)
}

// each runs a query and calls row for every row of its answer, in order.
func (s *Store) each(ctx context.Context, on session, query string, args []any, row func(scan func(...any) error) error) error {
	ctx, timer, cancel := s.watched(ctx)
	defer cancel()
	began := time.Now()
	rows, err := on.QueryContext(ctx, s.dialect.rewrite(query), s.dialect.bind(args)...)
	s.statements.observe(ctx, began, err)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		timer.stop() // what is done with a row may take longer
		if err := row(rows.Scan); err != nil {
			return err
		}
		timer.start()
	}
	return rows.Err()
}

// watched is bounded for what lasts longer than one statement: the context ends when the
// timer does, which runs.
func (s *Store) watched(ctx context.Context) (_ context.Context, timer statementTimer, cancel func()) {
	if s.isBounded(ctx) {
		return ctx, statementTimer{}, func() {}
	}
	ctx, end := context.WithCancelCause(ctx)
	timer = statementTimer{time.AfterFunc(s.statementTimeout, func() { end(errOwnDeadline) }), s.statementTimeout}
	return ctx, timer, func() {
		timer.stop()
		end(nil)
	}
}

// statementTimer ends a context when a statement takes too long; the zero value ends none.
type statementTimer struct {
	timer *time.Timer
	limit time.Duration
}

// stop is called after a statement, start before the next one.
func (t statementTimer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

func (t statementTimer) start() {
	if t.timer != nil {
		t.timer.Reset(t.limit)
	}
}

// exec runs a statement.
func (s *Store) exec(ctx context.Context, on session, query string, args ...any) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	began := time.Now()
	_, err := on.ExecContext(ctx, s.dialect.rewrite(query), s.dialect.bind(args)...)
	s.statements.observe(ctx, began, err)
	return err
}

// ErrDryRun is returned from the function of an Update to roll the transaction back
// without an error.
var ErrDryRun = errors.New("catalog: dry run, rolled back")

// write runs f in one transaction: all of it is kept, or nothing when f or the commit
// fails. With ErrDryRun nothing is kept and nil returned.
func (s *Store) write(ctx context.Context, op string, f func(tx *sql.Tx) error) error {
	err := s.AsOnlyWriter(ctx, func() error { return s.transact(ctx, op, f) })
	if errors.Is(err, ErrDryRun) {
		return nil
	}
	return WrapError(ctx, op, err)
}

// transact runs f in one transaction and commits it, or rolls it back when f fails.
func (s *Store) transact(ctx context.Context, op string, f func(tx *sql.Tx) error) error {
	if err := failpoint.ErrOf("db.begin", op); err != nil {
		return err
	}
	ctx, timer, cancel := s.watched(ctx)
	defer cancel()
	began := time.Now()
	tx, err := s.db.BeginTx(ctx, nil)
	s.statements.observe(ctx, began, err)
	if err != nil {
		return err
	}
	timer.stop()
	if err := f(tx); err != nil {
		// A transaction whose connection is gone is rolled back by the server.
		if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) && !isConnectionError(rollbackErr) {
			s.log.Warn("catalog: rollback failed", slog.Any("error", rollbackErr))
		}
		return err
	}
	if err := failpoint.ErrOf("db.commit", op); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	timer.start()
	began = time.Now()
	err = tx.Commit()
	failpoint.HereOf("db.committed", op)
	s.statements.observe(ctx, began, err)
	if err != nil {
		// The platform's foreign keys are deferred, so that a bad reference shows here.
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
