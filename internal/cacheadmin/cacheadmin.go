// Package cacheadmin is what `gateway cache` works with: the operations on the chunk
// cache, their protocol on the admin listener, and the client of that protocol. The
// running gateway owns the cache directory, so commands go through it; without one
// the command opens the cache itself.
package cacheadmin

import (
	"context"
	"fmt"

	"github.com/lectiospace/lectern/internal/cache"
)

// Operations are the commands on a cache. report gets the events of an operation in
// their order, from the caller's goroutine. An operation that ran and could not do all of
// its work reports an event that is Failed; an error means that it was aborted.
type Operations interface {
	// Stats returns the cache's statistics.
	Stats(ctx context.Context) (cache.Stats, error)
	// Warm fetches what is missing of the recordings.
	Warm(ctx context.Context, recordings []int64, report func(Event)) error
	// Purge drops all versions of the recordings. Viewers go on; what they still need
	// is fetched again.
	Purge(ctx context.Context, recordings []int64, report func(Event)) error
	// Verify compares the checksums of every chunk and drops the corrupt ones.
	Verify(ctx context.Context, report func(Event)) error
}

// Event is one line of an operation's output, as JSON in the protocol.
type Event struct {
	// Event is EventProgress, EventDone or EventOutcome; the protocol adds eventEnd
	// and eventError, one of which is the last.
	Event     string `json:"event"`
	Recording int64  `json:"recording,omitempty"`
	Done      int64  `json:"done"`  // bytes, or chunks in Verify
	Total     int64  `json:"total"` // bytes, or chunks in Verify
	Text      string `json:"text,omitempty"`
	// Failed makes the command end with exit code 1.
	Failed bool `json:"failed,omitempty"`
}

// The kinds of events.
const (
	EventProgress = "progress" // at most ten a second
	EventDone     = "done"     // with one recording
	EventOutcome  = "outcome"  // of the whole operation

	eventEnd   = "end"
	eventError = "error"
)

// bytesText formats a number of bytes with its unit.
func bytesText(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
