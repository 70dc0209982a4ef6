package schema_test

import (
	"testing"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// TestHasData: a fresh schema holds no data, and beside the platform its rows are not
// Lectern's; a row of Lectern's own is data everywhere.
func TestHasData(t *testing.T) {
	const person = `INSERT INTO public.accounts_customuser (email) VALUES ('a@b.test')`
	const history = `INSERT INTO lectern.lectern_history (at, what) VALUES ('2026-11-20T10:00:00Z', 'x')`
	platform := func(t testing.TB) *catalogtest.DB { return catalogtest.Platform(t, catalogtest.PlatformSQL) }
	unmigrated := func(t testing.TB) *catalogtest.DB {
		url := pgtest.Start(t)
		pgtest.Load(t, url, catalogtest.PlatformSQL)
		return catalogtest.Open(t, url)
	}
	for _, c := range []struct {
		name      string
		open      func(testing.TB) *catalogtest.DB
		statement string
		has       bool
	}{
		{"sqlite without tables", func(t testing.TB) *catalogtest.DB { return catalogtest.EmptySQLite(t) }, "", false},
		{"sqlite, fresh", catalogtest.SQLite, "", false},
		{"sqlite with a person", catalogtest.SQLite, person, true},
		{"sqlite with a row of Lectern's own", catalogtest.SQLite, history, true},
		{"postgres, fresh", catalogtest.Postgres, "", false},
		{"postgres with a person", catalogtest.Postgres, person, true},
		{"postgres with a row of Lectern's own", catalogtest.Postgres, history, true},
		{"beside the platform, not migrated", unmigrated, "", false},
		{"beside the platform, fresh", platform, "", false},
		{"beside the platform with a row of Lectern's own", platform, history, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.open(t)
			if c.statement != "" {
				s.Exec(t, c.statement)
			}
			if has, err := schema.HasData(t.Context(), s.Store); has != c.has || err != nil {
				t.Errorf("HasData is %v, %v", has, err)
			}
		})
	}
}
