package cache

import "container/list"

// policy decides which chunk goes first. Calls are made under Cache.mu.
type policy interface {
	// added tells of a chunk that is now committed; touched of one that was used.
	added(*chunk)
	touched(*chunk)
	// victim names the next chunk to evict, or nil; it does not remove it.
	victim() *chunk
	// removed tells of a chunk that is gone, for whatever reason.
	removed(*chunk)
}

// fifo3 is S3-FIFO (Yang et al., SOSP 2023): new chunks wait in a small queue;
// those used again there move to the main queue, the others leave early and are
// remembered for a while as ghosts, which enter the main queue at once when they
// come back. A crawl through an archive so passes through the small queue and
// leaves the lesson that a class is watching alone.
type fifo3 struct {
	small, main, ghosts *list.List
	smallBytes          int64
	capacity            int64
	remembered          map[ghost]*list.Element
}

// rank is the policy's own note on a chunk.
type rank struct {
	element *list.Element
	queue   *list.List
	uses    uint8 // since it was queued, at most 3
}

type ghost struct {
	key   objectKey
	index int64
}

const (
	smallShare = 10 // the small queue's share of the capacity, in percent
	maxGhosts  = 20_000
	maxUses    = 3
)

func newPolicy(capacity int64) *fifo3 {
	return &fifo3{small: list.New(), main: list.New(), ghosts: list.New(), capacity: capacity, remembered: map[ghost]*list.Element{}}
}

// added puts a chunk in the small queue, or in the main one when it was evicted
// not long ago. An object's first chunk goes to the main queue as well: a
// player's first request, and every one who opens the lesson after, needs it.
func (p *fifo3) added(c *chunk) {
	g := ghost{c.object.key, c.index}
	queue := p.small
	if e, ok := p.remembered[g]; ok {
		p.ghosts.Remove(e)
		delete(p.remembered, g)
		queue = p.main
	}
	if c.index == 0 {
		queue = p.main
	}
	p.enqueue(c, queue)
}

func (p *fifo3) enqueue(c *chunk, queue *list.List) {
	c.rank = rank{element: queue.PushFront(c), queue: queue}
	if queue == p.small {
		p.smallBytes += c.fileSize()
	}
}

func (p *fifo3) touched(c *chunk) {
	if c.rank.uses < maxUses {
		c.rank.uses++
	}
}

func (p *fifo3) removed(c *chunk) {
	if c.rank.element == nil {
		return
	}
	c.rank.queue.Remove(c.rank.element)
	if c.rank.queue == p.small {
		p.smallBytes -= c.fileSize()
		p.remember(c)
	}
	c.rank.element = nil
}

func (p *fifo3) remember(c *chunk) {
	g := ghost{c.object.key, c.index}
	if _, ok := p.remembered[g]; ok {
		return
	}
	p.remembered[g] = p.ghosts.PushFront(g)
	if p.ghosts.Len() > maxGhosts {
		oldest := p.ghosts.Back()
		p.ghosts.Remove(oldest)
		delete(p.remembered, oldest.Value.(ghost))
	}
}

// victim looks from the old end of a queue. Chunks that readers hold right now
// are passed over: removing them would free nothing. Each look moves a chunk or
// wears its uses down, so it ends.
func (p *fifo3) victim() *chunk {
	for range (maxUses + 2) * (p.small.Len() + p.main.Len() + 1) {
		queue := p.main
		if p.small.Len() > 0 && (p.smallBytes*100 > p.capacity*smallShare || p.main.Len() == 0) {
			queue = p.small
		}
		last := queue.Back()
		if last == nil {
			return nil
		}
		c := last.Value.(*chunk)
		switch {
		case c.pins > 0:
			queue.MoveToFront(last)
		case queue == p.small && c.rank.uses > 0:
			queue.Remove(last)
			p.smallBytes -= c.fileSize()
			p.enqueue(c, p.main)
		case queue == p.main && c.rank.uses > 0:
			c.rank.uses--
			queue.MoveToFront(last)
		default:
			return c
		}
	}
	return nil // everything is held
}
