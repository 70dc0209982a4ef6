package cache

import "slices"

// fill is a chunk on its way: from the moment a flight is to bring it until it is
// committed or given up. Guarded by Cache.mu.
//
// Its bytes come in parts, each by one flight. Most fills have one part; a demand
// in the middle of a chunk makes one that begins at the wanted byte, and the head
// is another, asked for when it is known that somebody stays.
type fill struct {
	o           *object
	index       int64
	length      int64
	reserved    int64 // reserved on the disk; 0 = the chunk will not be stored
	buffer      *buffer
	bufferReady chan struct{} // closed when block is set; nil when nobody waits for that
	parts       []*part       // by rising lo; they do not overlap
	refs        int           // flights that have not done with it
	listed      bool          // in the object's table, where others find it
	storing     bool          // its bytes are complete, and somebody writes them
}

// part is the bytes [lo, hi) of a chunk, of which those below n are here.
type part struct {
	fetch        *fetch
	lo, have, hi int64
	verified     bool // the flight vouches for them
}

// at finds the part that has, or is to have, the byte at off.
func (fl *fill) partAt(off int64) *part {
	for _, p := range fl.parts {
		if off >= p.lo && off < p.hi {
			return p
		}
	}
	return nil
}

// gap is the end of the hole that off lies in, which no part is to fill.
func (fl *fill) gapEnd(off int64) int64 {
	for _, p := range fl.parts {
		if p.lo > off {
			return p.lo
		}
	}
	return fl.length
}

// boarded gives a reader a place on the flights that bring what lies behind off,
// and finds the first byte there that none is to bring.
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

// hole is the first run of bytes that no part is to fill; empty when there is none.
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

// join adds a part.
func (fl *fill) addPart(p *part) {
	i, _ := slices.BinarySearchFunc(fl.parts, p.lo, func(q *part, lo int64) int { return int(q.lo - lo) })
	fl.parts = slices.Insert(fl.parts, i, p)
	fl.refs++
}

// whole reports whether every byte is here and vouched for.
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

// part is what a flight is to bring.
func (fl *fill) partOf(f *fetch) *part {
	for _, p := range fl.parts {
		if p.fetch == f {
			return p
		}
	}
	panic("BUG: a flight's part is gone before the flight")
}

// lose takes out what a flight has brought and nobody vouches for; it reports
// whether there was any.
func (fl *fill) dropUnverified(f *fetch) bool {
	before := len(fl.parts)
	fl.parts = slices.DeleteFunc(fl.parts, func(p *part) bool { return p.fetch == f && !p.verified })
	return len(fl.parts) < before
}

// unlist takes a fill out of its object's table.
func (c *Cache) unlist(fl *fill) {
	if !fl.listed {
		return
	}
	fl.listed = false
	delete(fl.o.filling, fl.index)
	c.dropIfEmpty(fl.o)
}

// discard ends a fill that nobody needs any longer, committed or not.
func (c *Cache) discardFill(fl *fill) {
	c.unlist(fl)
	c.release(fl.reserved)
	fl.reserved = 0
	if fl.buffer != nil {
		c.buffers.unlist(fl.buffer)
		fl.buffer = nil
	}
}

// claim gives the bytes of a whole chunk to the one who is to store it, and nil to
// everybody else. c.mu is held.
func (c *Cache) beginStore(fl *fill) []byte {
	if fl.storing || !fl.complete() {
		return nil
	}
	fl.storing = true
	if fl.reserved == 0 {
		c.metrics.event(eventBypass)
		return nil
	}
	return fl.buffer.data
}
