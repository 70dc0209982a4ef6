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
	passFirstUse  passReason = "first-use" // the cache is full, and nobody has used the chunk before
	passNoSpace   passReason = "space"     // no disk space could be reserved
	passDiskFault passReason = "disk"      // the disk is bypassed, or the write failed
	passDiskBusy  passReason = "busy"      // the queue of writes is full: the disk is slower than the origin
	passNoMemory  passReason = "memory"    // a fetch needed the memory before the chunk was written
)

var passReasons = []passReason{passFirstUse, passNoSpace, passDiskFault, passDiskBusy, passNoMemory}

// store queues a complete chunk for writing, or lets it pass through. It does not wait,
// unless nobody watches: f was started to store what it fetches. c.mu is not held; the
// caller is the fetch for which verifyPart reported true, and it goes on with its next
// chunk.
func (c *Cache) store(f *fetch, fl *fill, a eviction.Arrival) {
	w := &queuedWrite{fill: fl, identity: identity(f.obj, c.chunkSize), arrival: a}
	for {
		room, behind := c.tryStore(f, w)
		if behind && c.writersStuck() {
			c.diskFault("write", errSlow)
		}
		if room == nil {
			return
		}
		late := time.NewTimer(2 * stuckAfter) // then the disk may be stuck
		select {
		case <-room:
		case <-late.C:
		case <-f.ctx.Done():
			f.stopKeeping()
		}
		late.Stop()
	}
}

// tryStore returns what to wait for before the next try, or nil. behind reports that the
// writers are: the queue is full, or has given memory to fetches. c.mu is not held.
func (c *Cache) tryStore(f *fetch, w *queuedWrite) (room <-chan struct{}, behind bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.keep = f.keep
	switch {
	case !c.health.state.writable():
		c.passThrough(w.fill, passDiskFault)
	case c.enqueue(w):
		c.dropPassedWrites()
		behind, c.writes.dropped = c.writes.dropped, false
		return nil, behind
	case w.keep && !c.writes.closed:
		return c.writes.nextRoom(), true
	default:
		c.passThrough(w.fill, passDiskBusy)
		return nil, true
	}
	return nil, false
}

// write puts a chunk on the disk and into the index. One that finds no space or cannot
// be written passes through; its readers do not notice. What the chunk's space costs, the
// removal of others, is part of its write.
func (c *Cache) write(w *queuedWrite, thread background) {
	fl := w.fill
	if !c.reserve(fl, thread.run) {
		c.dropUnreserved(w)
		return
	}
	data := fl.buffer.data
	header := c.chunkFile(fl).Header(w.identity, data, w.sums...)
	path := fl.o.key.path(c.cfg.Dir, fl.index)
	var remains bool
	var err error
	took := thread.run(func() { remains, err = writeChunk(c.disk, c.tmpDir(), path, header, data) })
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

// dropUnreserved lets a chunk pass through for which no space could be reserved.
func (c *Cache) dropUnreserved(w *queuedWrite) {
	c.mu.Lock()
	defer c.mu.Unlock()
	why := passNoSpace
	switch {
	case !c.health.state.writable():
		why = passDiskFault
	case c.isRemoving(w.fill.o.key, w.fill.index):
		why = passDiskBusy
	}
	c.dropWrite(w, why)
}

// chunkFile says where a fill's bytes belong.
func (c *Cache) chunkFile(fl *fill) chunkfile.Chunk {
	return chunkfile.Chunk{Index: fl.index, Length: fl.length, Size: c.chunkSize}
}

// commitFill commits a chunk that has been written, and turns its reservation into
// used space; c.mu is held. What was written is compared with its checksums when it is first
// read: a write that succeeds says nothing of what the disk has.
func (c *Cache) commitFill(fl *fill, a eviction.Arrival) {
	// The last reader may have left during the write, and the object's entry with it.
	o := c.index.objectFor(fl.o.key)
	if !o.hasFolder {
		o.hasFolder = true
		fl.reserved -= folderFootprint
	}
	if c.commit(o, fl.index, fl.length, eventCommit, a) {
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
	fl.reserved, fl.storable = 0, false
	if fl.listed {
		c.index.updateAvailable(fl.o, fl.index)
	}
	c.metrics.passedThrough(why)
	for _, p := range slices.Clone(fl.parts) {
		p.fetch.releasePassed()
	}
}
