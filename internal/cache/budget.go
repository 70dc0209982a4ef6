package cache

import (
	"time"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
)

// budget is the disk space in use, in bytes; guarded by Cache.mu.
type budget struct {
	// used counts the files that exist, and the reservations of those that may.
	used int64
	// free is the filesystem's free space as measured at, when usedThen was used.
	free, usedThen int64
	at             time.Time
	measured       bool
}

// What files and folders take on a disk of pages, in bytes. Directory entries are
// counted generously, half-empty leaves of an index included: the sum is never less
// than what du(1) says.
const (
	diskPage        = 4096
	entryFootprint  = 64
	folderFootprint = diskPage + 4*entryFootprint
	baseFootprint   = 16 * diskPage // the cache's own folders and lock file
)

// footprint is the disk space of a chunk of so many bytes.
func footprint(length int64) int64 {
	return (chunkfile.HeaderSize+length+diskPage-1)/diskPage*diskPage + entryFootprint
}

// spaceOf is what is reserved for a chunk of so many bytes: it may be the one that makes
// its object's folder.
func spaceOf(length int64) int64 { return footprint(length) + folderFootprint }

// freeMaxAge is how long a measurement of the filesystem's free space is used.
const freeMaxAge = time.Second

// mayStore reports whether a chunk that needs n bytes may find its space once it is
// complete, by eviction if need be. Its writer reserves the space; nobody else waits for
// a removal. c.mu is held.
func (c *Cache) mayStore(n int64) bool {
	if c.closed || c.scanning.running || !c.health.state.writable() {
		return false
	}
	return n <= c.available()+c.budget.used // which is within the limit
}

// reserve reserves the disk space of a chunk that is about to be written, and evicts
// others where needed: its space is free, their files removed, before it is reserved. It
// reports false when there is no space or the disk is not healthy. c.mu is not held.
func (c *Cache) reserve(fl *fill, run runIO) bool {
	c.measureFree(run)
	c.removeFolders(run)
	for range 64 { // others may take what was evicted here
		ok, evicted := c.tryReserve(fl)
		if ok {
			return true
		}
		if len(evicted) == 0 {
			return false
		}
		c.remove(run, evicted...)
	}
	return false
}

// tryReserve reserves a chunk's space, or evicts chunks for it. It does neither when
// there is no use in trying again.
func (c *Cache) tryReserve(fl *fill) (ok bool, evicted []removal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := spaceOf(fl.length)
	if c.scanning.running || !c.health.state.writable() || n > c.limit() || c.isRemoving(fl.o.key, fl.index) {
		return false, nil
	}
	available := c.available()
	if n <= available {
		c.budget.used += n
		fl.reserved = n
		return true, nil
	}
	return false, c.evict(n - available)
}

// limit is what files and folders may take. du(1) looks at one file after the other,
// and may count a file that is deleted and the one that replaces it: the limit is
// a few chunks less than the budget, so that even that sum is within it.
func (c *Cache) limit() int64 {
	size := int64(c.cfg.Size)
	return size - baseFootprint - min(size/16, 8*footprint(c.chunkSize))
}

// available is what may still be reserved within the budget and the minimum of free
// space; c.mu is held.
func (c *Cache) available() int64 {
	available := c.limit() - c.budget.used
	return min(available, c.free()-int64(c.cfg.MinFree))
}

// free is the filesystem's free space as measured, less what was reserved since;
// c.mu is held.
func (c *Cache) free() int64 { return c.budget.free - (c.budget.used - c.budget.usedThen) }

// release returns a reservation; c.mu is held.
func (c *Cache) release(n int64) { c.budget.used -= n }

// batchSize is how many chunks are dropped in one hold of the lock.
const batchSize = 16

// evict drops chunks of n bytes together, or batchSize of them; c.mu is held. Their
// files count against the budget until they are removed.
func (c *Cache) evict(n int64) (evicted []removal) {
	for n > 0 && len(evicted) < batchSize {
		id := c.policy.Victim(c.fds.inUse)
		if id == 0 {
			break
		}
		r := c.drop(id, eventEvict)
		evicted = append(evicted, r)
		n -= r.bytes
	}
	return evicted
}

// minFreeInterval is how often the free space is checked when nothing is stored:
// other programs write to the disk as well.
const minFreeInterval = 5 * time.Second

// watchMinFree evicts chunks while less than the minimum is free.
func (c *Cache) watchMinFree() {
	tick := time.NewTicker(minFreeInterval)
	defer tick.Stop()
	for {
		select {
		case <-c.base.Done():
			return
		case <-tick.C:
			c.restoreMinFree()
		}
	}
}

// restoreMinFree evicts until the minimum is free, or nothing is left to evict.
func (c *Cache) restoreMinFree() {
	for c.base.Err() == nil {
		c.measureFree(here)
		evicted := c.evictForMinFree()
		if len(evicted) == 0 {
			return
		}
		c.remove(here, evicted...)
	}
}

func (c *Cache) evictForMinFree() []removal {
	c.mu.Lock()
	defer c.mu.Unlock()
	short := int64(c.cfg.MinFree) - c.free()
	if short <= 0 || c.scanning.running || !c.budget.measured {
		return nil
	}
	return c.evict(short)
}

// measureFree measures the filesystem's free space, unless the last measurement is
// recent enough; c.mu is not held.
func (c *Cache) measureFree(run runIO) {
	now := time.Now()
	c.mu.Lock()
	recent := now.Sub(c.budget.at) < freeMaxAge
	if !recent {
		c.budget.at = now // others use the old measurement meanwhile
	}
	first := !c.budget.measured
	used := c.budget.used
	c.mu.Unlock()
	if recent && !first {
		return
	}
	var free int64
	var err error
	run(func() { free, err = c.disk.Free(c.cfg.Dir) })
	if err != nil {
		c.diskFault("statfs", err)
		return
	}
	c.mu.Lock()
	c.budget.free, c.budget.usedThen, c.budget.measured = free, used, true
	c.mu.Unlock()
}
