package cache

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"golang.org/x/time/rate"

	"github.com/lectiospace/lectern/internal/media"
)

// The scrub reads the whole cache again and again, slowly, and compares every
// checksum: a bit that has flipped is found before a viewer comes to it, and what
// a crash has torn does not hold its place for ever.

// scrubRest is how long it rests between two rounds.
const scrubRest = time.Hour

// scrub runs until the cache is closed.
func (c *Cache) scrub() {
	limit := rate.NewLimiter(rate.Limit(c.cfg.ScrubRate), int(headerSize+c.chunkSize))
	for {
		began := time.Now()
		if !c.scanned(c.base) {
			return
		}
		outcome, err := c.verifyAll(c.base, limit, nil)
		if err != nil {
			return
		}
		c.metrics.scrubRounds.Inc()
		c.log.Debug("the cache was scrubbed", slog.Int("chunks", outcome.Checked), slog.Int("corrupt", outcome.Corrupt), slog.String("took", time.Since(began).String()))
		select {
		case <-c.base.Done():
			return
		case <-time.After(scrubRest):
		}
	}
}

// Ready waits until the index of what an earlier run has left is made.
func (c *Cache) Ready(ctx context.Context) error {
	if !c.scanned(ctx) {
		return media.Fault(media.Canceled, "cache: scan", ctx.Err())
	}
	return nil
}

// scanned waits for the scan's end; false when ctx ended first.
func (c *Cache) scanned(ctx context.Context) bool {
	select {
	case <-c.scanDone:
		return true
	case <-ctx.Done():
		return false
	}
}

// VerifyOutcome is what re-checking found.
type VerifyOutcome struct {
	Checked int   `json:"checked"` // chunks
	Corrupt int   `json:"corrupt"` // of them, thrown away
	Bytes   int64 `json:"bytes"`   // read
	Total   int   `json:"total"`   // chunks there were at the start
}

// Verify compares every checksum of every chunk, and throws away those that do
// not hold. progress, which may be nil, is told now and then. Chunks that come or
// go meanwhile may be left out.
func (c *Cache) Verify(ctx context.Context, progress func(VerifyOutcome)) (VerifyOutcome, error) {
	if !c.scanned(ctx) {
		return VerifyOutcome{}, media.Fault(media.Canceled, "cache: verify", ctx.Err())
	}
	return c.verifyAll(ctx, nil, progress)
}

// verifyAll goes through the index by number.
func (c *Cache) verifyAll(ctx context.Context, limit *rate.Limiter, progress func(VerifyOutcome)) (out VerifyOutcome, err error) {
	c.mu.Lock()
	end := c.index.next
	out.Total = c.index.chunks
	c.mu.Unlock()
	for id := chunkID(1); id < end; id++ {
		if ctx.Err() != nil {
			return out, media.Fault(media.KindOf(ctx.Err()), "cache: verify", ctx.Err())
		}
		g := c.pin(id)
		if g == nil {
			continue
		}
		if limit != nil {
			if err := limit.WaitN(ctx, int(headerSize+g.length)); err != nil {
				c.unpin(g)
				return out, media.Fault(media.Canceled, "cache: scrub", err)
			}
		}
		err := c.verifyHeld(g)
		out.Checked++
		out.Bytes += headerSize + g.length
		c.metrics.scrubBytes.Add(float64(headerSize + g.length))
		if err != nil {
			out.Corrupt++
			c.invalidate(g, err)
		}
		c.unpin(g)
		if progress != nil {
			progress(out)
		}
	}
	return out, nil
}

// verifyHeld compares a chunk that is pinned.
func (c *Cache) verifyHeld(g *fdEntry) error {
	f, err := os.Open(g.key.path(c.cfg.Dir, g.index))
	if errors.Is(err, os.ErrNotExist) && c.hasGone(g) {
		return nil // purged meanwhile
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := verifyWhole(f, g.key, g.index, g.length, c.chunkSize); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !g.removed {
		*c.index.verified(g.id) = allBlocks
	}
	return nil
}

func (c *Cache) hasGone(g *fdEntry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return g.removed
}

// pin keeps a chunk from being evicted; nil when the number is not in use.
func (c *Cache) pin(id chunkID) *fdEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index.number(id) == 0 {
		return nil
	}
	g := c.fds.entryOf(&c.index, id)
	g.pins++
	return g
}

func (c *Cache) unpin(g *fdEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g.pins--
	c.fds.dropIfUnused(g)
}
