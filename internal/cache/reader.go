package cache

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// reader gives the bytes of one span.
type reader struct {
	c        *Cache
	obj      media.Object
	key      objectKey
	pos, end int64
	status   media.CacheStatus
	plan     readAheadPlan
	nextPlan int64 // where read-ahead is considered again
	lastHit  int64 // the chunk file that was used last

	file   *openFile
	buffer *buffer

	// Guarded by Cache.mu.
	chunk        int64      // the chunk that is read
	frontier     int64      // all chunks from at up to this one are there or under way
	fetches      []*fetch   // that this reader has a place on
	backfills    []*fetch   // that fill the heads of chunks it has passed
	fetched      chunkRange // the chunks that were fetched in its life
	waitsFor     *fetch     // whose failure is the reader's own
	passThrough  bool       // its last flight found no room on the disk
	backoffUntil time.Time  // until when nothing is read ahead, because an origin failed
}

// span is a run of chunks.
type chunkRange struct{ first, end int64 }

// Open prepares to read a span of the object. It asks nobody for anything yet.
func (c *Cache) Open(_ context.Context, obj media.Object, want media.Span) (media.Reader, error) {
	return c.open(obj, want)
}

func (c *Cache) open(obj media.Object, want media.Span) (*reader, error) {
	if want.Off < 0 || want.Len < 0 || want.Len > obj.Size-want.Off {
		return nil, media.Faultf(media.Invalid, "cache: open", "span %d+%d of %d bytes", want.Off, want.Len, obj.Size)
	}
	first, end := want.Chunks(c.chunkSize)
	r := &reader{
		c: c, obj: obj, key: keyOf(obj, c.chunkSize), pos: want.Off, end: want.End(),
		plan: newReadAheadPlan(c.cfg.Streams, want, obj.Size), lastHit: -1, chunk: first, frontier: first,
	}
	c.mu.Lock()
	scanning := c.scanning
	c.mu.Unlock()
	if scanning {
		for i := first; i < end; i++ {
			c.statChunk(r.key, i, c.chunkLength(i, obj.Size))
		}
	}
	r.status = c.statusOf(r.key, first, end)
	return r, nil
}

// statusOf tells how much of a run of chunks is here: committed, or on its way to
// the disk and read from memory meanwhile.
func (c *Cache) statusOf(key objectKey, first, end int64) media.CacheStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := int64(0)
	if o := c.index.objects[key]; o != nil {
		for i := first; i < end; i++ {
			if fl := o.filling[i]; c.index.find(o, i) != 0 || fl != nil && fl.complete() {
				there++
			}
		}
	}
	switch there {
	case end - first:
		return media.CacheHit
	case 0:
		return media.CacheMiss
	default:
		return media.CachePartial
	}
}

// Status implements media.Reader.
func (r *reader) Status() media.CacheStatus { return r.status }

// Bitrate tells how many bytes a second of the lesson has, so that a player is
// kept ahead by time and not by size. 0 = not known.
func (r *reader) Bitrate(bytesPerSecond int64) { r.plan.bitrate = bytesPerSecond }

// Next implements media.Reader.
func (r *reader) Next(ctx context.Context, most int64) (media.Piece, error) {
	r.releasePiece()
	if r.pos >= r.end {
		return media.Piece{}, io.EOF
	}
	for {
		piece, wait, err := r.look(most)
		switch {
		case err != nil:
			return media.Piece{}, err
		case piece.Len > 0:
			r.pos += piece.Len
			r.readAhead()
			return piece, nil
		case wait == nil:
			if r.c.base.Err() != nil {
				return media.Piece{}, media.Faultf(media.Unavailable, "cache: read", "the cache is closed")
			}
			continue // something was done: look again
		}
		r.plan.waits(r.pos)
		select {
		case <-wait:
		case <-ctx.Done():
			return media.Piece{}, media.Fault(media.KindOf(ctx.Err()), "cache: read", ctx.Err())
		case <-r.c.base.Done():
			return media.Piece{}, media.Faultf(media.Unavailable, "cache: read", "the cache is closed")
		}
	}
}

// look finds the next byte: a piece, something to wait for, or an error. All
// three empty means that it has done something about it.
func (r *reader) look(most int64) (media.Piece, <-chan struct{}, error) {
	c := r.c
	index := r.pos / c.chunkSize
	off := r.pos - index*c.chunkSize
	limit := min(most, r.end-r.pos, c.chunkSize-off)
	c.mu.Lock()
	if index != r.chunk {
		r.chunk = index
		r.detachPassed()
	}
	o := c.index.objects[r.key]
	if id := c.index.find(o, index); id != 0 {
		r.markServed(r.pos + limit)
		return r.lookCommitted(id, off, limit) // unlocks
	}
	if f := r.waitsFor; f != nil && f.err != nil && r.pos >= f.from && r.pos < f.to {
		c.mu.Unlock()
		return media.Piece{}, nil, f.err
	}
	if o != nil && o.filling[index] != nil {
		fl := o.filling[index]
		if p := fl.partAt(off); p != nil {
			defer c.mu.Unlock()
			if !p.fetch.cancelled {
				r.joinFetch(p.fetch)
			}
			if p.have > off {
				n := min(limit, p.have-off)
				fl.buffer.refs++
				r.buffer = fl.buffer
				r.markServed(r.pos + n)
				return media.Piece{Data: fl.buffer.data[off : off+n], Len: n, From: media.SourceOrigin}, nil, nil
			}
			if !p.fetch.cancelled {
				r.waitsFor = p.fetch
			}
			if p.fetch.awaitsBuffer {
				r.detachAllBut(p.fetch)
			}
			return media.Piece{}, p.fetch.nextChange(), nil
		}
	}
	c.mu.Unlock()
	r.startFetch()
	return media.Piece{}, nil, nil
}

// join takes a place on a flight whose bytes are read, unless it is ours already;
// c.mu is held.
func (r *reader) joinFetch(f *fetch) {
	if f.attach(r) {
		r.c.metrics.event(eventJoined)
	}
}

// note remembers how far each flight's bytes have been of use; c.mu is held.
func (r *reader) markServed(until int64) {
	for _, f := range r.fetches {
		if r.pos >= f.from && r.pos < f.to {
			f.served = max(f.served, min(until, f.to))
		}
	}
}

// start begins a flight at the wanted byte, or joins the one that has begun
// meanwhile, and those behind it when much is sure to be wanted. c.mu is not held.
func (r *reader) startFetch() {
	c := r.c
	want, exactly := r.plan.first(r.end - r.pos)
	if r.fetched.end > r.fetched.first {
		want, exactly = r.plan.requestSize(r.pos, r.pos), false
	}
	f := c.startOrJoin(r, r.pos, want, exactly)
	if f == nil {
		return
	}
	c.mu.Lock()
	r.waitsFor = f
	r.passThrough = f.fills[0] != nil && f.fills[0].reserved == 0
	if fl := f.fills[0]; fl != nil && r.isEdge(fl.index) && !c.buffers.hasWaiters() {
		// Heads and tails are where players look for the index of a file before they
		// show anything: such a chunk is worth its missing part at once.
		r.backfill(fl)
	}
	c.mu.Unlock()
	if r.plan.wholeSpanWanted && !r.passThrough {
		r.nextPlan = 0
		r.readAhead()
	}
}

// edge is how much of a file's tail is taken to hold its index.
const edge = 2 << 20

// isEdge reports whether a chunk is a file's head or tail.
func (r *reader) isEdge(index int64) bool { return isEdge(index, r.obj.Size, r.c.chunkSize) }

func isEdge(index, size, chunkSize int64) bool {
	return index == 0 || (index+1)*chunkSize > size-edge
}

// errand has the missing part of a chunk filled; c.mu is held.
func (r *reader) backfill(fl *fill) {
	if f := r.c.backfill(fl, r.obj); f != nil {
		f.readers = append(f.readers, r)
		r.backfills = append(r.backfills, f)
	}
}

// flew notes a flight's chunks; c.mu is held.
func (r *reader) noteFetched(f *fetch) {
	if r.fetched.end == r.fetched.first {
		r.fetched = chunkRange{f.first, f.end}
		return
	}
	r.fetched = chunkRange{min(r.fetched.first, f.first), max(r.fetched.end, f.end)}
}

// leavePassed leaves the flights that end before the chunk that is read. Who gets
// that far stays: a head that was left out is now worth asking for. c.mu is held.
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
	under := r.backfills[:0]
	for _, f := range r.backfills {
		if f.finished {
			f.detach(r)
			continue
		}
		under = append(under, f)
	}
	clear(r.backfills[len(under):])
	r.backfills = under
}

// leaveAhead leaves all flights but one: a reader whose flight stands in the line
// for memory must hold none that others wait for. c.mu is held.
func (r *reader) detachAllBut(but *fetch) {
	for _, f := range slices.Concat(r.fetches, r.backfills) {
		if f != but {
			f.detach(r)
		}
	}
	stay := func(f *fetch) bool { return f != but }
	r.fetches = slices.DeleteFunc(r.fetches, stay)
	r.backfills = slices.DeleteFunc(r.backfills, stay)
	r.frontier = r.chunk
}

// letGo gives back what the last piece held.
func (r *reader) releasePiece() {
	if r.buffer == nil && r.file == nil {
		return
	}
	var spare *openFile
	r.c.mu.Lock()
	if r.buffer != nil {
		r.c.buffers.unref(r.buffer)
		r.buffer = nil
	}
	if r.file != nil {
		spare = r.c.releaseFile(r.file)
		r.file = nil
	}
	r.c.mu.Unlock()
	closeFiles(spare)
}

// Close implements media.Reader. Flights that nobody else waits for stop. A reader
// that has had all of its span has not hung up: the chunks it ended in are
// completed, because whoever asks for a part of one soon asks for the next.
func (r *reader) Close() error {
	r.releasePiece()
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	through := r.pos >= r.end
	for _, f := range r.fetches {
		if fl := f.fills[0]; through && fl != nil && !fl.storing {
			r.backfill(fl)
		}
		if through {
			f.startDetachGrace()
		}
		f.detach(r)
	}
	for _, f := range r.backfills {
		if through {
			f.startDetachGrace()
		}
		f.detach(r)
	}
	r.fetches, r.backfills = nil, nil
	return nil
}

// readAhead starts what should be under way beyond the piece just given, so that
// a stream waits at no flight's end. Nobody reads beyond their span.
func (r *reader) readAhead() {
	if r.pos < r.nextPlan || r.pos >= r.end || r.fetched.end == r.fetched.first {
		return // where all has been on disk so far, the first gap will tell
	}
	r.nextPlan = r.pos + planEvery
	now := time.Now()
	r.plan.observe(r.pos, now)
	for range 2 * r.plan.streams {
		r.c.mu.Lock()
		from, busy := r.nextUnplanned(now)
		short := r.c.buffers.hasWaiters() || now.Before(r.backoffUntil)
		r.c.mu.Unlock()
		if from >= r.end || short || !r.plan.shouldFetch(r.pos, from, busy, r.passThrough) {
			return
		}
		if f := r.c.startOrJoin(r, from, r.plan.requestSize(r.pos, from), false); f != nil {
			r.c.mu.Lock()
			r.passThrough = f.fills[0] != nil && f.fills[0].reserved == 0
			r.c.mu.Unlock()
		}
	}
}

// quietFor is how long nothing is read ahead after a failure.
const readAheadBackoff = 2 * time.Second

// survey finds the first byte ahead that is neither there nor under way, taking a
// place on the flights on the way there, and counts the streams that bring
// something; c.mu is held.
func (r *reader) nextUnplanned(now time.Time) (from int64, busy int) {
	c := r.c
	r.frontier = max(r.frontier, r.chunk)
	o := c.index.objects[r.key]
	from = r.pos
	for until := r.plan.horizon(r.pos); ; r.frontier++ {
		start := r.frontier * c.chunkSize
		if from = max(r.pos, start); from >= until {
			break
		}
		if c.index.find(o, r.frontier) != 0 {
			continue
		}
		if o == nil || o.filling[r.frontier] == nil {
			break
		}
		fl := o.filling[r.frontier]
		gap := fl.attachFrom(r, from-start)
		if from = start + gap; gap < fl.length {
			break
		}
	}
	for _, f := range r.fetches {
		switch {
		case f.err != nil && !f.closed:
			// What comes there will be asked for again when it is wanted: an origin that
			// is down gets no more requests than there are readers who wait.
			r.backoffUntil = now.Add(readAheadBackoff)
		case !f.nearlyDone(now):
			busy++
		}
	}
	return from, busy
}
