package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Start returns the URL of a fresh, empty database in the process's shared
// cluster. The database is dropped when the test ends.
func Start(t testing.TB) (url string) {
	t.Helper()
	return sharedServer(t).Database(t)
}

// Database creates an empty database and returns its URL. It is dropped when
// the test ends, if the server runs then.
func (s *Server) Database(t testing.TB) (url string) {
	t.Helper()
	return s.create(t, "template1")
}

// create makes a database that is a copy of another, to which nobody is connected.
func (s *Server) create(t testing.TB, template string) (url string) {
	t.Helper()
	name := fmt.Sprintf("test_%d", time.Now().UnixNano())
	Exec(t, s.URL("postgres"), "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() {
		if s.process != nil {
			Exec(t, s.URL("postgres"), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		}
	})
	return s.URL(name)
}

// Template makes copies of a database that is filled once, for tests that all begin with
// the same tables. It is safe for concurrent use.
type Template struct {
	// Fill fills the database, and leaves no connection to it open.
	Fill func(t testing.TB, url string)

	mu   sync.Mutex
	name string // "" until it is filled
}

// Start is Start with what Fill has made.
func (c *Template) Start(t testing.TB) (url string) {
	t.Helper()
	server := sharedServer(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.name == "" {
		name := fmt.Sprintf("template_%d", time.Now().UnixNano())
		Exec(t, server.URL("postgres"), "CREATE DATABASE "+name)
		c.Fill(t, server.URL(name))
		c.name = name
	}
	return server.create(t, c.name)
}

// As is the same database's URL for another role.
func As(t testing.TB, databaseURL, role string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	u.User = url.User(role)
	return u.String()
}

// Exec runs statements, several when separated by semicolons.
func Exec(t testing.TB, databaseURL, statements string) {
	t.Helper()
	if err := TryExec(databaseURL, statements); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}

// TryExec is Exec for statements that may be refused.
func TryExec(databaseURL, statements string) error {
	return connected(databaseURL, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, statements).ReadAll()
		return err
	})
}

// Load runs a script as pg_dump writes it: statements, and COPY … FROM stdin
// with its rows in between, ended by a line of \.
func Load(t testing.TB, databaseURL, script string) {
	t.Helper()
	err := connected(databaseURL, func(ctx context.Context, conn *pgx.Conn) error {
		return load(ctx, conn, bufio.NewReader(strings.NewReader(script)))
	})
	if err != nil {
		t.Fatalf("pgtest: load: %v", err)
	}
}

func load(ctx context.Context, conn *pgx.Conn, script *bufio.Reader) error {
	var pending strings.Builder
	flush := func() error {
		_, err := conn.PgConn().Exec(ctx, pending.String()).ReadAll()
		pending.Reset()
		return err
	}
	for {
		line, err := script.ReadString('\n')
		if strings.HasPrefix(line, "COPY ") && strings.HasSuffix(line, " FROM stdin;\n") {
			if err := flush(); err != nil {
				return err
			}
			if _, err := conn.PgConn().CopyFrom(ctx, &copyRows{script: script}, strings.TrimSpace(line)); err != nil {
				return err
			}
			continue
		}
		pending.WriteString(line)
		if err == io.EOF {
			return flush()
		}
		if err != nil {
			return err
		}
	}
}

// copyRows reads the rows of a COPY block up to the line that ends them.
type copyRows struct {
	script *bufio.Reader
	rest   string
	done   bool
}

func (r *copyRows) Read(p []byte) (int, error) {
	if r.rest == "" && !r.done {
		line, err := r.script.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("COPY without its end: %w", err)
		}
		r.rest, r.done = line, line == "\\.\n"
	}
	if r.done {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func connected(databaseURL string, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return do(ctx, conn)
}
