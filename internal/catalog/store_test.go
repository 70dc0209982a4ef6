package catalog_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
)

func TestOpenRefuses(t *testing.T) {
	for _, url := range []string{
		"", "lectern.db", "mysql://x/y", "sqlite://",
		"postgres://u:se%cret@h/db", "postgres://u:secret@h:99999/db", "postgres://u:secret@h:port/db",
		"postgres://u:secret@h/db?sslmode=nonsense", "postgres://u@h/db?sslmode=secret&password=secret", "postgres://u:secret@[::1/db",
	} {
		s, err := catalog.Open(t.Context(), url, slog.New(slog.DiscardHandler))
		if media.KindOf(err) != media.Invalid || s != nil {
			t.Errorf("catalog.Open(%q) = %v, %v", url, s, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "se%cret")) {
			t.Errorf("the password is in %v", err)
		}
	}
}

func TestOpenSQLiteMakesThePathPrivately(t *testing.T) {
	t.Chdir(t.TempDir())
	catalogtest.Open(t, "sqlite://./new folder/50%? #ü/lectern.db")
	info, err := os.Stat(filepath.Join("new folder", "50%? #ü", "lectern.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestSQLiteSettings(t *testing.T) {
	s := catalogtest.EmptySQLite(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		if s.One(t, "PRAGMA "+pragma, nil, &got); got != want {
			t.Errorf("%s = %q; want %q", pragma, got, want)
		}
	}
}

// TestUnreachable: nobody at the port, and somebody who never answers.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, address := range map[string]string{"refused": "127.0.0.1:1", "silent": l.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			s := catalogtest.Open(t, "postgres://u:secret@"+address+"/db?sslmode=disable")
			began := time.Now()
			var wg sync.WaitGroup
			for what, ask := range map[string]func(context.Context) error{
				"ping":   s.Ping,
				"schema": func(ctx context.Context) error { return schema.Ready(ctx, s.Store) },
				"user":   func(ctx context.Context) error { _, err := s.User(ctx, 1); return err },
			} {
				wg.Go(func() {
					err := ask(t.Context())
					if media.KindOf(err) != media.Unavailable || strings.Contains(err.Error(), "secret") {
						t.Errorf("%s: %v", what, err)
					}
				})
			}
			wg.Wait()
			// Far above the bound of three seconds, for a loaded machine's sake, and far
			// below what a system's own time-outs take.
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestNoSuchDatabaseOrRole(t *testing.T) {
	url := pgtest.Start(t)
	for _, bad := range []string{pgtest.As(t, url, "nobody_here"), strings.Replace(url, "/test_", "/absent_", 1)} {
		if err := catalogtest.Open(t, bad).Ping(t.Context()); media.KindOf(err) != media.Unavailable {
			t.Errorf("%v", err)
		}
	}
}

// TestNoSessionState: nothing a transaction-mode pooler would lose or hand on. There is none
// here, so that there are the settings by which the session ends with its client.
func TestNoSessionState(t *testing.T) {
	s := catalogtest.Platform(t, catalogtest.PlatformSQL)
	s.DB().SetMaxOpenConns(1)
	for range 3 {
		if _, err := s.Recording(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Count(t, `SELECT count(*) FROM pg_prepared_statements WHERE name <> ''`); n != 0 {
		t.Errorf("%d named prepared statements", n)
	}
	if n := s.Count(t, `SELECT count(*) FROM pg_settings WHERE source = 'session' AND name <> 'idle_in_transaction_session_timeout' AND name NOT LIKE 'tcp_keepalives_%'`); n != 0 {
		t.Errorf("%d settings of the session", n)
	}
}

// TestBinaryRows: the bytes come as they are, of either database, of a query that was asked
// before too, and leave nothing in the session.
func TestBinaryRows(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		db.DB().SetMaxOpenConns(1)
		bytes := `X'005c78ff'`
		if db.Dialect() == catalog.Postgres {
			bytes = `decode('005c78ff', 'hex')`
		}
		for range 3 {
			var got []string
			err := db.BinaryRows(t.Context(), "test", time.Minute, `SELECT u.id, `+bytes+` FROM public.accounts_customuser u WHERE u.id <= $1 ORDER BY u.id`, []any{int64(2)},
				func(scan func(...any) error) error {
					var (
						id   int64
						data sql.RawBytes
					)
					err := scan(&id, &data)
					got = append(got, fmt.Sprintf("%d %x", id, data))
					return err
				})
			if err != nil || strings.Join(got, ", ") != "1 005c78ff, 2 005c78ff" {
				t.Errorf("%q, %v", got, err)
			}
		}
		if db.Dialect() == catalog.Postgres {
			if n := db.Count(t, `SELECT count(*) FROM pg_prepared_statements WHERE name <> ''`); n != 0 {
				t.Errorf("%d named prepared statements", n)
			}
		}
	})
}

// TestOutage stops a real server, and starts it again.
func TestOutage(t *testing.T) {
	t.Parallel()
	server := pgtest.StartServer(t)
	url := server.Database(t)
	pgtest.Load(t, url, catalogtest.PlatformSQL)
	s := catalogtest.Migrate(t, catalogtest.Open(t, url))
	// Warm several connections, all of which the restart will cut.
	for range 3 {
		if _, err := s.User(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	server.Stop(t)
	for range 3 {
		if _, err := s.User(t.Context(), 1); media.KindOf(err) != media.Unavailable {
			t.Errorf("while away: %v", err)
		}
	}
	server.Restart(t)
	if _, err := s.User(t.Context(), 1); err != nil {
		t.Errorf("back again: %v", err)
	}
	if _, err := s.User(t.Context(), 99); media.KindOf(err) != media.NotFound {
		t.Errorf("nobody: %v", err)
	}
	pgtest.Exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lectern'`)
	if _, err := s.User(t.Context(), 1); err != nil {
		t.Errorf("after the pool's connections were cut: %v", err)
	}
}
