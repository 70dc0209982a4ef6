package cache

import (
	"context"
	"errors"
	"os"

	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

// event names a transition of a chunk, or the result of a look-up. It is the label
// of lectern_cache_chunks_total.
type event string

const (
	eventHit     event = "hit"     // found committed
	eventMiss    event = "miss"    // absent, a fetch was started
	eventJoined  event = "joined"  // found being fetched
	eventCommit  event = "commit"  // being fetched → committed
	eventFailed  event = "failed"  // being fetched → absent
	eventEvict   event = "evict"   // committed → absent, for space
	eventCorrupt event = "corrupt" // committed → absent, unreadable or wrong
	eventFound   event = "found"   // absent → committed, by an earlier run
	eventBypass  event = "bypass"  // fetched without being stored
	eventPurge   event = "purge"   // committed → absent, by an operator
)

var events = []event{eventHit, eventMiss, eventJoined, eventCommit, eventFailed, eventEvict, eventCorrupt, eventFound, eventBypass, eventPurge}

// commit is the one transition to committed. The chunk's bytes are in the budget, and its
// checksums are compared when it is first read. It reports false when the chunk is committed
// already. c.mu is held.
func (c *Cache) commit(o *object, index, length int64, why event, a eviction.Arrival) bool {
	if c.index.find(o, index) != 0 || !c.index.accepts(o, index, length) {
		return false
	}
	id := c.index.add(o, index, length, 0)
	a.Edge = a.Edge || index == 0 || length < c.chunkSize
	c.policy.Admit(id, a)
	c.metrics.event(why)
	return true
}

// chunkAddress says which chunk a file is of.
type chunkAddress struct {
	key   objectKey
	index int64
}

// removal is a chunk that has left the index. Its file is still on the disk and in
// the budget.
type removal struct {
	chunkAddress
	file  *openFile // to close; may be nil
	bytes int64
}

// drop is the one transition from committed; c.mu is held. The caller gives the
// result to remove. Until that has ended the chunk is not stored again: the removal
// would take the new file away, which has the same name.
func (c *Cache) drop(id chunkID, why event) removal {
	o := c.index.objectOf(id)
	r := removal{chunkAddress: chunkAddress{o.key, c.index.at(id)}, bytes: footprint(c.index.length(id)), file: c.fds.remove(id)}
	c.removing[r.chunkAddress] = struct{}{}
	c.policy.Remove(id) // before the index forgets the chunk's object
	c.index.remove(id)
	c.metrics.event(why)
	c.dropIfEmpty(o)
	return r
}

// dropIfEmpty removes an object that has no chunks from the index. Its folder is
// removed by the next removeFolders. c.mu is held.
func (c *Cache) dropIfEmpty(o *object) {
	if o.chunks > 0 || len(o.filling) > 0 || c.index.objects[o.key] != o {
		return
	}
	c.index.forget(o)
	if o.hasFolder {
		c.emptyFolders = append(c.emptyFolders, o.key)
	}
}

// remove deletes the files of dropped chunks; c.mu is not held. A file that cannot
// be deleted stays in the budget, because it stays on the disk.
func (c *Cache) remove(run runIO, dropped ...removal) {
	for _, r := range dropped {
		var err error
		took := run(func() {
			closeFiles(r.file)
			err = c.disk.Remove(r.key.path(c.cfg.Dir, r.index))
		})
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		switch {
		case err != nil:
			c.diskFault("remove", err)
		case took > slowWrite:
			c.diskFault("remove", errSlow)
		}
		c.endRemoval(r, err == nil)
	}
	c.removeFolders(run)
}

// endRemoval returns the space of a file that was removed, or tried in vain; c.mu is not
// held.
func (c *Cache) endRemoval(r removal, removed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.removing, r.chunkAddress)
	if removed {
		c.budget.used -= r.bytes
	}
}

// isRemoving reports whether the file of a chunk that has left the index may still be
// removed; c.mu is held.
func (c *Cache) isRemoving(key objectKey, index int64) bool {
	_, removing := c.removing[chunkAddress{key, index}]
	return removing
}

// removeFolders deletes the folders of objects without chunks; c.mu is not held.
func (c *Cache) removeFolders(run runIO) {
	c.mu.Lock()
	empty := c.emptyFolders
	c.emptyFolders = nil
	c.mu.Unlock()
	if len(empty) == 0 {
		return
	}
	run(func() {
		for _, key := range empty {
			failpoint.Here("cache.remove-folder")
			_ = c.disk.Remove(key.folder(c.cfg.Dir)) // fails where a new chunk is in it, which has paid for it
		}
	})
	c.mu.Lock()
	c.budget.used -= int64(len(empty)) * folderFootprint
	c.mu.Unlock()
}

// removeChunk drops the chunk of an entry, and deletes its file; c.mu is not held.
func (c *Cache) removeChunk(e *fdEntry, why event) {
	c.mu.Lock()
	if e.removed {
		c.mu.Unlock()
		return
	}
	dropped := c.drop(e.id, why)
	c.mu.Unlock()
	c.remove(here, dropped)
}

// isCommitted reports whether a chunk is in the index; c.mu is not held.
func (c *Cache) isCommitted(key objectKey, index int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index.find(c.index.objects[key], index) != 0
}

// PurgeOutcome is what was removed.
type PurgeOutcome struct {
	Chunks int   `json:"chunks"`
	Bytes  int64 `json:"bytes"`
}

// Purge removes every version of what a location holds. Readers in the middle of it
// go on: the pieces that they have stay readable, the rest is fetched again. It waits
// for the start-up scan. An error is of kind Canceled: ctx ended; the outcome is then
// what was removed before.
func (c *Cache) Purge(ctx context.Context, at media.Location) (out PurgeOutcome, err error) {
	if !c.scanned(ctx) {
		return out, media.Fault(media.Canceled, "cache: purge", ctx.Err())
	}
	location := locationKeyOf(at)
	for ctx.Err() == nil {
		dropped := c.dropBatch(location)
		if len(dropped) == 0 {
			return out, nil
		}
		c.remove(here, dropped...)
		out.Chunks += len(dropped)
		for _, r := range dropped {
			out.Bytes += r.bytes
		}
	}
	return out, media.Fault(media.Canceled, "cache: purge", ctx.Err())
}

// dropBatch drops up to batchSize chunks of a location.
func (c *Cache) dropBatch(at locationKey) (dropped []removal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.index.ofLocation(at, batchSize) {
		dropped = append(dropped, c.drop(id, eventPurge))
	}
	return dropped
}
