package faultproxy

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect connects through the proxy, or returns the error.
func connect(t *testing.T, p *Proxy) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err == nil {
		t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	}
	return conn, err
}

// insert inserts a row in a transaction.
func insert(ctx context.Context, conn *pgx.Conn, id int) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO a VALUES ($1)", id); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// TestFaults: each fault as a client and as the server sees it.
func TestFaults(t *testing.T) {
	direct := pgtest.Start(t)
	pgtest.Exec(t, direct, "CREATE TABLE a (id bigint)")
	observer, err := pgx.Connect(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close(context.WithoutCancel(t.Context()))
	p := Start(t, direct)
	number := func(t *testing.T, query string, args ...any) (n int) {
		t.Helper()
		if err := observer.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i, c := range []struct {
		name   string
		faults Faults
		fails  bool // the client's transaction
		stored int
	}{
		{"none", Faults{}, false, 1},
		{"slow", Faults{Delay: time.Millisecond, Rate: 1 << 20}, false, 1},
		{"commit not seen", Faults{At: Commits(1, CutBefore)}, true, 0},
		{"commit's answer lost", Faults{At: Commits(1, CutAfter)}, true, 1},
		{"commit's answer never comes", Faults{At: Commits(1, Hang)}, true, 1},
		{"a statement not seen", Faults{At: func(s string) Action {
			if s == "INSERT INTO a VALUES ($1)" {
				return CutBefore
			}
			return Pass
		}}, true, 0},
		{"another statement", Faults{At: func(s string) Action {
			if s == "SELECT 1" {
				return CutBefore
			}
			return Pass
		}}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := connect(t, p)
			if err != nil {
				t.Fatal(err)
			}
			p.Set(c.faults)
			defer p.Set(Faults{})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err := insert(ctx, conn, i); (err != nil) != c.fails {
				t.Errorf("the client: %v", err)
			}
			// What was cut is rolled back when the server notices.
			pgtest.Exec(t, direct, "BEGIN; LOCK a; COMMIT")
			if got := number(t, "SELECT count(*) FROM a WHERE id = $1", i); got != c.stored {
				t.Errorf("%d rows", got)
			}
		})
	}
	if stats := p.Stats(); stats.CutBefore != 2 || stats.CutAfter != 2 || stats.Cut != 3 || stats.Abandoned != 1 {
		t.Errorf("%+v", stats)
	}
}

// TestAway: connections are cut, new ones closed, until it is over.
func TestAway(t *testing.T) {
	p := Start(t, pgtest.Start(t))
	conn, err := connect(t, p)
	if err != nil {
		t.Fatal(err)
	}
	p.Set(Faults{Away: true})
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("an answer of a database that is away")
	}
	if _, err := connect(t, p); err == nil {
		t.Error("connected to a database that is away")
	}
	p.Set(Faults{})
	if conn, err = connect(t, p); err != nil || conn.Ping(t.Context()) != nil {
		t.Error(err)
	}
}

// TestStalled: what was held goes on afterwards.
func TestStalled(t *testing.T) {
	p := Start(t, pgtest.Start(t))
	conn, err := connect(t, p)
	if err != nil {
		t.Fatal(err)
	}
	p.Set(Faults{Stalled: true})
	answered := make(chan error, 1)
	go func() { answered <- conn.Ping(context.WithoutCancel(t.Context())) }()
	select {
	case err := <-answered:
		t.Errorf("an answer of a stalled database: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.Set(Faults{})
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestAbandon: the client waits, the server's session stays with its lock when the client has
// gone, and new connections work.
func TestAbandon(t *testing.T) {
	direct := pgtest.Start(t)
	p := Start(t, direct)
	conn, err := connect(t, p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock(1)"); err != nil {
		t.Fatal(err)
	}
	p.Abandon()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := conn.Ping(ctx); err == nil {
		t.Error("an answer on an abandoned connection")
	}
	conn.Close(ctx)
	other, err := connect(t, p)
	if err != nil {
		t.Fatal(err)
	}
	var free bool
	if err := other.QueryRow(t.Context(), "SELECT pg_try_advisory_lock(1)").Scan(&free); err != nil || free {
		t.Errorf("the session ended with its client: %v, %v", free, err)
	}
	if n := p.Stats().Abandoned; n != 1 {
		t.Errorf("%d connections are abandoned", n)
	}
}

// TestCutAfterBytes cuts in the middle of an answer.
func TestCutAfterBytes(t *testing.T) {
	p := Start(t, pgtest.Start(t))
	p.Set(Faults{CutAfterBytes: 10_000})
	conn, err := connect(t, p)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	if err := conn.QueryRow(t.Context(), "SELECT repeat('a', 5000)").Scan(&text); err != nil {
		t.Error(err)
	}
	if err := conn.QueryRow(t.Context(), "SELECT repeat('a', 50000)").Scan(&text); err == nil {
		t.Error("an answer longer than the connection lasts")
	}
}
