package library

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// startLock is the first key of the advisory lock under which one user's starts
// are counted; the second is the user's id, cut to what the lock takes.
const startLock = 0x6c656374 // "lect"

const (
	// insertStart counts unless the limit is reached ($6; 0 = none), or this start
	// goes with one of the same recording after $4. $5 is where the window begins.
	insertStart = `
INSERT INTO lectern.lectern_starts (user_id, recording_id, started_ms)
SELECT $1, $2, $3
WHERE NOT EXISTS (SELECT 1 FROM lectern.lectern_starts
                  WHERE user_id = $1 AND recording_id = $2 AND started_ms > $4)
  AND ($6 = 0 OR (SELECT count(*) FROM lectern.lectern_starts WHERE user_id = $1 AND started_ms > $5) < $6)
RETURNING id`

	selectEarlierStart = `
SELECT started_ms FROM lectern.lectern_starts
WHERE user_id = $1 AND recording_id = $2 AND started_ms > $3 ORDER BY started_ms DESC LIMIT 1`

	// selectBlockingStart: when it leaves the window there is room for one more.
	selectBlockingStart = `
SELECT started_ms FROM lectern.lectern_starts
WHERE user_id = $1 AND started_ms > $2 ORDER BY started_ms DESC LIMIT 1 OFFSET $3`
)

// PlaybackStarts counts the starts of playback of each user. It is safe for concurrent
// use; any number of gateways may use one database.
type PlaybackStarts struct {
	store *catalog.Store
	turns userTurns
}

// NewPlaybackStarts makes a PlaybackStarts.
func NewPlaybackStarts(db *catalog.Store) *PlaybackStarts { return &PlaybackStarts{store: db} }

// CountStart counts a start of playback of a user at a moment, unless limit (0 =
// none) starts of theirs lie in the window before it. One within reuse of an
// earlier start of the same user and recording goes with that and is not counted;
// with a reuse of 0 each counts. Any number of gateways may call it at once:
// together they never count more than limit.
func (p *PlaybackStarts) CountStart(ctx context.Context, userID, recordingID int64, at time.Time, window, reuse time.Duration, limit int) (media.Start, error) {
	const op = "library: count a start"
	now := at.UnixMilli()
	since, from := now-reuse.Milliseconds(), now-window.Milliseconds()
	if reuse == 0 {
		since = 1<<63 - 1 // no start is later
	}
	done, err := p.turns.wait(ctx, op, catalog.LookupTimeout, userID)
	if err != nil {
		return media.Start{}, err
	}
	defer done()
	var start media.Start
	err = p.store.UpdateWithin(ctx, op, catalog.LookupTimeout, func(ctx context.Context, x catalog.Session) error {
		if x.Dialect() == catalog.Postgres {
			// Each statement sees what was committed before it began, so that a transaction
			// that waited here counts what the one before inserted. Unlike a session's lock,
			// a transaction's works through any pooler.
			if _, err := x.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, int32(startLock), int32(userID)); err != nil {
				return err
			}
		}
		err := x.One(ctx, insertStart, []any{userID, recordingID, now, since, from, int64(limit)}, &start.ID)
		if err == nil {
			start.At = at
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		start, err = explainNoStart(ctx, x, userID, recordingID, at, since, from, limit, window)
		return err
	})
	return start, err
}

// explainNoStart is why insertStart inserted nothing: an earlier start, or too many.
func explainNoStart(ctx context.Context, x catalog.Session, userID, recordingID int64, at time.Time, since, from int64, limit int, window time.Duration) (media.Start, error) {
	var ms int64
	err := x.One(ctx, selectEarlierStart, []any{userID, recordingID, since}, &ms)
	if err == nil {
		return media.Start{At: time.UnixMilli(ms)}, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return media.Start{}, err
	}
	if err := x.One(ctx, selectBlockingStart, []any{userID, from, int64(limit) - 1}, &ms); err != nil {
		return media.Start{}, err
	}
	return media.Start{Wait: max(time.UnixMilli(ms).Add(window).Sub(at), time.Millisecond)}, nil
}

// UncountStart deletes a start that CountStart counted.
func (p *PlaybackStarts) UncountStart(ctx context.Context, id int64) error {
	const op = "library: uncount a start"
	return p.store.UpdateWithin(ctx, op, catalog.LookupTimeout, func(ctx context.Context, x catalog.Session) error {
		_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_starts WHERE id = $1`, id)
		return err
	})
}
