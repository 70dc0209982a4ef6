package catalog_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
)

// TestHeartbeat: a gateway is registered while it runs, on both databases; the row of one
// that was killed goes after a day.
func TestHeartbeat(t *testing.T) {
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		s := open(t)
		s.Exec(t, `INSERT INTO lectern.lectern_gateways (id, version, address, started_at, beat_at) VALUES
			('killed', '1', 'a', '2026-11-18T10:00:00Z', '2026-11-18T10:00:00Z'), ('silent', '1', 'a', '2026-11-19T11:00:00Z', '2026-11-19T11:00:00Z')`)
		now := func() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) }
		h := catalog.NewHeartbeat(s.Store, "2", "http://b", now)
		ctx, cancel := context.WithCancel(t.Context())
		h.Start(ctx)
		cancel() // draining streams still need the gateway to be registered
		const alive = `SELECT count(*) FROM lectern.lectern_gateways WHERE version = '2' AND address = 'http://b'`
		for s.Count(t, alive) == 0 {
			if t.Context().Err() != nil {
				t.Fatal("not registered")
			}
		}
		if n := s.Count(t, `SELECT count(*) FROM lectern.lectern_gateways WHERE id IN ('killed', 'silent')`); n != 1 {
			t.Errorf("%d of two silent gateways are left", n)
		}
		// Neither the silent one nor this process's counts.
		s.Exec(t, `INSERT INTO lectern.lectern_gateways (id, version, address, started_at, beat_at) VALUES
			('host/1/a', '2', 'c', '2026-11-20T09:00:00Z', '2026-11-20T09:59:45Z'), ('host/2/b', '2', 'd', '2026-11-20T09:00:00Z', '2026-11-20T09:59:29Z')`)
		if n, err := s.OtherGateways(t.Context(), now()); n != 1 || err != nil {
			t.Errorf("%d other gateways, %v", n, err)
		}
		h.Stop()
		h.Stop()
		if s.Count(t, alive) != 0 {
			t.Error("still registered after Stop")
		}
	})
}

// TestHeartbeatWithoutADatabase: an unavailable database neither delays the start nor the
// end for longer than a look-up.
func TestHeartbeatWithoutADatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := catalog.Open(t.Context(), "postgres://u@127.0.0.1:1/d", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		began := time.Now()
		h := catalog.NewHeartbeat(s, "1", "a", time.Now)
		h.Start(t.Context())
		h.Stop()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
