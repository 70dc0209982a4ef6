package cache

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"golang.org/x/time/rate"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/media"
)

// The scrub verifies the whole cache again and again at a low rate: flipped bits are
// found before a viewer reads them, and torn files do not occupy space for ever.

// scrubPause is the time between two rounds of the scrub.
const scrubPause = time.Hour

// scrub runs until the cache is closed.
func (c *Cache) scrub() {
	limit := rate.NewLimiter(rate.Limit(c.cfg.ScrubRate), int(chunkfile.HeaderSize+c.chunkSize))
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
		c.log.Debug("cache: scrub finished", slog.Int("chunks", outcome.Checked), slog.Int("corrupt", outcome.Corrupt), slog.String("took", time.Since(began).String()))
		select {
		case <-c.base.Done():
			return
		case <-time.After(scrubPause):
		}
	}
}

// Ready waits for the end of the start-up scan. An error is of kind Canceled: ctx
// ended first.
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

// VerifyOutcome is the result of a verification.
type VerifyOutcome struct {
	Checked int   `json:"checked"` // chunks
	Corrupt int   `json:"corrupt"` // of them, removed
	Bytes   int64 `json:"bytes"`   // read
	Total   int   `json:"total"`   // chunks at the start
}

// Verify compares every checksum of every chunk, and removes the chunks that fail.
// progress, which may be nil, is called after each, from this goroutine and without
// a lock. Chunks that are added or removed meanwhile may be left out. An error says
// that ctx ended; the outcome is then that of the part that was verified.
func (c *Cache) Verify(ctx context.Context, progress func(VerifyOutcome)) (VerifyOutcome, error) {
	if !c.scanned(ctx) {
		return VerifyOutcome{}, media.Fault(media.Canceled, "cache: verify", ctx.Err())
	}
	return c.verifyAll(ctx, nil, progress)
}

// verifyAll goes through the index by ID.
func (c *Cache) verifyAll(ctx context.Context, limit *rate.Limiter, progress func(VerifyOutcome)) (out VerifyOutcome, err error) {
	c.mu.Lock()
	end := c.index.next
	out.Total = c.index.chunks
	c.mu.Unlock()
	for id := chunkID(1); id < end; id++ {
		if ctx.Err() != nil {
			return out, media.Fault(media.KindOf(ctx.Err()), "cache: verify", ctx.Err())
		}
		e := c.pin(id)
		if e == nil {
			continue
		}
		bytes := chunkfile.HeaderSize + e.length
		if limit != nil {
			if err := limit.WaitN(ctx, int(bytes)); err != nil {
				c.unpin(e)
				return out, media.Fault(media.Canceled, "cache: scrub", err)
			}
		}
		err := c.verifyPinned(e)
		out.Checked++
		out.Bytes += bytes
		c.metrics.scrubBytes.Add(float64(bytes))
		if err != nil {
			out.Corrupt++
			c.invalidate(e, err)
		}
		c.unpin(e)
		if progress != nil {
			progress(out)
		}
	}
	return out, nil
}

// verifyPinned verifies a chunk that is pinned. The object is not known: the file's
// identity must be one of its folder's key.
func (c *Cache) verifyPinned(e *fdEntry) error {
	f, err := openChunk(c.disk, e.key.path(c.cfg.Dir, e.index))
	if errors.Is(err, os.ErrNotExist) && c.wasRemoved(e) {
		return nil // purged meanwhile
	}
	if err != nil {
		return err
	}
	defer f.Close()
	chunk := chunkfile.Chunk{Index: e.index, Length: e.length, Size: c.chunkSize}
	if err := verifyChunk(chunk, f, e.key.identifiedBy, chunkfile.AllBlocks); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !e.removed {
		*c.index.verified(e.id) = chunkfile.AllBlocks
	}
	return nil
}

func (c *Cache) wasRemoved(e *fdEntry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.removed
}

// pin keeps a chunk from being evicted; nil when the ID is not in use.
func (c *Cache) pin(id chunkID) *fdEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index.number(id) == 0 {
		return nil
	}
	e := c.fds.entryOf(&c.index, id)
	e.pins++
	return e
}

func (c *Cache) unpin(e *fdEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.pins--
	c.fds.dropIfUnused(e)
}
