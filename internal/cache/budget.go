package cache

import (
	"time"
)

// budget is the disk space in use; guarded by Cache.mu.
type budget struct {
	// used counts the files that exist or may come into being: what is reserved
	// for a fill counts from then on.
	used int64
	// free is the filesystem's free space as it was at, when usedThen were used.
	free, usedThen int64
	at             time.Time
	measured       bool
}

// What files and folders take on a disk that deals in pages. A directory's entries
// are counted generously, half-empty leaves of an index included: the sum is never
// less than what du(1) says.
const (
	diskPage        = 4096
	entryFootprint  = 64
	folderFootprint = diskPage + 4*entryFootprint
	baseFootprint   = 16 * diskPage // the cache's own folders and lock
)

// footprint is what a chunk of so many bytes takes.
func footprint(length int64) int64 {
	return (headerSize+length+diskPage-1)/diskPage*diskPage + entryFootprint
}

// freeFor is how long a reading of the filesystem's free space is believed.
const freeMaxAge = time.Second

// reserve takes room for n bytes of files, evicting for it where needed. It
// reports false, without having waited for anybody, when there is no room or
// the disk is not well. c.mu is not held.
func (c *Cache) reserve(n int64) bool {
	c.measureFree()
	c.removeFolders()
	for range 64 { // others may take what was freed here, or it took more than one turn
		c.mu.Lock()
		if c.closed || c.scanning || !c.health.state.writable() || n > c.limit() {
			c.mu.Unlock()
			return false
		}
		room := c.available()
		if n <= room {
			c.budget.used += n
			c.mu.Unlock()
			return true
		}
		gone := c.evict(n - room)
		c.mu.Unlock()
		if len(gone) == 0 {
			return false
		}
		c.remove(gone...)
	}
	return false
}

// limit is what files and folders may take. Who watches the directory looks at one
// file after the other, and may count one that goes and the one that comes in its
// place: a few chunks are left so that even that sum is within the budget.
func (c *Cache) limit() int64 {
	size := int64(c.cfg.Size)
	return size - baseFootprint - min(size/16, 8*footprint(c.chunkSize))
}

// room is what may still be reserved: within the budget, and leaving the floor
// of free space alone; c.mu is held.
func (c *Cache) available() int64 {
	room := c.limit() - c.budget.used
	return min(room, c.free()-int64(c.cfg.MinFree))
}

// free is the filesystem's free space as it was, less what was taken since; c.mu
// is held.
func (c *Cache) free() int64 { return c.budget.free - (c.budget.used - c.budget.usedThen) }

// maxEvict is how many chunks are chosen in one hold of the lock.
const maxEvict = 16

// evict takes chunks worth n bytes out of the index, or as many as may be taken at
// a time; c.mu is held. Their files still count until they are removed.
func (c *Cache) evict(n int64) (gone []removal) {
	for n > 0 && len(gone) < maxEvict {
		id := c.policy.Victim(c.fds.inUse)
		if id == 0 {
			break
		}
		r := c.drop(id, eventEvict)
		gone = append(gone, r)
		n -= r.bytes
	}
	return gone
}

// floorEvery is how often the floor of free space is looked at when nothing is
// stored: others write to the disk as well.
const minFreeInterval = 5 * time.Second

// keepFloor gives chunks up while less than the floor is free.
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

// yield evicts until the floor is free, or nothing is left to evict.
func (c *Cache) restoreMinFree() {
	for c.base.Err() == nil {
		c.measureFree()
		c.mu.Lock()
		short := int64(c.cfg.MinFree) - c.free()
		if short <= 0 || c.scanning || !c.budget.measured {
			c.mu.Unlock()
			return
		}
		gone := c.evict(short)
		c.mu.Unlock()
		if len(gone) == 0 {
			return
		}
		c.remove(gone...)
	}
}

// release gives a reservation back; c.mu is held.
func (c *Cache) release(n int64) { c.budget.used -= n }

// measureFree asks the filesystem, once a second at most; c.mu is not held.
func (c *Cache) measureFree() {
	now := time.Now()
	c.mu.Lock()
	fresh := now.Sub(c.budget.at) < freeMaxAge
	if !fresh {
		c.budget.at = now // others go on with the old reading meanwhile
	}
	first := !c.budget.measured
	used := c.budget.used
	c.mu.Unlock()
	if fresh && !first {
		return
	}
	free, err := c.disk.Free(c.cfg.Dir)
	if err != nil {
		c.diskFault("statfs", err)
		return
	}
	c.mu.Lock()
	c.budget.free, c.budget.usedThen, c.budget.measured = free, used, true
	c.mu.Unlock()
}
