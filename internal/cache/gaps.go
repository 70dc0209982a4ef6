package cache

import (
	"container/list"

	"github.com/lectiospace/lectern/internal/media"
)

// gapped are the chunks of which a part is in memory and nobody fetches the rest: what a seek in
// the middle of a chunk leaves. They stay in memory until a reader comes to the gap or has passed
// the chunk, which takes a viewer of a lesson seconds. A fetch that waits for memory does not wait
// for viewers: the gaps are fetched, the oldest first, so that the chunks can be stored, and are
// read from the disk. Guarded by Cache.mu.
type gapped struct{ list list.List }

// gap is an element's value.
type gap struct {
	fill *fill
	obj  media.Object
}

// add enters a chunk, unless it is there.
func (g *gapped) add(fl *fill, obj media.Object) {
	if fl.gap == nil {
		fl.gap = g.list.PushBack(gap{fl, obj})
	}
}

// remove takes a chunk out whose gap is being fetched, or which is given up.
func (g *gapped) remove(fl *fill) {
	if fl.gap != nil {
		g.list.Remove(fl.gap)
		fl.gap = nil
	}
}

// gapsForEachWaiter is how many gaps are fetched when a fetch begins to wait for memory: a chunk
// may have a second gap, or a reader that is sending a piece of it.
const gapsForEachWaiter = 2

// closeGaps has the oldest gaps fetched. These fetches need no memory of their own. c.mu is held.
func (c *Cache) closeGaps() {
	for range gapsForEachWaiter {
		oldest := c.gapped.list.Front()
		if oldest == nil {
			return
		}
		g := oldest.Value.(gap)
		c.gapped.remove(g.fill)
		c.backfillDetached(g.fill, g.obj)
	}
}

// partReceived looks at a chunk that a part has been added to and that is not complete: where a
// fetch waits for memory its next gap is fetched at once, else it is remembered. c.mu is held.
func (c *Cache) partReceived(fl *fill, obj media.Object) {
	switch {
	case !fl.received(): // another fetch is at it
	case fl.storing || !fl.listed || !fl.toBeStored():
	case c.buffers.hasWaiters():
		c.backfillDetached(fl, obj)
	default:
		c.gapped.add(fl, obj)
	}
}
