package derive

import (
	"context"
	"errors"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// databaseError is a fault of the database: the queue runs the job again.
type databaseError struct{ fault error }

func (e *databaseError) Error() string { return e.fault.Error() }
func (e *databaseError) Unwrap() error { return e.fault }

// updatePauses are the waits between the tries of an update while the database is unavailable.
// A run that gives up throws away what it has made, which may have taken hours.
var updatePauses = []time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, 5 * time.Minute}

// update is catalog.Store.Update, which is tried again while the database is unavailable. Its
// error is errChanged, the context's or a *databaseError.
func (r *run) update(ctx context.Context, op string, f func(x store.Session) error) error {
	return whileUnavailable(ctx, updatePauses, func() error {
		err := r.deps.Store.Update(ctx, op, f)
		if err == nil || errors.Is(err, errChanged) {
			return err
		}
		return &databaseError{err}
	})
}

// whileUnavailable calls f again after each pause in turn, as long as its error is of kind
// Unavailable, and returns the last error.
func whileUnavailable(ctx context.Context, pauses []time.Duration, f func() error) error {
	err := f()
	for _, pause := range pauses {
		if media.KindOf(err) != media.Unavailable {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		err = f()
	}
	return err
}
