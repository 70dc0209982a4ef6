package library

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/watchstate"
)

const (
	// watchFlushInterval is how often watch states are written. A flush of up to
	// statesPerStatement states is four statements on SQLite and five on PostgreSQL, begin and
	// commit included: less than one a second. What a killed gateway loses is not older than
	// the interval and the time of a flush.
	watchFlushInterval = 6 * time.Second
	// maxPendingStates bounds the memory of states that wait for a database that is away,
	// in bytes.
	maxPendingStates = 64 << 20
	// stateSize is what a state takes besides what was played.
	stateSize = 160
)

// errTooManyStates refuses states while those that wait fill the memory that they may take.
var errTooManyStates = errors.New("too many watch states wait for the database")

// WatchStates keeps how far users are in recordings. States are merged in memory and written
// in batches. What one gateway has received it reads at once; another reads it once it is
// written. Safe for concurrent use.
type WatchStates struct {
	*flusher
	store   *catalog.Store
	limit   int              // of bytes in memory
	machine func() time.Time // this machine's clock, which ahead is about

	mu       sync.Mutex                     // guards the fields up to size; no query runs under it
	ahead    time.Duration                  // by how much the database's clock is ahead of this machine's, when last asked
	pending  map[stateKey]*watchstate.State // not written
	writing  map[stateKey]*watchstate.State // being written; its states are not changed
	size     int                            // of pending and writing, in bytes
	flushing sync.Mutex                     // one flush at a time
}

type stateKey struct{ user, recording int64 }

// NewWatchStates makes WatchStates and starts its goroutine; Stop ends it.
func NewWatchStates(store *catalog.Store, log *slog.Logger, now func() time.Time) *WatchStates {
	w := &WatchStates{store: store, limit: maxPendingStates, machine: time.Now, pending: map[stateKey]*watchstate.State{}}
	w.flusher = newFlusher(batch{name: "watch states", interval: watchFlushInterval, log: log, now: now, flush: w.Flush, prune: w.deletePurged, waiting: w.waiting})
	w.start()
	return w
}

func (w *WatchStates) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending)
}

// Put merges what a user's player reports: where they are, and what they played since its last
// report. It does not wait for the database. Kind Unavailable: the database has been away for
// so long that no further state fits in memory; those that wait are kept.
func (w *WatchStates) Put(user, recording int64, position time.Duration, pieces []watchstate.Piece) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := stateKey{user, recording}
	state, old := watchstate.State{Position: position, At: w.now().Add(w.ahead)}, 0
	if before := w.pending[key]; before != nil {
		old = sizeOf(before)
		state.Played = before.Played.Clone()
		if state.At.Before(before.At) {
			state.At = before.At // the clock was set back; this is the later arrival all the same
		}
	}
	for _, piece := range pieces {
		state.Played.Add(piece)
	}
	more := sizeOf(&state) - old
	if more > 0 && w.size+more > w.limit {
		return media.Fault(media.Unavailable, "library: put a watch state", errTooManyStates)
	}
	w.pending[key] = &state
	w.size += more
	return nil
}

func sizeOf(s *watchstate.State) int { return stateSize + s.Played.Size() }

// States are a user's in some recordings; those that they never watched are left out.
func (w *WatchStates) States(ctx context.Context, user int64, recordings []int64) (map[int64]watchstate.State, error) {
	// Memory first: what is written in between is in the rows.
	inMemory := w.inMemory(user, recordings)
	out := map[int64]watchstate.State{}
	q := &query{d: w.store.Dialect()}
	q.text = selectStates + " WHERE s.user_id = " + q.arg(user) + " AND s.recording_id IN (" + placeholders(q, recordings) + ")"
	err := w.store.Rows(ctx, "library: watch states of a user", catalog.LookupTimeout, q.text, q.args, func(scan func(...any) error) error {
		key, state, err := scanState(scan)
		out[key.recording] = state
		return err
	})
	for recording, state := range inMemory {
		merged := out[recording]
		merged.Merge(state)
		out[recording] = merged
	}
	return out, err
}

// inMemory are copies of a user's states in some recordings, by recording, as far as they are
// not certainly written.
func (w *WatchStates) inMemory(user int64, recordings []int64) map[int64]watchstate.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[int64]watchstate.State{}
	for _, states := range []map[stateKey]*watchstate.State{w.writing, w.pending} {
		for _, recording := range recordings {
			if state := states[stateKey{user, recording}]; state != nil {
				mergeCopy(out, recording, state)
			}
		}
	}
	return out
}

// audienceInMemory are copies of all users' states in a recording, by user, as far as they are
// not certainly written.
func (w *WatchStates) audienceInMemory(recording int64) map[int64]watchstate.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[int64]watchstate.State{}
	for _, states := range []map[stateKey]*watchstate.State{w.writing, w.pending} {
		for key, state := range states {
			if key.recording == recording {
				mergeCopy(out, key.user, state)
			}
		}
	}
	return out
}

// mergeCopy merges a copy of a state into that of an id.
func mergeCopy(into map[int64]watchstate.State, id int64, state *watchstate.State) {
	merged := into[id]
	merged.Merge(watchstate.State{Position: state.Position, At: state.At, Played: state.Played.Clone()})
	into[id] = merged
}

// Flush writes what was put so far, all of it or nothing.
func (w *WatchStates) Flush(ctx context.Context) error {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	w.mu.Lock()
	w.writing, w.pending = w.pending, map[stateKey]*watchstate.State{}
	batch := make([]stateRow, 0, len(w.writing))
	for key, state := range w.writing {
		batch = append(batch, stateRow{key, *state})
	}
	ahead := w.ahead
	w.mu.Unlock()
	var err error
	if len(batch) > 0 {
		slices.SortFunc(batch, func(a, b stateRow) int {
			return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.recording, b.recording))
		})
		ahead, err = w.write(ctx, batch, ahead)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.takeBack()
	} else if late := ahead - w.ahead; late != 0 {
		for _, state := range w.pending {
			state.At = state.At.Add(late)
		}
		w.ahead = ahead
	}
	w.writing, w.size = nil, 0
	for _, state := range w.pending {
		w.size += sizeOf(state)
	}
	return err
}

// takeBack makes states that could not be written pending again. w.mu is held.
func (w *WatchStates) takeBack() {
	for key, state := range w.writing {
		if later := w.pending[key]; later != nil {
			state.Merge(*later)
		}
		w.pending[key] = state
	}
}
