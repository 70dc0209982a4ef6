package move_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/move"
)

// TestFencedByASilentDatabase: a mover whose renewals wait for an answer stops before others
// take its leases, which they do 30 seconds after the last renewal.
func TestFencedByASilentDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := catalog.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "lectern.db"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		release, silent := make(chan struct{}), make(chan struct{})
		defer close(release)
		go func() {
			_ = db.AsOnlyWriter(context.WithoutCancel(t.Context()), func() error {
				close(silent)
				<-release
				return nil
			})
		}()
		<-silent
		m := move.New(move.Config{}, move.Deps{ID: "one", Store: db, Log: slog.New(slog.DiscardHandler), Now: time.Now})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		kept, stop := m.KeepLeases(ctx)
		<-kept.Done()
		stop()
		if took := time.Since(began); took >= 30*time.Second {
			t.Errorf("it works on for %s", took)
		}
	})
}
