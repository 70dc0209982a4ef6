package stmtcache

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	sqlitedriver "modernc.org/sqlite"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counted counts what a driver's connections are asked to prepare, and what of it is open.
type counted struct {
	driver.Connector
	prepared, open atomic.Int64
}

type countedConn struct {
	driverConn
	of *counted
}

type countedStmt struct {
	driverStmt
	of *counted
}

func (c *counted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return countedConn{conn.(driverConn), c}, nil
}

func (c countedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.driverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.of.prepared.Add(1)
	c.of.open.Add(1)
	return countedStmt{s.(driverStmt), c.of}, nil
}

func (s countedStmt) Close() error {
	s.of.open.Add(-1)
	return s.driverStmt.Close()
}

const keeps = 4

// open opens a new file with a table t (id, name), by one connection that keeps statements.
func open(t testing.TB) (*sql.DB, *counted, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	of, err := sqlitedriver.NewConnector("file:" + path + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{Connector: of}
	db := sql.OpenDB(New(c, keeps))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if n := c.open.Load(); n != 0 {
			t.Errorf("%d statements are open after their connection was closed", n)
		}
	})
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)`)
	return db, c, path
}

func exec(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func name(t testing.TB, db *sql.DB, id int) string {
	t.Helper()
	var s string
	if err := db.QueryRowContext(t.Context(), `SELECT name FROM t WHERE id = ?`, id).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEachTextIsPreparedOnce(t *testing.T) {
	db, c, _ := open(t)
	for i := range 10 {
		exec(t, db, "-- name: Insert :exec\n  insert into t VALUES (?, ?)", i, fmt.Sprint(i))
		if got := name(t, db, i); got != fmt.Sprint(i) {
			t.Errorf("%d has the name %q", i, got)
		}
		exec(t, db, `WITH one AS (SELECT 1) UPDATE t SET name = name WHERE id = (SELECT * FROM one)`)
		exec(t, db, `PRAGMA user_version = 3`)
		exec(t, db, `DELETE FROM t WHERE id = -1 OR name IN (''`+strings.Repeat(`, 'x'`, 2000)+`)`) // too long
	}
	if n := c.prepared.Load(); n != 3 {
		t.Errorf("%d statements were prepared, want 3", n)
	}
}

func TestTheLastUsedAreKept(t *testing.T) {
	db, c, _ := open(t)
	for range 3 {
		for i := range keeps {
			exec(t, db, fmt.Sprintf(`DELETE FROM t WHERE id = %d`, i))
		}
	}
	if n := c.prepared.Load(); n != keeps {
		t.Fatalf("%d prepared of %d texts", n, keeps)
	}
	exec(t, db, `DELETE FROM t WHERE id = 0`) // is the last used now
	exec(t, db, `DELETE FROM t WHERE id = 99`)
	exec(t, db, `DELETE FROM t WHERE id = 0`)
	if n := c.prepared.Load(); n != keeps+1 {
		t.Errorf("%d prepared, want %d: the statement that was used last was given up", n, keeps+1)
	}
	exec(t, db, `DELETE FROM t WHERE id = 1`)
	if n := c.prepared.Load(); n != keeps+2 {
		t.Errorf("%d prepared, want %d: the oldest one should have been given up", n, keeps+2)
	}
	if n := c.open.Load(); n != keeps {
		t.Errorf("%d are open, want %d", n, keeps)
	}
}

// TestTheSameTextWhileItsRowsAreRead: each of two readers of one connection gets all rows.
func TestTheSameTextWhileItsRowsAreRead(t *testing.T) {
	db, _, _ := open(t)
	for i := range 5 {
		exec(t, db, `INSERT INTO t VALUES (?, ?)`, i, "x")
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	const query = `SELECT id FROM t ORDER BY id`
	outer, err := tx.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	var pairs int
	for want := 0; outer.Next(); want++ {
		var id int
		if err := outer.Scan(&id); err != nil || id != want {
			t.Fatalf("%d, %v, want %d", id, err, want)
		}
		inner, err := tx.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for inner.Next() {
			pairs++
		}
		if err := errors.Join(inner.Err(), inner.Close()); err != nil { //nolint:sqlclosecheck // before the next one
			t.Fatal(err)
		}
		for i := range 2 * keeps { // the outer one is not given up meanwhile
			if _, err := tx.ExecContext(t.Context(), fmt.Sprintf(`DELETE FROM t WHERE id = %d`, 100+i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := outer.Err(); err != nil || pairs != 25 {
		t.Errorf("%d pairs, %v, want 25", pairs, err)
	}
}

// TestAfterTheSchemaHasChanged: another connection adds a column, and replaces the table.
func TestAfterTheSchemaHasChanged(t *testing.T) {
	db, _, path := open(t)
	exec(t, db, `INSERT INTO t VALUES (1, 'one')`)
	columns := func() (names []string) {
		rows, err := db.QueryContext(t.Context(), `SELECT * FROM t`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			if names, err = rows.Columns(); err != nil {
				t.Fatal(err)
			}
			values := make([]any, len(names))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return names
	}
	if got := name(t, db, 1); got != "one" || len(columns()) != 2 {
		t.Fatalf("%q, %q", got, columns())
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	exec(t, other, `ALTER TABLE t ADD COLUMN more TEXT`)
	if got := name(t, db, 1); got != "one" {
		t.Errorf("after a column was added: %q", got)
	}
	exec(t, other, `DROP TABLE t`)
	exec(t, other, `CREATE TABLE t (name TEXT, id INTEGER PRIMARY KEY, a, b)`)
	exec(t, other, `INSERT INTO t VALUES ('two', 1, 3, 4)`)
	if got := name(t, db, 1); got != "two" {
		t.Errorf("after the table was replaced: %q", got)
	}
	if got := columns(); len(got) == 0 || got[0] != "name" {
		t.Errorf("after the table was replaced: columns %q", got)
	}
}

// TestAfterAnError: a statement that failed, or whose context ended, works again.
func TestAfterAnError(t *testing.T) {
	db, _, _ := open(t)
	const insert = `INSERT INTO t VALUES (?, ?)`
	exec(t, db, insert, 1, "one")
	if _, err := db.ExecContext(t.Context(), insert, 1, "again"); err == nil {
		t.Error("a second row of the same key was accepted")
	}
	exec(t, db, insert, 2, "two")
	if got := name(t, db, 2); got != "two" {
		t.Errorf("%q, want two", got)
	}
	const endless = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT max(i) FROM n`
	count := func(ctx context.Context, to int) (n int, err error) {
		return n, db.QueryRowContext(ctx, endless, to).Scan(&n)
	}
	if n, err := count(t.Context(), 3); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if n, err := count(ctx, 1<<60); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a query whose time was over: %d, %v", n, err)
	}
	if _, err := db.ExecContext(t.Context(), `SELECT no FROM such`); err == nil {
		t.Error("a table that is not there was read")
	}
	exec(t, db, `INSERT INTO t VALUES (3, 'three'); INSERT INTO t VALUES (4, 'four')`)
	exec(t, db, `INSERT INTO t SELECT id + 10, name FROM t WHERE id > 2; DELETE FROM t WHERE id = 3`)
	if got := name(t, db, 4) + name(t, db, 14) + name(t, db, 13); got != "fourfourthree" {
		t.Errorf("of texts with two statements: %q", got)
	}
}

// TestAsWithoutIt: whatever is run in whatever order, results are those of a database whose
// connection keeps nothing.
func TestAsWithoutIt(t *testing.T) {
	texts := []string{
		`INSERT INTO t VALUES (?, ?)`,
		`INSERT INTO t VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name || t.name RETURNING id, name`,
		`UPDATE t SET name = ?2 WHERE id < ?1`,
		`DELETE FROM t WHERE id = ? AND name <> ? RETURNING name`,
		`SELECT id, name FROM t WHERE id >= ? AND name > ? ORDER BY id`,
		`SELECT count(*), max(name) FROM t WHERE id <> ? OR name = ?`,
		`WITH a AS (SELECT * FROM t WHERE id > ?) SELECT id FROM a WHERE name < ? ORDER BY 1`,
	}
	run := func(db *sql.DB, text string, id int, name string, rows int) string {
		answer, err := db.QueryContext(t.Context(), text, id, name)
		if err != nil {
			return "failed"
		}
		defer answer.Close()
		columns, err := answer.Columns()
		if err != nil {
			return "failed"
		}
		got := ""
		for range rows { // the rest is left
			if !answer.Next() {
				break
			}
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(sql.NullString)
			}
			if err := answer.Scan(values...); err != nil {
				return "failed"
			}
			for _, v := range values {
				got += v.(*sql.NullString).String + ","
			}
		}
		if answer.Close() != nil || answer.Err() != nil {
			return got + "failed"
		}
		return got
	}
	rapid.Check(t, func(rt *rapid.T) {
		kept, _, _ := open(t)
		plain, err := sql.Open("sqlite", ":memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		plain.SetMaxOpenConns(1)
		exec(t, plain, `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)`)
		for range rapid.IntRange(1, 30).Draw(rt, "statements") {
			text := rapid.SampledFrom(texts).Draw(rt, "text")
			id, name, rows := rapid.IntRange(0, 5).Draw(rt, "id"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name"), rapid.IntRange(0, 6).Draw(rt, "rows")
			if got, want := run(kept, text, id, name, rows), run(plain, text, id, name, rows); got != want {
				rt.Fatalf("%s of %d, %s: %q, want %q", text, id, name, got, want)
			}
		}
	})
}
