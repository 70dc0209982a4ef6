package catalog_test

import (
	"log/slog"
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
