package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	sqlitedriver "modernc.org/sqlite"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

const (
	// connectTimeout and LookupTimeout together keep an unreachable database's
	// answer under three seconds.
	connectTimeout = 2 * time.Second
	// LookupTimeout bounds a whole look-up, waiting for a connection included.
	LookupTimeout = 2500 * time.Millisecond

	// A gateway runs few queries (the loading cache is in front of them), and a
	// PostgreSQL server's connections are few.
	maxConns     = 16
	maxIdleConns = 4
	idleTime     = 5 * time.Minute
	lifeTime     = 30 * time.Minute

	// descriptions bounds the queries of BinaryRows whose types a connection knows.
	descriptions = 32

	// lookupTries bounds how many cut connections of the pool one read may get.
	lookupTries = maxIdleConns + 1

	// statementTimeout bounds a statement of PostgreSQL's whose context has no deadline, or that
	// of a whole job, which may take half an hour. A connection that a firewall has forgotten never answers, and TCP finds out after a
	// quarter of an hour, or never where a pooler is in between.
	statementTimeout = 30 * time.Second
	// idleInTransaction is when PostgreSQL ends a transaction whose client does nothing. The
	// session of a machine that lost its power would keep its locks, a user's starts among
	// them, until TCP's keepalive finds out: two hours by default.
	idleInTransaction = 30 * time.Second
)

// Store is the catalog in its database. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	dialect Dialect
	log     *slog.Logger
	path    string // of the file; "" on PostgreSQL
	// connConfig is how to connect, except for the password; nil on SQLite.
	connConfig *pgx.ConnConfig
	password   atomic.Pointer[string] // of new connections
	// writer has one slot, which each writer of this process holds on SQLite, where one
	// can write at a time: waiting here is fair and ends with the context, waiting for
	// the file's lock is neither. nil on PostgreSQL.
	writer     chan struct{}
	statements *statements
	// lookUps has a prepared statement (*sql.Stmt) for each query of Row; SQLite only.
	lookUps sync.Map
	// protected: statements that change the platform's tables are refused.
	protected bool
	// statementTimeout is the constant, or less in tests.
	statementTimeout time.Duration
}

// Open makes a Store for sqlite://PATH (relative paths too; the file and its directory
// are created) or postgres://…. It does not connect to PostgreSQL: a database that is
// unavailable now may be available at the first query. Errors are of Kind Invalid for a
// URL that cannot be right, and never contain its password.
func Open(ctx context.Context, url string, log *slog.Logger) (*Store, error) {
	const op = "catalog: open"
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return nil, media.Faultf(media.Invalid, op, "the database URL has no scheme: write sqlite://PATH or postgres://…")
	}
	switch strings.ToLower(scheme) {
	case "sqlite":
		return openSQLite(ctx, rest, log)
	case "postgres", "postgresql":
		return openPostgres(url, log)
	default:
		return nil, media.Faultf(media.Invalid, op, "the database URL's scheme is neither sqlite nor postgres")
	}
}

func openSQLite(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	const op = "catalog: open sqlite"
	if path == "" {
		return nil, media.Faultf(media.Invalid, op, "the URL names no file: write sqlite://PATH")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, media.Fault(media.Invalid, op, err)
	}
	if err := createPrivateFile(path); err != nil {
		return nil, media.Fault(media.Unavailable, op, err)
	}
	// FULL: what was committed is on the disk. busy_timeout comes first,
	// since switching to WAL may itself have to wait for another process.
	name := SQLiteURI(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"},
	})
	hookCommits()
	connector, err := sqlitedriver.NewConnector(name)
	if err != nil {
		return nil, media.Fault(media.Invalid, op, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxIdleConns)
	s := &Store{db: db, dialect: SQLite, path: path, log: log, writer: make(chan struct{}, 1), statements: newStatements()}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// OpenReadOnly makes a Store for a SQLite file that nobody writes to, a backup. Nothing is
// written beside it either, whatever its journal mode.
func OpenReadOnly(path string) (*Store, error) {
	connector, err := sqlitedriver.NewConnector(SQLiteURI(path, url.Values{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return nil, media.Fault(media.Invalid, "catalog: open sqlite", err)
	}
	return &Store{db: sql.OpenDB(connector), dialect: SQLite, path: path, log: slog.New(slog.DiscardHandler), writer: make(chan struct{}, 1), statements: newStatements()}, nil
}

// SQLiteURI is the URI (https://sqlite.org/uri.html) of a file, which has to be an absolute
// path. SQLite decodes the path, so that what is special in a URI is escaped: written as it
// is, "a%41b" would be the folder "aAb", and a "?" or "#" would end the path.
func SQLiteURI(path string, parameters url.Values) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: parameters.Encode()}).String()
}

// createPrivateFile makes an empty file where there is none. The catalog holds Zoom's
// secrets, so that only its owner may read it; SQLite gives its journal the same mode. An
// existing file is not opened: closing any descriptor of it would release the POSIX locks
// that SQLite holds on it for the whole process.
func createPrivateFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func openPostgres(dsn string, log *slog.Logger) (*Store, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, media.Faultf(media.Invalid, "catalog: open postgres", "the database URL cannot be used: %s", redactParseError(dsn, err))
	}
	if cfg.ConnectTimeout == 0 || cfg.ConnectTimeout > connectTimeout {
		cfg.ConnectTimeout = connectTimeout
	}
	// Exec mode sends parse, bind and execute of an unnamed statement in one
	// round trip: nothing stays behind in a session that a pooler hands on.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.StatementCacheCapacity = 0
	cfg.DescriptionCacheCapacity = descriptions
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "lectern"
	}
	s := &Store{dialect: Postgres, log: log, connConfig: cfg, statements: newStatements(), statementTimeout: statementTimeout}
	s.password.Store(&cfg.Password)
	db := stdlib.OpenDB(*cfg, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
		c.Password = *s.password.Load()
		return nil
	}), stdlib.OptionAfterConnect(boundSession))
	s.db = db
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxIdleConns)
	db.SetConnMaxIdleTime(idleTime)
	db.SetConnMaxLifetime(lifeTime)
	return s, nil
}

// boundSession has the server notice within a minute that the client of a new session is
// gone. Behind a pooler, whose process numbers are made up, it does nothing: the next client
// of the server's session would have the settings too.
func boundSession(ctx context.Context, conn *pgx.Conn) error {
	// The pool opens some connections under a context without an end.
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, `SELECT set_config(name, setting, false)
FROM (VALUES ('idle_in_transaction_session_timeout', $2), ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3')) AS v (name, setting)
WHERE pg_backend_pid() = $1`, int64(conn.PgConn().PID()), strconv.FormatInt(idleInTransaction.Milliseconds(), 10))
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return nil // the session works without
	}
	if err != nil {
		_ = conn.Close(ctx)
	}
	return err
}

// redactParseError is a parse error without the URL in it, which holds the password.
func redactParseError(dsn string, err error) string {
	var (
		parse *pgconn.ParseConfigError
		bad   *url.Error
	)
	switch {
	case errors.As(err, &bad):
		// url.Error and what it wraps may repeat parts of the URL; its kind is enough.
		return "it is not a URL (a special character in the password must be written as %XX)"
	case errors.As(err, &parse) && errors.Unwrap(parse) != nil:
		err = errors.Unwrap(parse)
	}
	text := err.Error()
	if u, parseErr := url.Parse(dsn); parseErr == nil {
		password, _ := u.User.Password()
		for _, secret := range []string{password, u.Query().Get("password"), u.Query().Get("sslpassword")} {
			if secret != "" {
				text = strings.ReplaceAll(text, secret, "…")
			}
		}
	}
	return text
}

// Close closes every connection. Queries under way fail.
func (s *Store) Close() error { return s.db.Close() }

// DB is the pool, for programs that bring their own SQL: the migrations' and the job
// queue's.
func (s *Store) DB() *sql.DB { return s.db }

// Path is the SQLite file's absolute path, "" on PostgreSQL.
func (s *Store) Path() string { return s.path }

// ConnConfig is how to connect to PostgreSQL, nil on SQLite. It holds the password.
func (s *Store) ConnConfig() *pgx.ConnConfig {
	if s.connConfig == nil {
		return nil
	}
	c := s.connConfig.Copy()
	c.Password = *s.password.Load()
	return c
}

// SetPassword takes the password of a URL for new connections; those that are open stay.
// Kind Invalid: the URL differs in more than the password, or is none of PostgreSQL's.
func (s *Store) SetPassword(dsn string) error {
	const op = "catalog: set the password"
	if s.connConfig == nil {
		return media.Faultf(media.Invalid, op, "only PostgreSQL has one")
	}
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return media.Faultf(media.Invalid, op, "the database URL cannot be used: %s", redactParseError(dsn, err))
	}
	if withoutPassword(dsn) != withoutPassword(s.connConfig.ConnString()) {
		return media.Faultf(media.Invalid, op, "the database URL differs in more than the password")
	}
	s.password.Store(&c.Password)
	return nil
}

// withoutPassword is a database URL that was parsed before, without its password.
func withoutPassword(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return ""
	}
	query := u.Query()
	query.Del("password")
	u.User, u.RawQuery = url.User(u.User.Username()), query.Encode()
	return u.String()
}

// Log is the Store's logger.
func (s *Store) Log() *slog.Logger { return s.log }

// AsOnlyWriter runs f while nothing else in this process writes to a SQLite file, or
// gives ctx's error. On PostgreSQL, which has many writers, it just runs f. f must not
// call Update.
func (s *Store) AsOnlyWriter(ctx context.Context, f func() error) error {
	if s.writer == nil {
		return f()
	}
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ping runs a query that needs no table, within three seconds.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.Row(ctx, "catalog: ping", "SELECT 1", nil, &one)
}

// Row runs a query of one row within LookupTimeout and scans it. A row that
// is not there is Kind NotFound.
func (s *Store) Row(ctx context.Context, op, query string, args []any, dest ...any) error {
	limited, cancel := context.WithTimeoutCause(ctx, LookupTimeout, errOwnDeadline)
	defer cancel()
	var err error
	for range lookupTries {
		err = s.lookUp(limited, query, args, dest...)
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

// lookUp is one on the pool, with a statement that is prepared once where that is possible.
func (s *Store) lookUp(ctx context.Context, query string, args []any, dest ...any) (err error) {
	if s.dialect != SQLite {
		return s.one(ctx, s.db, query, args, dest...)
	}
	defer func(began time.Time) { s.statements.observe(ctx, began, err) }(time.Now())
	statement, err := s.prepared(ctx, query) //nolint:sqlclosecheck // closed with the pool
	if err != nil {
		return err
	}
	return statement.QueryRowContext(ctx, s.dialect.bind(args)...).Scan(dest...)
}

// prepared is the statement of a query. SQLite's parser and planner take most of the time
// of a look-up by key, and a statement of a connection knows when the schema has changed. On
// PostgreSQL a pooler may hand the next query to another session, which has not prepared it.
// The queries are constants, so that there are few. They are closed with the pool.
func (s *Store) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if known, ok := s.lookUps.Load(query); ok {
		return known.(*sql.Stmt), nil
	}
	made, err := s.db.PrepareContext(ctx, s.dialect.rewrite(query))
	if err != nil {
		return nil, err
	}
	known, raced := s.lookUps.LoadOrStore(query, made)
	if raced {
		_ = made.Close() //nolint:sqlclosecheck // another goroutine was quicker, and its statement is returned
	}
	return known.(*sql.Stmt), nil
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
