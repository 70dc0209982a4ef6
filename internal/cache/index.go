package cache

import (
	"slices"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/cache/eviction"
)

// chunkID is the number of a committed chunk while it is in the index; 0 is no
// chunk. Numbers are reused: code that keeps one beyond Cache.mu pins an fdEntry.
type chunkID = eviction.ID

// index lists what is on the disk; guarded by Cache.mu. A terabyte is a million
// chunks, so memory counts: a chunk is ten bytes here, some seven in its object's
// table and six with the policy. All tables grow by pages, so that nothing is
// copied while viewers wait for the lock.
type index struct {
	chunkSize  int64
	objects    map[objectKey]*object
	byLocation map[locationKey]*object // the first of the versions; see object.next
	numbered   []*objectPage           // by object number; 0 is no object
	numbers    uint32                  // the first object number never used
	freeNumber uint32                  // the first of the object numbers to be reused
	pages      []*indexPage
	next       chunkID // the first ID never used
	free       chunkID // the first of the IDs to be reused
	chunks     int
	visits     *uint64 // table nodes and objects visited since the start: the work under the lock
}

const indexPageSize = 1 << 12

// indexPage describes indexPageSize chunks.
type indexPage struct {
	object [indexPageSize]uint32 // the number of its object
	at     [indexPageSize]uint32 // the chunk's index in its object; of a free ID, the next free ID
	// verified has a bit for each block whose checksum has been compared since
	// the start, or which this process wrote.
	verified [indexPageSize]chunkfile.Blocks
}

// objectPage resolves indexPageSize object numbers. Of a free number, nextFree is
// the next free one.
type objectPage struct {
	object   [indexPageSize]*object
	nextFree [indexPageSize]uint32
}

// object is the state of one object's chunks; guarded by Cache.mu.
type object struct {
	key       objectKey
	number    uint32 // in the index
	hasFolder bool   // its folder exists, and counts against the budget
	chunks    int    // committed
	bytes     int64  // of data, of the committed chunks
	table     chunkTable
	short     []shortChunk    // committed chunks of less than the chunk size
	filling   map[int64]*fill // chunks being fetched; nil for none
	readers   int             // open ones that have begun to read; see reader.countAmong

	next, previous *object // other versions at the same location
}

// shortChunk is the length of a chunk that is not full. An object has one, at its
// end. A crash may leave others; they are torn, and detected when they are read.
type shortChunk struct{ at, length uint32 }

// maxShort is how many of them an object may have.
const maxShort = 16

func newIndex(chunkSize int64) index {
	return index{
		chunkSize: chunkSize, objects: map[objectKey]*object{}, byLocation: map[locationKey]*object{},
		numbers: 1, next: 1, visits: new(uint64),
	}
}

func (x *index) page(id chunkID) (*indexPage, int) {
	return x.pages[id/indexPageSize], int(id % indexPageSize)
}

func (x *index) objectOf(id chunkID) *object {
	n := x.number(id)
	return x.numbered[n/indexPageSize].object[n%indexPageSize]
}

// number is that of a chunk's object, or 0 when the ID is not in use.
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

func (x *index) verified(id chunkID) *chunkfile.Blocks {
	p, i := x.page(id)
	return &p.verified[i]
}

// objectFor returns the entry of a key, a new one if there is none.
func (x *index) objectFor(key objectKey) *object {
	o := x.objects[key]
	if o != nil {
		return o
	}
	o = &object{key: key, number: x.freeNumber, table: chunkTable{visits: x.visits}}
	if o.number == 0 {
		o.number = x.numbers
		x.numbers++
		if int(o.number/indexPageSize) >= len(x.numbered) {
			x.numbered = append(x.numbered, new(objectPage))
		}
	} else {
		x.freeNumber = x.numbered[o.number/indexPageSize].nextFree[o.number%indexPageSize]
	}
	x.numbered[o.number/indexPageSize].object[o.number%indexPageSize] = o
	x.objects[key] = o
	if o.next = x.byLocation[key.location()]; o.next != nil {
		o.next.previous = o
	}
	x.byLocation[key.location()] = o
	return o
}

// forget removes an object that has no chunks.
func (x *index) forget(o *object) {
	delete(x.objects, o.key)
	p, i := x.numbered[o.number/indexPageSize], o.number%indexPageSize
	p.object[i], p.nextFree[i] = nil, x.freeNumber
	x.freeNumber = o.number
	if o.next != nil {
		o.next.previous = o.previous
	}
	switch {
	case o.previous != nil:
		o.previous.next = o.next
	case o.next != nil:
		x.byLocation[o.key.location()] = o.next
	default:
		delete(x.byLocation, o.key.location())
	}
}

// find is the committed chunk at an index, or 0. o may be nil.
func (x *index) find(o *object, index int64) chunkID {
	if o == nil {
		return 0
	}
	return o.table.get(index)
}

// accepts reports whether a chunk of such a length can be added. o may be nil.
func (x *index) accepts(o *object, index, length int64) bool {
	return index >= 0 && index <= maxIndex && length > 0 && length <= x.chunkSize && (length == x.chunkSize || o == nil || len(o.short) < maxShort)
}

// add enters a chunk that accepts has accepted; there is none at its index.
func (x *index) add(o *object, index, length int64, verified chunkfile.Blocks) chunkID {
	if x.find(o, index) != 0 {
		panic("BUG: a chunk is committed twice")
	}
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
	o.table.set(index, id, true)
	p, k := x.page(id)
	p.object[k], p.at[k], p.verified[k] = o.number, uint32(index), verified
	if length != x.chunkSize {
		o.short = append(o.short, shortChunk{uint32(index), uint32(length)})
	}
	o.chunks++
	o.bytes += length
	x.chunks++
	return id
}

// remove takes a chunk out and frees its ID.
func (x *index) remove(id chunkID) {
	o, index := x.objectOf(id), x.at(id)
	if x.find(o, index) != id {
		panic("BUG: a chunk is removed twice")
	}
	o.bytes -= x.length(id)
	fl := o.filling[index]
	o.table.set(index, 0, fl != nil && fl.available())
	p, k := x.page(id)
	o.short = slices.DeleteFunc(o.short, func(s shortChunk) bool { return s.at == p.at[k] })
	p.object[k], p.at[k] = 0, uint32(x.free)
	x.free = id
	o.chunks--
	x.chunks--
}

// updateAvailable enters whether a chunk that is or was being fetched can be read.
func (x *index) updateAvailable(o *object, index int64) {
	id, fl := x.find(o, index), o.filling[index]
	o.table.set(index, id, id != 0 || fl != nil && fl.available())
}

// ofLocation collects up to limit chunks of the versions at a location. Versions
// without a committed chunk are skipped; each of those has a fetch.
func (x *index) ofLocation(at locationKey, limit int) (ids []chunkID) {
	for o := x.byLocation[at]; o != nil && len(ids) < limit; o = o.next {
		*x.visits++
		for i := int64(0); len(ids) < limit; i++ {
			if i = o.table.nextAvailable(i, maxIndex+1); i > maxIndex {
				break
			}
			if id := o.table.get(i); id != 0 {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
