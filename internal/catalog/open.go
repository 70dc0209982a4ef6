package catalog

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	sqlitedriver "modernc.org/sqlite"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/stmtcache"
)

// How each kind of database is connected to.

// keptStatements is how many prepared statements a connection to SQLite keeps: its parser and planner
// take most of the time of a look-up by key. A program has some 150 texts. A statement takes 10 KB, and
// the largest, of the library's lists, 50 KB.
const keptStatements = 150

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
	db := sql.OpenDB(stmtcache.New(connector, keptStatements))
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
