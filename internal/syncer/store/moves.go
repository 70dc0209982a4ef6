package store

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// AcquireMove makes owner the one process that moves a recording. It returns the owner after
// that: another one when it has the lease and is not dead.
func AcquireMove(ctx context.Context, x Session, recording int64, owner string, now time.Time, dead func(owner string, beat time.Time) bool) (string, error) {
	n, err := x.Exec(ctx, `INSERT INTO lectern.lectern_moves (recording_id, owner, beat_at) VALUES ($1, $2, $3) ON CONFLICT (recording_id) DO NOTHING`, recording, owner, stamp(now))
	if err != nil || n > 0 {
		return owner, err
	}
	var (
		current string
		beat    catalog.DBTime
	)
	if err := x.One(ctx, `SELECT owner, beat_at FROM lectern.lectern_moves WHERE recording_id = $1`+x.ForUpdate(), []any{recording}, &current, &beat); err != nil {
		return "", err // released meanwhile: the caller tries again
	}
	if current != owner && !dead(current, beat.Time) {
		return current, nil
	}
	_, err = x.Exec(ctx, `UPDATE lectern.lectern_moves SET owner = $2, beat_at = $3 WHERE recording_id = $1`, recording, owner, stamp(now))
	return owner, err
}

// OwnsMove renews the lease of a recording and reports whether owner still has it.
func OwnsMove(ctx context.Context, x Session, recording int64, owner string, now time.Time) (bool, error) {
	n, err := x.Exec(ctx, `UPDATE lectern.lectern_moves SET beat_at = $3 WHERE recording_id = $1 AND owner = $2`, recording, owner, stamp(now))
	return n > 0, err
}

// RenewMoves renews all leases of an owner.
func RenewMoves(ctx context.Context, x Session, owner string, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_moves SET beat_at = $2 WHERE owner = $1`, owner, stamp(now))
	return err
}

// ReleaseMove ends the lease of a recording.
func ReleaseMove(ctx context.Context, x Session, recording int64, owner string) error {
	_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_moves WHERE recording_id = $1 AND owner = $2`, recording, owner)
	return err
}
