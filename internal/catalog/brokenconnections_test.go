package catalog_test

import (
	"context"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
	"github.com/lectiospace/lectern/internal/pgtest/faultproxy"
)

// throughProxy is a database with a table a, and a Store on it whose connections fail on
// request.
func throughProxy(t *testing.T) (*faultproxy.Proxy, *catalogtest.DB) {
	t.Helper()
	url := pgtest.Start(t)
	pgtest.Exec(t, url, "CREATE TABLE a (id bigint)")
	p := faultproxy.Start(t, url)
	return p, catalogtest.Open(t, p.URL())
}

// TestAbandonedConnections: whatever waits for an answer that never comes ends, although its
// context has no deadline or that of a long job, and the next call has another connection.
func TestAbandonedConnections(t *testing.T) {
	p, db := throughProxy(t)
	db.SetStatementTimeout(300 * time.Millisecond)
	t.Run("without a deadline", func(t *testing.T) { testAbandoned(context.WithoutCancel(t.Context()), t, p, db) })
	t.Run("in a long job", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		testAbandoned(ctx, t, p, db)
	})
}

func testAbandoned(ctx context.Context, t *testing.T, p *faultproxy.Proxy, db *catalogtest.DB) {
	insert := func(x catalog.Session) error {
		_, err := x.Exec(ctx, "INSERT INTO a VALUES (1)")
		return err
	}
	for _, c := range []struct {
		name  string
		fault func()
		do    func() error
	}{
		{"a transaction's beginning", p.Abandon, func() error { return db.Update(ctx, "test", insert) }},
		{"a single statement", p.Abandon, func() error { return db.UpdateOnce(ctx, "test", insert) }},
		{"rows", p.Abandon, func() error {
			return db.View(ctx, "test", func(x catalog.Session) error {
				return x.Each(ctx, "SELECT id FROM a", nil, func(func(...any) error) error { return nil })
			})
		}},
		{"one row", p.Abandon, func() error {
			return db.View(ctx, "test", func(x catalog.Session) error {
				var n int64
				return x.One(ctx, "SELECT count(*) FROM a", nil, &n)
			})
		}},
		{"a snapshot", p.Abandon, func() error { return db.Snapshot(ctx, "test", func(catalog.Session) error { return nil }) }},
		{"a commit", func() { p.Set(faultproxy.Faults{At: faultproxy.Commits(1, faultproxy.Hang)}) }, func() error { return db.Update(ctx, "test", insert) }},
		{"a statement of a transaction", func() {}, func() error {
			return db.Update(ctx, "test", func(x catalog.Session) error {
				p.Abandon()
				return insert(x)
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// One connection, which has been used just now, is in the pool.
			for range 20 {
				if err := db.Ping(t.Context()); err == nil {
					break
				}
			}
			c.fault()
			defer p.Set(faultproxy.Faults{})
			ended := make(chan error, 1)
			go func() { ended <- c.do() }()
			select {
			case err := <-ended:
				if media.KindOf(err) != media.Unavailable {
					t.Errorf("%v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it waits for ever")
			}
		})
	}
}

// TestSessionsEndWithTheirClients: PostgreSQL ends the transactions of clients that are gone,
// and with them their locks. Behind a pooler the setting would be the next client's, too.
func TestSessionsEndWithTheirClients(t *testing.T) {
	url := pgtest.Start(t)
	for _, c := range []struct{ name, url, settings string }{
		{"direct", url, "idle_in_transaction_session_timeout=30000 tcp_keepalives_count=3 tcp_keepalives_idle=30 tcp_keepalives_interval=10"},
		{"behind a pooler", pgtest.Pooler(t, url), "application_name=lectern"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var settings string
			err := catalogtest.Open(t, c.url).Row(t.Context(), "test",
				`SELECT COALESCE(string_agg(name || '=' || setting, ' ' ORDER BY name), '') FROM pg_settings WHERE source = 'session'`, nil, &settings)
			if err != nil || settings != c.settings {
				t.Errorf("the session's settings are %q, %v", settings, err)
			}
		})
	}
}
