package cache

import (
	"io/fs"
	"path/filepath"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/media"
)

// Stats is a snapshot for people and metrics.
type Stats struct {
	Dir       string `json:"dir"`
	Bytes     int64  `json:"bytes"`    // of files on disk, reservations and folders included
	Capacity  int64  `json:"capacity"` // bytes
	MinFree   int64  `json:"min_free"` // bytes
	Free      int64  `json:"free"`     // bytes of the filesystem, as last measured
	ChunkSize int64  `json:"chunk_size"`
	Chunks    int    `json:"chunks"`
	Objects   int    `json:"objects"`
	Verified  int    `json:"verified"` // chunks that were verified since the start, or written since
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

// Stats returns a snapshot. It measures the filesystem's free space.
func (c *Cache) Stats() Stats {
	c.measureFree(here)
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
		State: c.health.state.String(), Scanning: c.scanning.running,
	}
}

// countVerified looks at all chunks, one page of the index in each hold of the lock.
func (c *Cache) countVerified() (n int) {
	for first := chunkID(0); ; first += indexPageSize {
		verified, more := c.countVerifiedPage(first)
		n += verified
		if !more {
			return n
		}
	}
}

func (c *Cache) countVerifiedPage(first chunkID) (n int, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.index.next
	for id := max(1, first); id < min(end, first+indexPageSize); id++ {
		if c.index.number(id) != 0 && *c.index.verified(id) == chunkfile.AllBlocks {
			n++
		}
	}
	return n, first+indexPageSize < end
}

// CachedBytes is how much of an object is on the disk, in bytes of its data.
func (c *Cache) CachedBytes(obj media.Object) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.index.objects[keyOf(obj, c.chunkSize)]; o != nil {
		return o.bytes
	}
	return 0
}

// ChunkFileBytes is the size of the chunk files below a cache's directory, which
// need not be open. What cannot be read is not counted.
func ChunkFileBytes(dir string) (size int64) {
	_ = filepath.WalkDir(filepath.Join(dir, "chunks"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}
