package catalog

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// TestCachedFacts: facts are those of the look-ups, and fresh for exactly as long as the
// look-ups answer from memory.
func TestCachedFacts(t *testing.T) {
	const staleness = 30 * time.Second
	change := func(table string) func(*Cache, *fakeSource) {
		return func(c *Cache, _ *fakeSource) { c.InvalidateTable(table) }
	}
	for _, e := range []struct {
		what  string
		event func(c *Cache, f *fakeSource)
		fresh bool
	}{
		{"nothing", func(*Cache, *fakeSource) {}, true},
		{"just before the oldest entry is stale", func(*Cache, *fakeSource) { time.Sleep(staleness - 10*time.Second - 1) }, true},
		{"the oldest entry is stale", func(*Cache, *fakeSource) { time.Sleep(staleness - 10*time.Second) }, false},
		{"all is invalidated", func(c *Cache, _ *fakeSource) { c.InvalidateAll() }, false},
		{"the connection to the database is back", func(c *Cache, _ *fakeSource) { c.reloadAll() }, false},
		{"a user changes", change("accounts_customuser"), false},
		{"a recording changes", change("schedule_lessonrecording"), false},
		{"a lesson changes", change("schedule_lesson"), false},
		{"a group changes", change("schedule_group"), false},
		{"a group's students change", change("schedule_group_students"), false},
		{"the groups of a recording change", change("schedule_lessonrecording_allowed_groups"), false},
		{"the students of a recording change", change("schedule_lessonrecording_allowed_students"), false},
		{"an unknown table changes", change("anything"), false},
		{"the database is unavailable", func(c *Cache, f *fakeSource) { c.observe(errGone) }, false},
		{"the cache stops", func(c *Cache, _ *fakeSource) { c.Stop() }, false},
	} {
		bubble(t, CacheConfig{MaxStaleness: staleness, OutageGrace: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
			if _, ok := c.CachedFacts(5, 7, true); ok {
				t.Errorf("%s: known before anybody has asked", e.what)
			}
			user, _ := c.User(t.Context(), 5)
			time.Sleep(10 * time.Second)
			recording, _ := c.Recording(t.Context(), 7)
			membership, _ := c.Membership(t.Context(), 5, recording)
			c.users.entries.Wait()
			c.recordings.entries.Wait()
			c.memberships.entries.Wait()
			asked := f.asked.Load()
			known, ok := c.CachedFacts(5, 7, true)
			if !ok || known.User != user || known.Recording != recording || known.Membership != membership || !known.Fresh() {
				t.Fatalf("%s: %+v, %t", e.what, known, ok)
			}
			if known, ok = c.CachedFacts(5, 7, false); !ok || known.Membership != (media.Membership{}) {
				t.Errorf("%s, without the membership: %+v, %t", e.what, known, ok)
			}
			known, _ = c.CachedFacts(5, 7, true)
			if f.asked.Load() != asked {
				t.Errorf("%s: the source was called", e.what)
			}
			e.event(c, f)
			if got := known.Fresh(); got != e.fresh {
				t.Errorf("%s: fresh %t, want %t", e.what, got, e.fresh)
			}
			if _, ok := c.CachedFacts(5, 7, true); ok != e.fresh {
				t.Errorf("%s: known afterwards %t, want %t", e.what, ok, e.fresh)
			}
			synctest.Wait()
		})
	}
}

// TestCachedFactsOfNothing: an absent row, and a cache that may use no entry, have none.
func TestCachedFactsOfNothing(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Minute}, func(t *testing.T, c *Cache, _ *fakeSource) {
		ask(t, c, 500)
		if _, ok := c.CachedFacts(500, 500, false); ok {
			t.Error("a user who does not exist is known")
		}
	})
	bubble(t, CacheConfig{OutageGrace: time.Minute}, func(t *testing.T, c *Cache, _ *fakeSource) {
		ask(t, c, 5)
		if _, err := c.Recording(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		c.recordings.entries.Wait()
		if _, ok := c.CachedFacts(5, 7, false); ok {
			t.Error("entries that may not be used are known")
		}
	})
}
