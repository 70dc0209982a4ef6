package library

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/watchstate"
)

const (
	// statesPerStatement keeps a statement's parameters within the limits of both databases.
	statesPerStatement = 5000
	// watchStatesLock is the advisory lock under which a gateway reads, merges and writes
	// states, so that two gateways lose nothing of each other's.
	watchStatesLock = 0x6c656377 // "lecw"
)

const selectStates = `SELECT s.user_id, s.recording_id, s.position_ms, s.arrived_ms, s.played FROM lectern.lectern_watch_states s`

// deletePurgedStates: rows of recordings stay when their bytes are purged, so that no foreign
// key removes the states with them.
const deletePurgedStates = `DELETE FROM lectern.lectern_watch_states WHERE recording_id IN (
	SELECT p.recording_id FROM lectern.lectern_purges p JOIN public.schedule_lessonrecording r ON r.id = p.recording_id
	WHERE p.purged_at IS NOT NULL AND r.is_deleted)`

// deletePurged deletes the states of recordings that were removed and cannot be restored any more.
func (w *WatchStates) deletePurged(ctx context.Context, _ time.Time) error {
	return w.store.UpdateWithin(ctx, "library: prune watch states", flushTimeout, func(ctx context.Context, x catalog.Session) error {
		_, err := x.Exec(ctx, deletePurgedStates)
		return err
	})
}

// stateRow is a state as a row has it.
type stateRow struct {
	stateKey
	state watchstate.State
}

func scanState(scan func(...any) error) (key stateKey, state watchstate.State, err error) {
	var (
		position, arrived int64
		played            []byte
	)
	err = scan(&key.user, &key.recording, &position, &arrived, &played)
	return key, storedState(position, arrived, played), err
}

// write merges a batch, which is sorted, with the rows, in one transaction. The times in the
// batch suppose that the database's clock is ahead by so much of this machine's; returned is by
// how much it is.
func (w *WatchStates) write(ctx context.Context, batch []stateRow, ahead time.Duration) (time.Duration, error) {
	err := w.store.UpdateWithin(ctx, "library: write watch states", flushTimeout, func(ctx context.Context, x catalog.Session) error {
		if x.Dialect() == catalog.Postgres {
			is, err := w.lock(ctx, x)
			if err != nil {
				return err
			}
			for i := range batch {
				batch[i].state.At = batch[i].state.At.Add(is - ahead)
			}
			ahead = is
		}
		for part := range slices.Chunk(batch, statesPerStatement) {
			merged, err := mergeRows(ctx, x, part)
			if err == nil {
				err = upsertStates(ctx, x, merged)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return ahead, err
}

// clockTolerance is how far the clocks of a gateway and the database may be apart without being
// compared: less than what lies between two reports of a viewer.
const clockTolerance = time.Second

// lock has other gateways wait until the transaction ends: each statement sees what was
// committed before it began. It returns by how much the database's clock is ahead. Of the
// reports that a viewer sends to several gateways the last one counts, and the gateways' own clocks may
// disagree about which that is.
func (w *WatchStates) lock(ctx context.Context, x catalog.Session) (ahead time.Duration, err error) {
	var ms int64
	err = x.One(ctx, `WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock($1))
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) FROM l`, []any{int64(watchStatesLock)}, &ms)
	if ahead = time.UnixMilli(ms).Sub(w.machine()); ahead.Abs() < clockTolerance {
		ahead = 0
	}
	return ahead, err
}

// mergeRows are the states of part, merged with those that are in the database.
func mergeRows(ctx context.Context, x catalog.Session, part []stateRow) ([]stateRow, error) {
	values, args := make([]string, len(part)), make([]any, 0, 2*len(part))
	at := make(map[stateKey]int, len(part))
	merged := slices.Clone(part)
	for i, row := range part {
		values[i] = fmt.Sprintf("(CAST($%d AS bigint), CAST($%d AS bigint))", 2*i+1, 2*i+2)
		args = append(args, row.user, row.recording)
		at[row.stateKey] = i
	}
	text := selectStates + " WHERE (s.user_id, s.recording_id) IN (VALUES " + strings.Join(values, ", ") + ")"
	err := x.Each(ctx, text, args, func(scan func(...any) error) error {
		key, state, err := scanState(scan)
		if err == nil {
			state.Merge(merged[at[key]].state)
			merged[at[key]].state = state
		}
		return err
	})
	return merged, err
}

// upsertStates leaves out those of users and recordings that are no more.
func upsertStates(ctx context.Context, x catalog.Session, part []stateRow) error {
	const columns = 5
	format := "(CAST($%d AS bigint), CAST($%d AS bigint), CAST($%d AS bigint), CAST($%d AS bigint), CAST($%d AS blob))"
	if x.Dialect() == catalog.Postgres {
		format = strings.Replace(format, "blob", "bytea", 1)
	}
	values, args := make([]string, len(part)), make([]any, 0, columns*len(part))
	for i, row := range part {
		n := columns * i
		values[i] = fmt.Sprintf(format, n+1, n+2, n+3, n+4, n+5)
		args = append(args, row.user, row.recording, row.state.Position.Milliseconds(), row.state.At.UnixMilli(), row.state.Played.Encode())
	}
	_, err := x.Exec(ctx, `WITH n (user_id, recording_id, position_ms, arrived_ms, played) AS (VALUES `+strings.Join(values, ", ")+`)
INSERT INTO lectern.lectern_watch_states (user_id, recording_id, position_ms, arrived_ms, played)
SELECT n.user_id, n.recording_id, n.position_ms, n.arrived_ms, n.played FROM n
WHERE EXISTS (SELECT 1 FROM public.accounts_customuser u WHERE u.id = n.user_id)
	AND EXISTS (SELECT 1 FROM public.schedule_lessonrecording r WHERE r.id = n.recording_id)
ON CONFLICT (user_id, recording_id) DO UPDATE SET position_ms = excluded.position_ms, arrived_ms = excluded.arrived_ms, played = excluded.played`, args...)
	return err
}
