package catalog

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

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
