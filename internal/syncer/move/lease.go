package move

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

const (
	// renewEvery is how often a mover renews its leases, fenceAfter how long it works while
	// the database does not take that, and deadAfter the age from which others take them.
	renewEvery = 5 * time.Second
	fenceAfter = 20 * time.Second
	deadAfter  = 30 * time.Second
	// releaseTimeout bounds the release of a lease, also when the run was canceled.
	releaseTimeout = 3 * time.Second
)

// errFenced ends a run whose leases others may have taken.
var errFenced = &media.Error{Kind: media.Canceled, Op: "move", Err: errors.New("the database cannot be reached, and another mover may have taken over")}

// errLeaseLost ends a try whose lease another mover has taken.
var errLeaseLost = errors.New("another mover has taken the recording")

// keepLeases renews the leases of this mover until stop is called. The returned context ends
// when they could not be renewed for too long.
func (m *Mover) keepLeases(ctx context.Context) (kept context.Context, stop func()) {
	kept, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		renewed := time.Now()
		for {
			select {
			case <-kept.Done():
				return
			case <-tick.C:
			}
			err := m.renewLeases(kept)
			switch {
			case err == nil:
				renewed = time.Now()
			case time.Since(renewed) > fenceAfter:
				cancel(errFenced)
				return
			}
		}
	}()
	return kept, func() { cancel(nil); <-ended }
}

// renewLeases renews the leases of this mover, or fails soon: while it waits, nobody looks
// whether they are too old.
func (m *Mover) renewLeases(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	return m.deps.Store.UpdateOnce(ctx, "move: renew leases", func(x store.Session) error { return store.RenewMoves(ctx, x, m.deps.ID, m.now()) })
}

// acquire takes the lease of a recording. A *busyError: another mover that lives has it. One
// whose lease lapsed may go on, as on a machine that stood still, and may still finish an
// upload: what it has begun is given up, so that nothing else is ever sent to its keys.
func (m *Mover) acquire(ctx context.Context, recording int64) error {
	owner := ""
	err := m.deps.Store.Update(ctx, "move: acquire a lease", func(x store.Session) (err error) {
		lapsed := false
		owner, err = store.AcquireMove(ctx, x, recording, m.deps.ID, m.now(), func(current string, beat time.Time) bool {
			dead := m.isDead(current)
			lapsed = !dead && m.now().Sub(beat) > deadAfter
			return dead || lapsed
		})
		switch {
		case catalog.IsNotFound(err): // released between two statements
			owner, err = "", nil
		case err == nil && lapsed:
			err = m.abandonAll(ctx, x, recording)
		}
		return err
	})
	if err == nil && owner != m.deps.ID {
		return &busyError{why: "another `syncer move` is at work on it"}
	}
	return err
}

// isDead reports whether a mover has certainly ended. The evidence is gone once it was seen,
// and the mover may have left several leases.
func (m *Mover) isDead(owner string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dead[owner] && m.deps.Dead(owner) {
		m.dead[owner] = true
	}
	return m.dead[owner]
}

// release releases the lease of a recording; if that fails it lapses.
func (m *Mover) release(ctx context.Context, recording int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := m.deps.Store.UpdateOnce(ctx, "move: release a lease", func(x store.Session) error { return store.ReleaseMove(ctx, x, recording, m.deps.ID) })
	if err != nil {
		m.log.Warn("move: lease not released", slog.Int64("recording", recording), slog.Any("error", err))
	}
}
