package catalog_test

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// TestCacheOutage: the whole way, with a server that goes and comes back.
func TestCacheOutage(t *testing.T) {
	t.Parallel()
	server := pgtest.StartServer(t)
	url := server.Database(t)
	pgtest.Load(t, url, catalogtest.PlatformSQL)
	pgtest.Exec(t, url, platformScript(t, "notify.sql"))
	s := catalogtest.Migrate(t, catalogtest.Open(t, url))
	c, err := catalog.NewCache(s, catalog.CacheConfig{MaxStaleness: time.Hour, OutageGrace: time.Hour}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	news := follow(t, s, c)
	heard(t, news, "the connection")
	active := func(id int64) (bool, media.Kind) {
		u, err := c.User(t.Context(), id)
		c.WaitForEntries()
		if err != nil {
			return false, media.KindOf(err)
		}
		return u.Active, 0
	}
	if ok, kind := active(5); !ok || kind != 0 {
		t.Fatalf("%v, %v", ok, kind)
	}
	pgtest.Exec(t, url, `UPDATE accounts_customuser SET is_active = FALSE WHERE id = 5`)
	heard(t, news, "the user made inactive")
	if ok, kind := active(5); ok || kind != 0 {
		t.Errorf("still active an hour's staleness notwithstanding: %v, %v", ok, kind)
	}
	c.Start(t.Context())
	server.Stop(t)
	if _, kind := active(6); kind != media.Unavailable {
		t.Errorf("somebody new in the outage: %v", kind)
	}
	if ok, kind := active(5); ok || kind != 0 {
		t.Errorf("somebody known in the outage: %v, %v", ok, kind)
	}
	server.Restart(t)
	heard(t, news, "the connection after the outage")
	c.WaitUntilUp(t.Context())
	if ok, kind := active(6); !ok || kind != 0 {
		t.Errorf("after the outage: %v, %v", ok, kind)
	}
}

// follow makes c follow the changes in s until the test ends, with a signal after each.
func follow(t *testing.T, s *catalogtest.DB, c *catalog.Cache) <-chan struct{} {
	t.Helper()
	news := make(chan struct{}, 100)
	c.Follow(s.Store, func() { news <- struct{}{} })
	t.Cleanup(c.Stop)
	return news
}

// TestKnownUsersOutlastARestart: while the server is stopped and started, twice, no look-up
// of what was known before fails: not in the outage, and not when the listening connection
// is back before the pinger has noticed.
func TestKnownUsersOutlastARestart(t *testing.T) {
	t.Parallel()
	server := pgtest.StartServer(t)
	url := server.Database(t)
	pgtest.Load(t, url, catalogtest.PlatformSQL)
	pgtest.Exec(t, url, platformScript(t, "notify.sql"))
	s := catalogtest.Migrate(t, catalogtest.Open(t, url))
	c, err := catalog.NewCache(s, catalog.CacheConfig{MaxStaleness: 50 * time.Millisecond, OutageGrace: time.Hour}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	news := follow(t, s, c)
	heard(t, news, "the connection")
	c.Start(t.Context())
	lookUp := func() error {
		rec, err := c.Recording(t.Context(), 1)
		if err != nil {
			return err
		}
		_, err1 := c.User(t.Context(), 5)
		_, err2 := c.Membership(t.Context(), 5, rec)
		return errors.Join(err1, err2)
	}
	if err := lookUp(); err != nil {
		t.Fatal(err)
	}
	c.WaitForEntries()
	done := make(chan struct{})
	var load sync.WaitGroup
	var answered, failed atomic.Int64
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				answered.Add(1)
				if err := lookUp(); err != nil && failed.Add(1) == 1 {
					t.Errorf("the first of those that failed: %v", err)
				}
				time.Sleep(time.Millisecond) // the rate of the load
			}
		})
	}
	for range 2 {
		server.Stop(t)
		for !c.Unavailable() {
			time.Sleep(time.Millisecond)
		}
		server.Restart(t)
		heard(t, news, "the connection after the outage")
		c.WaitUntilUp(t.Context())
		pgtest.Exec(t, url, `UPDATE accounts_customuser SET updated_at = now(), is_active = NOT is_active WHERE id = 5`)
		heard(t, news, "a change after the outage")
		// What is known to have changed is not used before it was loaded again.
		if err := lookUp(); err != nil {
			t.Error(err)
		}
		c.WaitForEntries()
	}
	close(done)
	load.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d of %d look-ups failed", n, answered.Load())
	}
	var stored bool
	s.One(t, `SELECT is_active FROM public.accounts_customuser WHERE id = 5`, nil, &stored)
	if u, err := c.User(t.Context(), 5); err != nil || u.Active != stored {
		t.Errorf("after the outage: %v, %v; stored: %v", u.Active, err, stored)
	}
}
