package cache

import "slices"

// What a reader has to do with the fetches that bring its bytes.

// chunkRange is a run of chunks.
type chunkRange struct{ first, end int64 }

// join attaches the reader to a fetch whose bytes it reads, unless it is attached;
// c.mu is held.
func (r *reader) join(f *fetch) {
	if f.attach(r) {
		r.c.metrics.event(eventJoined)
	}
}

// joinCurrent attaches the reader to the fetch that brings what it wants, and
// returns it; nil when there is none, or none that can be joined. c.mu is held.
func (r *reader) joinCurrent(f *fetch) *fetch {
	if f == nil || f.finished || f.cancelled {
		return nil
	}
	f.attach(r)
	r.c.metrics.event(eventJoined)
	return f
}

// startFetch starts or joins a fetch at the reader's position, and those behind it
// where the whole span is wanted. c.mu is not held.
func (r *reader) startFetch() {
	c := r.c
	if r.findOnDisk(r.pos) && c.isCommitted(r.key, r.pos/c.chunkSize) {
		return
	}
	want, exact := r.plan.First(r.end - r.pos)
	if r.fetched.end > r.fetched.first {
		want, exact = r.plan.RequestSize(r.pos, r.pos, 0)
	}
	f := c.startOrJoin(r, r.pos, want, exact)
	if f == nil {
		return
	}
	c.mu.Lock()
	r.waitsFor = f
	fl := f.fills[0]
	r.passThrough = fl != nil && !fl.storable
	if fl != nil && isEdge(fl.index, r.obj.Size, c.chunkSize) && !c.buffers.hasWaiters() {
		// Players look for a file's index in its head and tail before they show
		// anything: the missing part of such a chunk is fetched at once.
		r.backfill(fl)
	}
	c.mu.Unlock()
	if r.plan.WholeSpanWanted() && !r.passThrough {
		r.nextPlan = 0
		r.readAhead()
	}
}

// edge is how many bytes of a file's tail may hold its index.
const edge = 2 << 20

// isEdge reports whether a chunk is in a file's head or tail.
func isEdge(index, size, chunkSize int64) bool {
	return index == 0 || (index+1)*chunkSize > size-edge
}

// backfill starts the fetch of a chunk's missing part; c.mu is held.
func (r *reader) backfill(fl *fill) {
	if f := r.c.backfill(fl, r.obj); f != nil {
		f.readers = append(f.readers, r)
		r.backfills = append(r.backfills, f)
	}
}

// extendFetched records a fetch's chunks; c.mu is held.
func (r *reader) extendFetched(f *fetch) {
	if r.fetched.end == r.fetched.first {
		r.fetched = chunkRange{f.first, f.end}
		return
	}
	r.fetched = chunkRange{min(r.fetched.first, f.first), max(r.fetched.end, f.end)}
}

// detachPassed detaches from the fetches that end before the chunk being read. A
// reader that gets this far stays: the head that its seek left out is backfilled.
// c.mu is held.
func (r *reader) detachPassed() {
	kept := r.fetches[:0]
	for _, f := range r.fetches {
		if f.end > r.chunk {
			kept = append(kept, f)
			f.releasePassed()
			continue
		}
		if fl := f.fills[0]; fl != nil && !fl.storing {
			r.backfill(fl)
		}
		f.detach(r)
	}
	clear(r.fetches[len(kept):])
	r.fetches = kept
	unfinished := r.backfills[:0]
	for _, f := range r.backfills {
		if f.finished {
			f.detach(r)
			continue
		}
		unfinished = append(unfinished, f)
	}
	clear(r.backfills[len(unfinished):])
	r.backfills = unfinished
	r.c.dropPassedWrites()
}

// detachAllBut detaches from all other fetches: a reader of a fetch that waits for a
// buffer must hold none that others wait for. c.mu is held.
func (r *reader) detachAllBut(but *fetch) {
	for _, f := range slices.Concat(r.fetches, r.backfills) {
		if f != but {
			f.detach(r)
		}
	}
	other := func(f *fetch) bool { return f != but }
	r.fetches = slices.DeleteFunc(r.fetches, other)
	r.backfills = slices.DeleteFunc(r.backfills, other)
	r.frontier = r.chunk
	r.c.dropPassedWrites()
}
