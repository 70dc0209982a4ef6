package syncer_test

import (
	"context"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestDeadSyncerIsReaped: a syncer that dies in the middle leaves its jobs to another.
func TestDeadSyncerIsReaped(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
			// As one leaves it that was killed while downloading.
			s.Update(func(ctx context.Context, x store.Session) error {
				if err := store.Heartbeat(ctx, x, store.Syncer{ID: "the-dead", BeatAt: time.Now().Add(-time.Minute)}); err != nil {
					return err
				}
				_, err := x.Exec(ctx, `UPDATE lectern.lectern_ingests SET owner = 'the-dead', state = 'working'`)
				return err
			})
			if name == "sqlite" {
				s.Exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_by = jsonb('["the-dead"]'), attempted_at = '2026-01-01 00:00:00.000' WHERE kind = 'ingest'`)
			} else {
				s.Exec(`UPDATE lectern.river_job SET state = 'running', attempt = 1, attempted_by = ARRAY['the-dead'], attempted_at = now() - interval '1 hour' WHERE kind = 'ingest'`)
			}
			s.Start()
			s.Archived(1)
		})
	}
}

// TestLostLeaseIsReleased: a lease of a run whose end could not be written down does not stay,
// although its syncer lives and gets no job for the ingest: another one may fetch it each time,
// and wait for the lease.
func TestLostLeaseIsReleased(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
			s.Exec(`DELETE FROM lectern.river_job WHERE kind = 'ingest'`)
			s.Start()
			s.Exec(`UPDATE lectern.lectern_ingests SET owner = (SELECT MAX(id) FROM lectern.lectern_syncers) || '#77', state = 'working'`)
			syncertest.Eventually(t, "the lease released", func() (bool, string) {
				lease := s.Ingest(1).Lease
				return lease == "", lease
			})
		})
	}
}

// TestTheHeartbeatGoesOn: a step of the supervisor's that fails keeps no syncer from its
// heartbeat, without which others would take its leases.
func TestTheHeartbeatGoesOn(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Exec(`ALTER TABLE lectern.lectern_resyncs RENAME TO lectern_resyncs_away`)
	s.Exec(`DELETE FROM lectern.lectern_syncers`)
	syncertest.Eventually(t, "a heartbeat", func() (bool, string) {
		var n int
		s.View(func(ctx context.Context, x store.Session) error {
			return x.One(ctx, `SELECT COUNT(*) FROM lectern.lectern_syncers`, nil, &n)
		})
		return n == 1, ""
	})
}
