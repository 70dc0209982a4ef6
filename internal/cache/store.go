package cache

import (
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/cache/eviction"
)

// passReason is why a chunk passes through. It is the label of
// lectern_cache_passed_through_chunks_total.
type passReason string

const (
	passNoSpace   passReason = "space"  // no disk space could be reserved
	passDiskFault passReason = "disk"   // the disk is bypassed, or the write failed
	passDiskBusy  passReason = "busy"   // the queue of writes is full: the disk is slower than the origin
	passNoMemory  passReason = "memory" // a fetch needed the memory before the chunk was written
)

var passReasons = []passReason{passNoSpace, passDiskFault, passDiskBusy, passNoMemory}

// store queues a complete chunk for writing, or lets it pass through. It does not
// wait. c.mu is not held; the caller is the fetch that got verifyPart's true, and it
// goes on with its next chunk.
func (c *Cache) store(fl *fill, identity string, a eviction.Arrival) {
	if c.tryStore(fl, identity, a) {
		c.diskFault("write", errSlow)
	}
}

// tryStore reports whether the disk is stuck; c.mu is not held.
func (c *Cache) tryStore(fl *fill, identity string, a eviction.Arrival) (stuck bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.health.state.writable():
		c.passThrough(fl, passDiskFault)
	case !c.enqueue(&queuedWrite{fill: fl, identity: identity, arrival: a}):
		c.passThrough(fl, passDiskBusy)
		return c.writes.stuck(time.Now())
	default:
		c.dropPassedWrites()
	}
	return false
}

// write puts a chunk on the disk and into the index. One that cannot be written
// passes through; its readers do not notice.
func (c *Cache) write(w *queuedWrite, thread background) {
	fl := w.fill
	data := fl.buffer.data
	header := c.chunkFile(fl).Header(w.identity, data, w.sums...)
	path := fl.o.key.path(c.cfg.Dir, fl.index)
	var remains bool
	var err error
	thread.run(func() { remains, err = writeChunk(c.disk, c.tmpDir(), path, header, data) })
	took := time.Since(w.began)
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
		c.passThrough(fl, passDiskFault)
	} else {
		if took <= slowWrite {
			c.writeSucceeded()
		}
		c.commitFill(fl, w.arrival)
	}
	c.unrefFill(fl)
}

// chunkFile says where a fill's bytes belong.
func (c *Cache) chunkFile(fl *fill) chunkfile.Chunk {
	return chunkfile.Chunk{Index: fl.index, Length: fl.length, Size: c.chunkSize}
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
func (c *Cache) passThrough(fl *fill, why passReason) {
	c.release(fl.reserved)
	fl.reserved = 0
	if fl.listed {
		c.index.updateAvailable(fl.o, fl.index)
	}
	c.metrics.passedThrough(why)
	for _, p := range slices.Clone(fl.parts) {
		p.fetch.releasePassed()
	}
}
