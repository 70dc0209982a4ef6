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
	pace     pace
	nextLook int64 // where read-ahead is considered again
	touched  int64 // the chunk file that was used last

	held      *openFile
	heldBlock *block

	// Guarded by Cache.mu.
	at       int64     // the chunk that is read
	frontier int64     // all chunks from at up to this one are there or under way
	flights  []*flight // that this reader has a place on
	errands  []*flight // that fill the heads of chunks it has passed
	flown    span      // the chunks that were fetched in its life
	waitedOn *flight   // whose failure is the reader's own
	inMemory bool      // its last flight found no room on the disk
	quiet    time.Time // until when nothing is read ahead, because an origin failed
}

// span is a run of chunks.
type span struct{ first, end int64 }

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
		pace: newPace(c.cfg.Streams, want, obj.Size), touched: -1, at: first, frontier: first,
	}
	c.mu.Lock()
	scanning := c.scanning
	c.mu.Unlock()
	if scanning {
		for i := first; i < end; i++ {
			c.lookOnDisk(r.key, i, c.chunkLength(i, obj.Size))
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
			if fl := o.filling[i]; c.index.find(o, i) != 0 || fl != nil && fl.whole() {
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
func (r *reader) Bitrate(bytesPerSecond int64) { r.pace.bitrate = bytesPerSecond }

// Next implements media.Reader.
func (r *reader) Next(ctx context.Context, most int64) (media.Piece, error) {
	r.letGo()
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
		r.pace.waits(r.pos)
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
	if index != r.at {
		r.at = index
		r.leavePassed()
	}
	o := c.index.objects[r.key]
	if id := c.index.find(o, index); id != 0 {
		r.note(r.pos + limit)
		return r.lookCommitted(id, off, limit) // unlocks
	}
	if f := r.waitedOn; f != nil && f.err != nil && r.pos >= f.from && r.pos < f.to {
		c.mu.Unlock()
		return media.Piece{}, nil, f.err
	}
	if o != nil && o.filling[index] != nil {
		fl := o.filling[index]
		if p := fl.at(off); p != nil {
			defer c.mu.Unlock()
			if !p.f.calledOff {
				r.join(p.f)
			}
			if p.n > off {
				n := min(limit, p.n-off)
				fl.block.refs++
				r.heldBlock = fl.block
				r.note(r.pos + n)
				return media.Piece{Data: fl.block.data[off : off+n], Len: n, From: media.SourceOrigin}, nil, nil
			}
			if !p.f.calledOff {
				r.waitedOn = p.f
			}
			if p.f.queues {
				r.leaveAhead(p.f)
			}
			return media.Piece{}, p.f.wait(), nil
		}
	}
	c.mu.Unlock()
	r.start()
	return media.Piece{}, nil, nil
}

// join takes a place on a flight whose bytes are read, unless it is ours already;
// c.mu is held.
func (r *reader) join(f *flight) {
	if f.board(r) {
		r.c.metrics.event(eventJoined)
	}
}

// note remembers how far each flight's bytes have been of use; c.mu is held.
func (r *reader) note(until int64) {
	for _, f := range r.flights {
		if r.pos >= f.from && r.pos < f.to {
			f.served = max(f.served, min(until, f.to))
		}
	}
}

// start begins a flight at the wanted byte, or joins the one that has begun
// meanwhile, and those behind it when much is sure to be wanted. c.mu is not held.
func (r *reader) start() {
	c := r.c
	want, exactly := r.pace.first(r.end - r.pos)
	if r.flown.end > r.flown.first {
		want, exactly = r.pace.want(r.pos, r.pos), false
	}
	f := c.launch(r, r.pos, want, exactly)
	if f == nil {
		return
	}
	c.mu.Lock()
	r.waitedOn = f
	r.inMemory = f.fills[0] != nil && f.fills[0].room == 0
	if fl := f.fills[0]; fl != nil && r.isEdge(fl.index) && !c.memory.waited() {
		// Heads and tails are where players look for the index of a file before they
		// show anything: such a chunk is worth its missing part at once.
		r.errand(fl)
	}
	c.mu.Unlock()
	if r.pace.eager && !r.inMemory {
		r.nextLook = 0
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
func (r *reader) errand(fl *fill) {
	if f := r.c.mend(fl, r.obj); f != nil {
		f.aboard = append(f.aboard, r)
		r.errands = append(r.errands, f)
	}
}

// flew notes a flight's chunks; c.mu is held.
func (r *reader) flew(f *flight) {
	if r.flown.end == r.flown.first {
		r.flown = span{f.first, f.end}
		return
	}
	r.flown = span{min(r.flown.first, f.first), max(r.flown.end, f.end)}
}

// leavePassed leaves the flights that end before the chunk that is read. Who gets
// that far stays: a head that was left out is now worth asking for. c.mu is held.
func (r *reader) leavePassed() {
	kept := r.flights[:0]
	for _, f := range r.flights {
		if f.end > r.at {
			kept = append(kept, f)
			f.shed()
			continue
		}
		if fl := f.fills[0]; fl != nil && !fl.storing {
			r.errand(fl)
		}
		f.leave(r)
	}
	clear(r.flights[len(kept):])
	r.flights = kept
	under := r.errands[:0]
	for _, f := range r.errands {
		if f.over {
			f.leave(r)
			continue
		}
		under = append(under, f)
	}
	clear(r.errands[len(under):])
	r.errands = under
}

// leaveAhead leaves all flights but one: a reader whose flight stands in the line
// for memory must hold none that others wait for. c.mu is held.
func (r *reader) leaveAhead(but *flight) {
	for _, f := range slices.Concat(r.flights, r.errands) {
		if f != but {
			f.leave(r)
		}
	}
	stay := func(f *flight) bool { return f != but }
	r.flights = slices.DeleteFunc(r.flights, stay)
	r.errands = slices.DeleteFunc(r.errands, stay)
	r.frontier = r.at
}

// letGo gives back what the last piece held.
func (r *reader) letGo() {
	if r.heldBlock == nil && r.held == nil {
		return
	}
	var spare *openFile
	r.c.mu.Lock()
	if r.heldBlock != nil {
		r.c.memory.letGo(r.heldBlock)
		r.heldBlock = nil
	}
	if r.held != nil {
		spare = r.c.giveBack(r.held)
		r.held = nil
	}
	r.c.mu.Unlock()
	closeFiles(spare)
}

// Close implements media.Reader. Flights that nobody else waits for stop. A reader
// that has had all of its span has not hung up: the chunks it ended in are
// completed, because whoever asks for a part of one soon asks for the next.
func (r *reader) Close() error {
	r.letGo()
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	through := r.pos >= r.end
	for _, f := range r.flights {
		if fl := f.fills[0]; through && fl != nil && !fl.storing {
			r.errand(fl)
		}
		if through {
			f.linger()
		}
		f.leave(r)
	}
	for _, f := range r.errands {
		if through {
			f.linger()
		}
		f.leave(r)
	}
	r.flights, r.errands = nil, nil
	return nil
}

// readAhead starts what should be under way beyond the piece just given, so that
// a stream waits at no flight's end. Nobody reads beyond their span.
func (r *reader) readAhead() {
	if r.pos < r.nextLook || r.pos >= r.end || r.flown.end == r.flown.first {
		return // where all has been on disk so far, the first gap will tell
	}
	r.nextLook = r.pos + lookEvery
	now := time.Now()
	r.pace.see(r.pos, now)
	for range 2 * r.pace.streams {
		r.c.mu.Lock()
		from, busy := r.survey(now)
		short := r.c.memory.waited() || now.Before(r.quiet)
		r.c.mu.Unlock()
		if from >= r.end || short || !r.pace.more(r.pos, from, busy, r.inMemory) {
			return
		}
		if f := r.c.launch(r, from, r.pace.want(r.pos, from), false); f != nil {
			r.c.mu.Lock()
			r.inMemory = f.fills[0] != nil && f.fills[0].room == 0
			r.c.mu.Unlock()
		}
	}
}

// quietFor is how long nothing is read ahead after a failure.
const quietFor = 2 * time.Second

// survey finds the first byte ahead that is neither there nor under way, taking a
// place on the flights on the way there, and counts the streams that bring
// something; c.mu is held.
func (r *reader) survey(now time.Time) (from int64, busy int) {
	c := r.c
	r.frontier = max(r.frontier, r.at)
	o := c.index.objects[r.key]
	from = r.pos
	for until := r.pace.horizon(r.pos); ; r.frontier++ {
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
		gap := fl.boarded(r, from-start)
		if from = start + gap; gap < fl.length {
			break
		}
	}
	for _, f := range r.flights {
		switch {
		case f.err != nil && !f.closed:
			// What comes there will be asked for again when it is wanted: an origin that
			// is down gets no more requests than there are readers who wait.
			r.quiet = now.Add(quietFor)
		case !f.landing(now):
			busy++
		}
	}
	return from, busy
}
