package cache

import "math/bits"

// chunkTable maps the chunk indexes of one object to chunk IDs; guarded by
// Cache.mu. It is a radix tree of fan-out 64. Each node has two summary bits for
// each slot, whether some and whether all chunks below it are available, so that a
// run of any length is skipped by one look: every operation visits at most two
// nodes a level, and six levels hold every index. A sorted list would cost a copy
// of its tail at each insertion, which grows with the object.
//
// A chunk is available while its bytes can be read: it is committed, or all of it
// has been received and it is still being written.
type chunkTable struct {
	root   *tableNode
	levels int     // 0 = empty
	visits *uint64 // counts the nodes that were visited; shared by the whole index
}

const (
	tableBits = 6
	tableFan  = 1 << tableBits
)

// tableNode has children above the lowest level and IDs at it. In the lowest level
// some and all are the same set.
type tableNode struct {
	some, all uint64
	children  *[tableFan]*tableNode
	ids       *[tableFan]chunkID // 0 = not committed
}

func newTableNode(level int) *tableNode {
	if level == 0 {
		return &tableNode{ids: new([tableFan]chunkID)}
	}
	return &tableNode{children: new([tableFan]*tableNode)}
}

// capacity is one more than the highest index of a tree of so many levels.
func capacity(levels int) int64 { return 1 << (tableBits * levels) }

// get returns the ID of a committed chunk, or 0.
func (t *chunkTable) get(index int64) chunkID {
	if t.levels == 0 || index >= capacity(t.levels) {
		return 0
	}
	n := t.root
	for level := t.levels - 1; ; level-- {
		*t.visits++
		slot := index >> (tableBits * level) % tableFan
		if level == 0 {
			return n.ids[slot]
		}
		if n = n.children[slot]; n == nil {
			return 0
		}
	}
}

// set enters a chunk. A committed one (id != 0) is always available.
func (t *chunkTable) set(index int64, id chunkID, available bool) {
	if t.root == nil {
		if !available {
			return
		}
		t.root, t.levels = newTableNode(0), 1
	}
	for index >= capacity(t.levels) {
		if !available {
			return
		}
		root := newTableNode(t.levels)
		root.adopt(0, t.root)
		t.root, t.levels = root, t.levels+1
	}
	if t.setBelow(t.root, t.levels-1, index, id, available); t.root.some == 0 {
		t.root, t.levels = nil, 0
	}
}

func (t *chunkTable) setBelow(n *tableNode, level int, index int64, id chunkID, available bool) {
	*t.visits++
	slot := index >> (tableBits * level) % tableFan
	if level == 0 {
		bit := uint64(1) << slot
		n.ids[slot] = id
		if n.some &^= bit; available {
			n.some |= bit
		}
		n.all = n.some
		return
	}
	child := n.children[slot]
	if child == nil {
		if !available {
			return
		}
		child = newTableNode(level - 1)
	}
	t.setBelow(child, level-1, index, id, available)
	n.adopt(slot, child)
}

// adopt takes a child, with its summary; an empty one is dropped.
func (n *tableNode) adopt(slot int64, child *tableNode) {
	bit := uint64(1) << slot
	n.some, n.all = n.some&^bit, n.all&^bit
	if child.some == 0 {
		n.children[slot] = nil
		return
	}
	n.children[slot] = child
	n.some |= bit
	if child.all == ^uint64(0) {
		n.all |= bit
	}
}

// nextAvailable is the first available chunk in [from, end), or end.
func (t *chunkTable) nextAvailable(from, end int64) int64 {
	if t.levels == 0 || from >= capacity(t.levels) {
		return end
	}
	if i := t.next(t.root, t.levels-1, from, true); i >= 0 {
		return min(i, end)
	}
	return end
}

// nextMissing is the first chunk in [from, end) that is not available, or end.
func (t *chunkTable) nextMissing(from, end int64) int64 {
	if t.levels == 0 || from >= capacity(t.levels) {
		return min(from, end)
	}
	if i := t.next(t.root, t.levels-1, from, false); i >= 0 {
		return min(i, end)
	}
	return min(capacity(t.levels), end)
}

// next is the first index from from on, both counted from the node's first, whose
// chunk is available or not, as wanted; -1 when there is none.
func (t *chunkTable) next(n *tableNode, level int, from int64, available bool) int64 {
	*t.visits++
	slots := n.some
	if !available {
		slots = ^n.all
	}
	first := from >> (tableBits * level)
	for slots &= ^uint64(0) << first; slots != 0; slots &= slots - 1 {
		slot := int64(bits.TrailingZeros64(slots))
		start := slot << (tableBits * level)
		within := max(0, from-start)
		if level == 0 || n.children[slot] == nil {
			return start + within
		}
		if i := t.next(n.children[slot], level-1, within, available); i >= 0 {
			return start + i
		}
	}
	return -1
}
