package cache

import (
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/cache/eviction"
)

// Chunks are written concurrently with the fetches that brought them, so that no
// viewer waits for the disk: what waits to be written is read from memory, half of
// the cache's memory at most. A fetch that brings more waits for writerWait, which a
// busy machine may need and a player's buffer covers. Then the disk is too slow, and
// the chunk passes through.
const (
	writers    = 8 // concurrent writes
	writerWait = 5 * time.Second
)

// writeQueue is how many chunks may be written or wait for it.
func writeQueue(memory, chunkSize int64) int64 { return max(2, memory/2/chunkSize) }

// store queues a complete chunk for writing. c.mu is not held; the caller is the
// fetch that got the data from verifyPart, and it goes on with its next chunk.
func (c *Cache) store(fl *fill, identity string, data []byte, a eviction.Arrival) {
	c.mu.Lock()
	writable := c.health.state.writable()
	if !writable {
		c.passThrough(fl)
	}
	c.mu.Unlock()
	if !writable {
		return
	}
	if !c.enqueueWrite() {
		c.diskFault("write", errSlow)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.passThrough(fl)
		return
	}
	c.mu.Lock()
	fl.refs++ // the writer's: the buffer stays
	c.mu.Unlock()
	c.running.Go(func() {
		c.writing <- struct{}{}
		c.write(fl, identity, data, a)
		<-c.writing
		<-c.queued
	})
}

// enqueueWrite waits for a slot of the write queue, for writerWait at most.
func (c *Cache) enqueueWrite() bool {
	select {
	case c.queued <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(writerWait)
	defer late.Stop()
	select {
	case c.queued <- struct{}{}:
		return true
	case <-late.C:
		return false
	}
}

// write puts a chunk on the disk and into the index. One that cannot be written
// passes through; its readers do not notice.
func (c *Cache) write(fl *fill, identity string, data []byte, a eviction.Arrival) {
	began := time.Now()
	header := chunkfile.Chunk{Index: fl.index, Length: fl.length, Size: c.chunkSize}.Header(identity, data)
	remains, err := writeChunk(c.disk, c.tmpDir(), fl.o.key.path(c.cfg.Dir, fl.index), header, data)
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
		if remains {
			fl.reserved -= footprint(fl.length) // it is on the disk, and stays in the budget
		}
		c.passThrough(fl)
	} else {
		if took <= slowWrite {
			c.writeSucceeded()
		}
		c.commitFill(fl, a)
	}
	c.unrefFill(fl)
}

// commitFill commits a chunk that has been written, and turns its reservation into
// used space; c.mu is held.
func (c *Cache) commitFill(fl *fill, a eviction.Arrival) {
	// The last reader may have left during the write, and the object's entry with it.
	o := c.index.objectFor(fl.o.key)
	if !o.hasFolder {
		o.hasFolder = true
		fl.reserved -= folderFootprint
	}
	if c.commit(o, fl.index, fl.length, chunkfile.AllBlocks, eventCommit, a) {
		fl.reserved -= footprint(fl.length)
	} // else the scan has found the file, and its space is counted
	for _, p := range slices.Clone(fl.parts) {
		p.fetch.chunkCommitted(fl)
	}
}

// passThrough returns the reservation of a chunk that will not be stored, and its
// buffer unless a reader still needs it; c.mu is held.
func (c *Cache) passThrough(fl *fill) {
	c.release(fl.reserved)
	fl.reserved = 0
	if fl.listed {
		c.index.updateAvailable(fl.o, fl.index)
	}
	c.metrics.event(eventBypass)
	for _, p := range slices.Clone(fl.parts) {
		p.fetch.releasePassed()
	}
}
