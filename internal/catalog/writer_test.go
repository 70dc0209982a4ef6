package catalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
)

// TestUpdateWaitsNoLongerThanItMay: while another writer holds SQLite, the deadline that
// the package sets is the database's failure, and the caller's is the caller's.
func TestUpdateWaitsNoLongerThanItMay(t *testing.T) {
	db := catalogtest.SQLite(t)
	writing, done := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- db.Update(t.Context(), "test: hold", func(catalog.Session) error {
			close(writing)
			<-done
			return nil
		})
	}()
	<-writing
	never := func(context.Context, catalog.Session) error { return errors.New("two writers at once") }
	if err := db.UpdateWithin(t.Context(), "test", time.Millisecond, never); media.KindOf(err) != media.Unavailable {
		t.Errorf("the package's own deadline: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := db.UpdateWithin(short, "test", time.Minute, never); media.KindOf(err) != media.Timeout {
		t.Errorf("the caller's deadline: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.UpdateWithin(canceled, "test", time.Minute, never); media.KindOf(err) != media.Canceled {
		t.Errorf("the caller's cancellation: %v", err)
	}
	close(done)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestOwnDeadlineIsUnavailable: a database that does not answer in time is unavailable,
// in a transaction as in a read.
func TestOwnDeadlineIsUnavailable(t *testing.T) {
	db := catalogtest.SQLite(t)
	slow := func(ctx context.Context, _ catalog.Session) error {
		<-ctx.Done() // as a driver does
		return ctx.Err()
	}
	for name, run := range map[string]func() error{
		"view":   func() error { return db.ViewWithin(t.Context(), "test", time.Millisecond, slow) },
		"update": func() error { return db.UpdateWithin(t.Context(), "test", time.Millisecond, slow) },
	} {
		if err := run(); media.KindOf(err) != media.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
