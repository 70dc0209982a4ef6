package library

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/watchstate"
)

// WatchedRecording is what is stored of how one user watched one recording.
type WatchedRecording struct {
	Recording int64     `json:"recording"`
	Position  float64   `json:"position"` // seconds
	LastSeen  time.Time `json:"last_seen"`
	// Played are the pieces of which at least half was played, in seconds from the start.
	Played [][2]int64 `json:"played"`
}

// WatchedBy is everything that is stored of what a user watched, by recording.
func WatchedBy(ctx context.Context, store *catalog.Store, user int64) ([]WatchedRecording, error) {
	out := []WatchedRecording{}
	err := store.Rows(ctx, "library: what a user watched", listTimeout, selectStates+" WHERE s.user_id = $1 ORDER BY s.recording_id", []any{user}, func(scan func(...any) error) error {
		key, state, err := scanState(scan)
		out = append(out, WatchedRecording{key.recording, state.Position.Seconds(), state.At.UTC(), pieces(state.Played)})
		return err
	})
	return out, err
}

// pieces joins buckets that follow each other.
func pieces(played watchstate.Played) [][2]int64 {
	const seconds = int64(watchstate.Bucket / time.Second)
	out := [][2]int64{}
	for _, bucket := range played.Watched(0) {
		from := bucket * seconds
		if n := len(out); n > 0 && out[n-1][1] == from {
			out[n-1][1] = from + seconds
			continue
		}
		out = append(out, [2]int64{from, from + seconds})
	}
	return out
}
