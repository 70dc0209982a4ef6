package cache

import (
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/cache/eviction"
)

// Chunks are written beside the flights that brought them, so that a viewer does
// not wait for the disk: what waits for it is read from memory. Half of the
// cache's memory may wait. When more comes in, a flight waits too, so long as a
// busy machine may need and a player bears; then the disk is too slow, and the
// chunk goes unstored.
const (
	writers    = 8 // at a time
	writerWait = 5 * time.Second
)

// queueFor is how many chunks may be written or wait for it.
func queueFor(memory, chunkSize int64) int64 { return max(2, memory/2/chunkSize) }

// store gives a whole chunk to a writer. c.mu is not held; the caller is a flight
// that has claimed the chunk, and goes on to the next one.
func (c *Cache) store(fl *fill, identity string, data []byte, a eviction.Arrival) {
	c.mu.Lock()
	if !c.health.state.writable() {
		defer c.mu.Unlock()
		c.passThrough(fl)
		return
	}
	c.mu.Unlock()
	select {
	case c.queued <- struct{}{}:
	default:
		late := time.NewTimer(writerWait)
		defer late.Stop()
		select {
		case c.queued <- struct{}{}:
		case <-late.C:
			c.diskFault("write", errSlow)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.passThrough(fl)
			return
		}
	}
	c.mu.Lock()
	fl.refs++ // the writer's: the memory stays
	c.mu.Unlock()
	c.running.Go(func() {
		c.writing <- struct{}{}
		c.write(fl, identity, data, a)
		<-c.writing
		<-c.queued
	})
}

// write puts a chunk on the disk and into the index. One that cannot be stored
// stays in memory for as long as its flights have readers; they do not notice.
func (c *Cache) write(fl *fill, identity string, data []byte, a eviction.Arrival) {
	began := time.Now()
	header := encodeHeader(identity, fl.index, c.chunkSize, data)
	litter, err := writeChunk(c.disk, c.tmpDir(), fl.o.key.path(c.cfg.Dir, fl.index), header, data)
	took := time.Since(began)
	switch {
	case err != nil:
		c.diskFault("write", err)
	case took > slowWrite:
		c.diskFault("write", errSlow)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if litter {
			fl.reserved -= footprint(fl.length) // it is on the disk, and stays in the budget
		}
		c.passThrough(fl)
	} else {
		if took <= slowWrite {
			c.writeSucceeded()
		}
		// The last reader may have left while the file was written, and the object's
		// entry with it.
		o := c.index.objectFor(fl.o.key)
		if !o.hasFolder {
			o.hasFolder = true
			fl.reserved -= folderFootprint
		}
		if c.commit(o, fl.index, fl.length, allBlocks, eventCommit, a) {
			fl.reserved -= footprint(fl.length)
		} // else the scan found the file before we could say that it is ours
		for _, p := range slices.Clone(fl.parts) {
			p.fetch.chunkCommitted(fl)
		}
	}
	if fl.refs--; fl.refs == 0 {
		c.discardFill(fl)
	}
}

// unstored gives back the room of a chunk that will not be stored, and its memory
// unless somebody still has to read it; c.mu is held.
func (c *Cache) passThrough(fl *fill) {
	c.release(fl.reserved)
	fl.reserved = 0
	c.metrics.event(eventBypass)
	for _, p := range slices.Clone(fl.parts) {
		p.fetch.releasePassed()
	}
}
