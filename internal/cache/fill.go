package cache

import (
	"container/list"
	"slices"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
)

// fill is a chunk being fetched, from the start of its first fetch until it is
// committed or given up. Guarded by Cache.mu.
//
// Its bytes come in parts, each by one fetch. Most fills have one part. A request
// in the middle of a chunk makes a part that begins at the wanted byte; the head of
// the chunk is another part, a backfill, fetched once a reader stays.
type fill struct {
	o           *object
	index       int64
	length      int64
	storable    bool  // else it passes through: the chunk will not be stored
	reserved    int64 // bytes of the disk budget, by its writer
	buffer      *buffer
	bufferReady chan struct{} // closed when buffer is set; nil when nobody waits for that
	parts       []*part       // by rising lo; they do not overlap
	refs        int           // fetches that have not finished with it, and the writer
	listed      bool          // in object.filling, where others find it
	storing     bool          // it is complete, and its store has begun
	unwanted    bool          // it passes through, unless admit changes that
	gap         *list.Element // of Cache.gapped; nil where it is not there
}

// part is the bytes [lo, hi) of a chunk. Those in [lo, have) have been received.
type part struct {
	fetch        *fetch
	lo, have, hi int64
	verified     bool // the origin vouches for the bytes
	// sums has the checksums of the bytes up to have. It is the fetch's until the part
	// is verified, and never changes from then on.
	sums chunkfile.Run
}

// sums are the checksums that were computed as the chunk's bytes arrived; c.mu is held.
func (fl *fill) sums() (runs []*chunkfile.Run) {
	for _, p := range fl.parts {
		runs = append(runs, &p.sums)
	}
	return runs
}

// partAt is the part that contains off, or nil.
func (fl *fill) partAt(off int64) *part {
	for _, p := range fl.parts {
		if off >= p.lo && off < p.hi {
			return p
		}
	}
	return nil
}

// gapEnd is the end of the gap between parts that off lies in.
func (fl *fill) gapEnd(off int64) int64 {
	for _, p := range fl.parts {
		if p.lo > off {
			return p.lo
		}
	}
	return fl.length
}

// attachFrom attaches a reader to the fetches of the parts from off on, and returns
// the first byte from there on that no part covers.
func (fl *fill) attachFrom(r *reader, off int64) int64 {
	for _, p := range fl.parts {
		if off < p.lo {
			break
		}
		if off < p.hi {
			if !p.fetch.finished && !p.fetch.cancelled {
				p.fetch.attach(r)
			}
			off = p.hi
		}
	}
	return off
}

// firstGap is the first run of bytes that no part covers; lo = hi if there is none.
func (fl *fill) firstGap() (lo, hi int64) {
	at := int64(0)
	for _, p := range fl.parts {
		if p.lo > at {
			return at, p.lo
		}
		at = p.hi
	}
	return at, fl.length
}

// addPart adds a part and its fetch's reference.
func (fl *fill) addPart(p *part) {
	i, _ := slices.BinarySearchFunc(fl.parts, p.lo, func(q *part, lo int64) int { return int(q.lo - lo) })
	fl.parts = slices.Insert(fl.parts, i, p)
	fl.refs++
}

// complete reports whether every byte has been received and verified.
func (fl *fill) complete() bool {
	at := int64(0)
	for _, p := range fl.parts {
		if p.lo != at || !p.verified {
			return false
		}
		at = p.hi
	}
	return at == fl.length
}

// received reports whether no fetch brings a part that is not verified yet.
func (fl *fill) received() bool {
	return !slices.ContainsFunc(fl.parts, func(p *part) bool { return !p.verified })
}

// worthCompleting reports whether a chunk that nobody reads should be stored none the less: half of
// what is there, or less, is missing, or little is and others watch the object, who may come to it. fl may be nil.
func worthCompleting(fl *fill) bool {
	if fl == nil || fl.storing || !fl.listed || !fl.toBeStored() {
		return false
	}
	there := int64(0)
	for _, p := range fl.parts {
		if p.verified {
			there += p.hi - p.lo
		}
	}
	missing := fl.length - there
	return there >= 2*missing || there > 0 && missing <= littleLeft && fl.o.isWatched()
}

// watchedBy is how many open readers an object has at least that several people watch: a player has two
// or three.
const watchedBy = 4

// isWatched reports whether several people watch the object; Cache.mu is held.
func (o *object) isWatched() bool { return o.readers >= watchedBy }

// available reports whether the chunk counts as cached: it is complete, and on its way
// to the disk. What passes through is not: its readers have to attach to its fetch,
// which keeps its buffer.
func (fl *fill) available() bool { return fl.toBeStored() && fl.complete() }

// toBeStored reports whether the chunk will be written once it is complete, as far as is
// known.
func (fl *fill) toBeStored() bool { return fl.storable && !fl.unwanted }

// partOf is the part of a fetch that has not finished with the fill.
func (fl *fill) partOf(f *fetch) *part {
	for _, p := range fl.parts {
		if p.fetch == f {
			return p
		}
	}
	panic("BUG: a fetch's part is gone before the fetch")
}

// dropUnverified removes the part of a fetch unless it is verified, and reports
// whether it did.
func (fl *fill) dropUnverified(f *fetch) bool {
	before := len(fl.parts)
	fl.parts = slices.DeleteFunc(fl.parts, func(p *part) bool { return p.fetch == f && !p.verified })
	return len(fl.parts) < before
}

// list enters a new fill into its object's table; c.mu is held.
func (c *Cache) list(fl *fill) {
	if fl.o.filling == nil {
		fl.o.filling = map[int64]*fill{}
	}
	fl.listed = true
	fl.o.filling[fl.index] = fl
}

// unlist removes a fill from its object's table; c.mu is held.
func (c *Cache) unlist(fl *fill) {
	if !fl.listed {
		return
	}
	fl.listed = false
	c.gapped.remove(fl)
	delete(fl.o.filling, fl.index)
	c.index.updateAvailable(fl.o, fl.index)
	c.dropIfEmpty(fl.o)
}

// unrefFill gives up a reference. The last one ends the fill, committed or not, and
// returns its reservation and its buffer. c.mu is held.
func (c *Cache) unrefFill(fl *fill) {
	if fl.refs--; fl.refs > 0 {
		return
	}
	c.unlist(fl)
	c.release(fl.reserved)
	fl.reserved = 0
	if fl.buffer != nil {
		c.buffers.unref(fl.buffer)
		fl.buffer = nil
	}
}

// verifyPart marks a part as verified. It reports whether the caller must store the
// chunk: the part was the last one, and there may be disk space. c.mu is held.
func (c *Cache) verifyPart(fl *fill, p *part) (complete bool) {
	p.verified = true
	if fl.storing || !fl.complete() {
		return false
	}
	fl.storing = true
	if fl.unwanted = fl.unwanted && !c.admit(fl); fl.unwanted {
		c.passThrough(fl, passFirstUse)
		return false
	}
	if fl.listed {
		c.index.updateAvailable(fl.o, fl.index)
	}
	if !fl.storable {
		c.metrics.passedThrough(passNoSpace)
		return false
	}
	return true
}

// passed reports whether no reader has yet to read the chunk; c.mu is held.
func (fl *fill) passed() bool {
	if fl.buffer.refs > 1 {
		return false // a piece of it is being sent
	}
	for _, p := range fl.parts {
		for _, r := range p.fetch.readers {
			if r.chunk <= fl.index {
				return false
			}
		}
	}
	return true
}
