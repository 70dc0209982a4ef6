package cache

import (
	"context"

	"github.com/lectiospace/lectern/internal/media"
)

// PurgeOutcome is what was removed.
type PurgeOutcome struct {
	Chunks int   `json:"chunks"`
	Bytes  int64 `json:"bytes"`
}

// Purge removes every version of what a location holds. Readers in the middle of it
// go on: the pieces that they have stay readable, the rest is fetched again. It waits
// for the start-up scan. An error is of kind Canceled: ctx ended; the outcome is then
// what was removed before.
func (c *Cache) Purge(ctx context.Context, at media.Location) (out PurgeOutcome, err error) {
	if !c.scanned(ctx) {
		return out, media.Fault(media.Canceled, "cache: purge", ctx.Err())
	}
	location := locationKeyOf(at)
	for ctx.Err() == nil {
		dropped := c.dropBatch(location)
		if len(dropped) == 0 {
			return out, nil
		}
		c.remove(dropped...)
		out.Chunks += len(dropped)
		for _, r := range dropped {
			out.Bytes += r.bytes
		}
	}
	return out, media.Fault(media.Canceled, "cache: purge", ctx.Err())
}

// dropBatch drops up to batchSize chunks of a location.
func (c *Cache) dropBatch(at locationKey) (dropped []removal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.index.ofLocation(at, batchSize) {
		dropped = append(dropped, c.drop(id, eventPurge))
	}
	return dropped
}
