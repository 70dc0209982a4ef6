package cache

import (
	"bytes"
	"context"

	"github.com/lectiospace/lectern/internal/media"
)

// Stats is a snapshot for people and metrics.
type Stats struct {
	Dir       string `json:"dir"`
	Bytes     int64  `json:"bytes"`    // of files on disk, reserved ones and folders included
	Capacity  int64  `json:"capacity"` // bytes
	MinFree   int64  `json:"min_free"` // bytes
	Free      int64  `json:"free"`     // bytes of the filesystem, as it was asked last
	ChunkSize int64  `json:"chunk_size"`
	Chunks    int    `json:"chunks"`
	Objects   int    `json:"objects"`
	Verified  int    `json:"verified"` // chunks that were compared since the start, or written since
	State     string `json:"state"`    // of the disk
	Scanning  bool   `json:"scanning"` // the index is still being rebuilt
	// Events are the counters since the start, as lectern_cache_chunks_total has them.
	Events map[string]int64 `json:"events"`
}

// HitRatio is the share of look-ups that found their chunk on the disk; ok is
// false when there was none.
func (s Stats) HitRatio() (ratio float64, ok bool) {
	all := s.Events[string(eventHit)] + s.Events[string(eventMiss)] + s.Events[string(eventJoined)]
	return float64(s.Events[string(eventHit)]) / float64(max(1, all)), all > 0
}

// Stats tells how the cache stands.
func (c *Cache) Stats() Stats {
	c.measureFree()
	s := c.gauges()
	s.Events = c.metrics.counts()
	s.Verified = c.countVerified()
	return s
}

// gauges is the part of Stats that costs nothing.
func (c *Cache) gauges() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Dir: c.cfg.Dir, Bytes: c.budget.used, Capacity: int64(c.cfg.Size), MinFree: int64(c.cfg.MinFree), Free: c.free(),
		ChunkSize: c.chunkSize, Chunks: c.index.chunks, Objects: len(c.index.objects),
		State: c.health.state.String(), Scanning: c.scanning,
	}
}

// countVerified looks at all chunks, a page of the index in each hold of the lock.
func (c *Cache) countVerified() (n int) {
	for first := chunkID(0); ; first += indexPageSize {
		c.mu.Lock()
		end := c.index.next
		for id := first; id < min(end, first+indexPageSize); id++ {
			if id != 0 && c.index.number(id) != 0 && *c.index.verified(id) == allBlocks {
				n++
			}
		}
		c.mu.Unlock()
		if first+indexPageSize >= end {
			return n
		}
	}
}

// Holding is how much of an object is on the disk, in bytes of its data.
func (c *Cache) CachedBytes(obj media.Object) (held int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.index.objects[keyOf(obj, c.chunkSize)]
	if o == nil {
		return 0
	}
	for _, id := range o.ids {
		held += c.index.length(id)
	}
	return held
}

// PurgeOutcome is what was dropped.
type PurgeOutcome struct {
	Chunks int   `json:"chunks"`
	Bytes  int64 `json:"bytes"`
}

// Purge drops every version of what lies at a location. Viewers who are in the
// middle of it go on: what they hold is theirs, the rest is fetched again.
func (c *Cache) Purge(ctx context.Context, at media.Location) (out PurgeOutcome, err error) {
	if !c.scanned(ctx) {
		return out, media.Fault(media.Canceled, "cache: purge", ctx.Err())
	}
	place := locationDigest(at)
	for {
		if ctx.Err() != nil {
			return out, media.Fault(media.Canceled, "cache: purge", ctx.Err())
		}
		var gone []removal
		c.mu.Lock()
		for key, o := range c.index.objects {
			if !bytes.Equal(key[:locationSize], place) {
				continue
			}
			for len(o.ids) > 0 && len(gone) < maxEvict {
				gone = append(gone, c.drop(o.ids[len(o.ids)-1], eventPurge))
			}
		}
		c.mu.Unlock()
		if len(gone) == 0 {
			return out, nil
		}
		c.remove(gone...)
		out.Chunks += len(gone)
		for _, g := range gone {
			out.Bytes += g.bytes
		}
	}
}
