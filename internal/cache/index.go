package cache

import (
	"slices"

	"github.com/lectiospace/lectern/internal/cache/eviction"
)

// chunkID is the number of a committed chunk while it is in the index; 0 is
// nobody's. Numbers are used again: who keeps one beyond Cache.mu holds a handle.
type chunkID = eviction.ID

// index is what is on the disk; guarded by Cache.mu. A terabyte is a million
// chunks, so a chunk is ten bytes in tables here, four in its object's list and
// six with the policy. The tables grow by pages: nothing is ever copied
// while viewers wait for the lock.
type index struct {
	chunkSize int64
	objects   map[objectKey]*object
	table     []*object // by number; 0 is nobody's
	spare     []uint32  // numbers of the table that are free
	pages     []*indexPage
	next      chunkID // the first number never used; 0 counts as used
	free      chunkID // the first of the numbers to be used again
	chunks    int
}

const indexPageSize = 1 << 12

// indexPage is what is known of indexPageSize chunks.
type indexPage struct {
	object [indexPageSize]uint32 // its number in the table
	at     [indexPageSize]uint32 // the chunk's index in its object; of a free one, the next free
	// verified has a bit for each block whose checksum has been compared since
	// the start, or which we wrote ourselves.
	verified [indexPageSize]blockSet
}

// object is what is known of one object's chunks; guarded by Cache.mu.
type object struct {
	key       objectKey
	number    uint32          // in the index's table
	hasFolder bool            // its folder exists, and counts against the budget
	ids       []chunkID       // committed chunks, by rising index
	short     []shortChunk    // those that are less than a full chunk: the last one
	filling   map[int64]*fill // chunks on their way; nil for none
}

// shortChunk is the length of a chunk that is not full. An object has one, at its
// end; a crash may leave others, which are torn and found out when they are used.
type shortChunk struct{ at, length uint32 }

// maxShort is how many of them an object may have.
const maxShort = 16

func newIndex(chunkSize int64) index {
	return index{chunkSize: chunkSize, objects: map[objectKey]*object{}, table: make([]*object, 1), next: 1}
}

func (x *index) page(id chunkID) (*indexPage, int) {
	return x.pages[id/indexPageSize], int(id % indexPageSize)
}

func (x *index) objectOf(id chunkID) *object {
	p, i := x.page(id)
	return x.table[p.object[i]]
}

// number is that of a chunk's object, for the eviction policy.
func (x *index) number(id chunkID) uint32 {
	p, i := x.page(id)
	return p.object[i]
}

func (x *index) at(id chunkID) int64 {
	p, i := x.page(id)
	return int64(p.at[i])
}

func (x *index) length(id chunkID) int64 {
	at := uint32(x.at(id))
	for _, s := range x.objectOf(id).short {
		if s.at == at {
			return int64(s.length)
		}
	}
	return x.chunkSize
}

func (x *index) verified(id chunkID) *blockSet {
	p, i := x.page(id)
	return &p.verified[i]
}

// objectFor finds or makes the entry of a key.
func (x *index) objectFor(key objectKey) *object {
	o := x.objects[key]
	if o != nil {
		return o
	}
	o = &object{key: key}
	if n := len(x.spare); n > 0 {
		o.number, x.spare = x.spare[n-1], x.spare[:n-1]
		x.table[o.number] = o
	} else {
		o.number = uint32(len(x.table))
		x.table = append(x.table, o)
	}
	x.objects[key] = o
	return o
}

// forget takes an object out that has nothing left.
func (x *index) forget(o *object) {
	delete(x.objects, o.key)
	x.table[o.number] = nil
	x.spare = append(x.spare, o.number)
}

// find is the committed chunk at an index, or 0.
func (x *index) find(o *object, index int64) chunkID {
	if o == nil {
		return 0
	}
	if i, ok := x.search(o, index); ok {
		return o.ids[i]
	}
	return 0
}

// search looks for an index in the object's list. Indexes rise by at least one
// from place to place, so the distances to the first and the last bound where
// one can be: a whole object, and any run from its head or tail, is found at the
// first look.
func (x *index) search(o *object, index int64) (int, bool) {
	n := len(o.ids)
	if n == 0 {
		return 0, false
	}
	first, last := x.at(o.ids[0]), x.at(o.ids[n-1])
	switch {
	case index < first:
		return 0, false
	case index > last:
		return n, false
	}
	lo, hi := max(0, int64(n)-1-(last-index)), min(int64(n)-1, index-first)
	for probe := hi; lo <= hi; probe = (lo + hi) / 2 {
		switch at := x.at(o.ids[probe]); {
		case at == index:
			return int(probe), true
		case at < index:
			lo = probe + 1
		default:
			hi = probe - 1
		}
	}
	return int(lo), false
}

// takes reports whether a chunk of such a length can be put in.
func (x *index) takes(o *object, index, length int64) bool {
	return index >= 0 && index <= maxIndex && length > 0 && length <= x.chunkSize && (length == x.chunkSize || o == nil || len(o.short) < maxShort)
}

// add puts a chunk in that it takes; there must be none at its index.
func (x *index) add(o *object, index, length int64, verified blockSet) chunkID {
	id := x.free
	if id == 0 {
		id = x.next
		x.next++
		if int(id/indexPageSize) >= len(x.pages) {
			x.pages = append(x.pages, new(indexPage))
		}
	} else {
		x.free = chunkID(x.at(id))
	}
	i, there := x.search(o, index)
	if there {
		panic("BUG: a chunk is committed twice")
	}
	o.ids = slices.Insert(o.ids, i, id)
	p, k := x.page(id)
	p.object[k], p.at[k], p.verified[k] = o.number, uint32(index), verified
	if length != x.chunkSize {
		o.short = append(o.short, shortChunk{uint32(index), uint32(length)})
	}
	x.chunks++
	return id
}

// remove takes a chunk out and frees its number.
func (x *index) remove(id chunkID) {
	o := x.objectOf(id)
	i, there := x.search(o, x.at(id))
	if !there {
		panic("BUG: a chunk is removed twice")
	}
	o.ids = slices.Delete(o.ids, i, i+1)
	if c := cap(o.ids); c > 64 && len(o.ids) < c/4 {
		o.ids = slices.Clone(o.ids)
	}
	p, k := x.page(id)
	o.short = slices.DeleteFunc(o.short, func(s shortChunk) bool { return s.at == p.at[k] })
	p.object[k], p.at[k] = 0, uint32(x.free)
	x.free = id
	x.chunks--
}
