// Package stmtcache keeps the statements that a database connection has prepared, so that a text
// that is run again is not parsed and planned again. It stands between database/sql and a driver
// whose database prepares a statement anew with every query, as SQLite's does; who runs
// queries does not know of it.
//
// A kept statement must notice by itself when the schema has changed, as those of
// sqlite3_prepare_v2 do (https://sqlite.org/c3ref/prepare.html).
package stmtcache

import (
	"container/list"
	"context"
	"database/sql/driver"
	"strings"
)

// New returns a connector whose connections keep up to size statements each, those that were used
// last. Connections of a driver without contexts are the driver's own, and keep none. It is safe
// for concurrent use where the driver's connector is.
func New(of driver.Connector, size int) driver.Connector { return connector{of, size} }

type connector struct {
	driver.Connector
	size int
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	drivers, ok := conn.(driverConn)
	if !ok {
		return conn, nil
	}
	return &Conn{driverConn: drivers, size: c.size, known: map[string]*list.Element{}}, nil
}

// driverConn is what a driver's connection has to be able to do.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// driverStmt is what a driver's statement has to be able to do to be kept.
type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// Conn is a connection that keeps statements. As every driver.Conn it is used by one goroutine at
// a time.
type Conn struct {
	driverConn
	size  int
	known map[string]*list.Element // of used, by text
	used  list.List                // of *statement: the one used last is the first
}

// statement is a kept one.
type statement struct {
	driverStmt
	text string
	busy bool // its rows are being read
}

// Unwrap returns the driver's connection.
func (c *Conn) Unwrap() driver.Conn { return c.driverConn }

// Close implements driver.Conn.
func (c *Conn) Close() error {
	for c.used.Len() > 0 {
		c.forget(c.used.Back())
	}
	return c.driverConn.Close()
}

// ExecContext implements driver.ExecerContext.
func (c *Conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	at, err := c.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	if at == nil {
		return c.driverConn.ExecContext(ctx, query, args)
	}
	result, err := at.Value.(*statement).ExecContext(ctx, args)
	if err != nil {
		c.forget(at)
	}
	return result, err
}

// QueryContext implements driver.QueryerContext.
func (c *Conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	at, err := c.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	if at == nil {
		return c.driverConn.QueryContext(ctx, query, args)
	}
	s := at.Value.(*statement)
	answer, err := s.QueryContext(ctx, args)
	if err != nil {
		c.forget(at)
		return nil, err
	}
	s.busy = true
	return &rows{Rows: answer, closed: func(err error) {
		if s.busy = false; err != nil {
			c.forget(at)
		}
	}}, nil
}

// prepared returns the kept statement of a query, which it prepares at first; nil where the query
// is none to keep, or its statement is busy.
func (c *Conn) prepared(ctx context.Context, query string) (*list.Element, error) {
	if at, ok := c.known[query]; ok {
		if at.Value.(*statement).busy {
			return nil, nil
		}
		c.used.MoveToFront(at)
		return at, nil
	}
	if !reusable(query) {
		return nil, nil
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	able, ok := made.(driverStmt)
	if !ok {
		return nil, made.Close()
	}
	c.makeRoom()
	at := c.used.PushFront(&statement{driverStmt: able, text: query})
	c.known[query] = at
	return at, nil
}

// makeRoom closes the statement whose last use is the longest ago, where as many are kept as may be.
func (c *Conn) makeRoom() {
	for at := c.used.Back(); at != nil && c.used.Len() >= c.size; {
		before := at.Prev()
		if !at.Value.(*statement).busy {
			c.forget(at)
		}
		at = before
	}
}

// forget closes a statement: one that failed is prepared anew. What closing returns is the error
// of its last run, which its caller has been given.
func (c *Conn) forget(at *list.Element) {
	s := at.Value.(*statement)
	c.used.Remove(at)
	delete(c.known, s.text)
	_ = s.Close()
}

// longest is the longest text that is kept, in bytes: a statement has some ten times the memory of
// its text, and who writes rows by the hundred into one text seldom writes as many again.
const longest = 8 << 10

// reusable reports whether a query reads or writes rows, and is worth its memory. All others, as
// those that change the schema, are rare, and some have an effect already when they are prepared.
func reusable(query string) bool {
	if len(query) > longest {
		return false
	}
	for {
		query = strings.TrimSpace(query)
		if !strings.HasPrefix(query, "--") {
			break
		}
		_, query, _ = strings.Cut(query, "\n")
	}
	if len(query) < 6 {
		return false
	}
	switch strings.ToUpper(query[:6]) {
	case "SELECT", "INSERT", "UPDATE", "DELETE":
		return true
	}
	return strings.EqualFold(query[:4], "WITH")
}

// rows gives its statement back when it is closed.
type rows struct {
	driver.Rows
	closed func(error)
}

// Close implements driver.Rows.
func (r *rows) Close() error {
	err := r.Rows.Close()
	if r.closed != nil {
		r.closed(err)
		r.closed = nil
	}
	return err
}
