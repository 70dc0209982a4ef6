package cache

import (
	"context"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

// How much is asked of an origin at a time: little at first, because half of all
// reads are a player's look at a header or a seek that goes on elsewhere; more
// as somebody reads on, because requests are what Drive's quota counts.
const (
	firstWindow  = 2 << 20
	maxWindow    = 16 << 20
	memoryWindow = 2 << 20
)

// reader gives the bytes of one span.
type reader struct {
	c         *Cache
	obj       media.Object
	key       objectKey
	pos, end  int64
	status    media.CacheStatus
	window    int64
	flights   []*flight // joined, not yet left
	flown     []run     // chunks that were fetched in this reader's life
	touched   int64     // the chunk file that was used last
	held      *openFile
	heldBlock *block
}

type run struct{ first, end int64 }

// Open prepares to read a span of the object. It asks nobody for anything yet.
func (c *Cache) Open(_ context.Context, obj media.Object, span media.Span) (media.Reader, error) {
	if span.Off < 0 || span.Len < 0 || span.Len > obj.Size-span.Off {
		return nil, media.Faultf(media.Invalid, "cache: open", "span %d+%d of %d bytes", span.Off, span.Len, obj.Size)
	}
	r := &reader{c: c, obj: obj, key: keyOf(obj, c.chunkSize), pos: span.Off, end: span.End(), window: firstWindow, touched: -1}
	c.mu.Lock()
	scanning := c.scanning
	c.mu.Unlock()
	first, end := span.Chunks(c.chunkSize)
	if scanning {
		for i := first; i < end; i++ {
			c.lookOnDisk(r.key, i, c.chunkLength(i, obj.Size))
		}
	}
	r.status = c.statusOf(r.key, first, end)
	return r, nil
}

// statusOf tells how much of a run of chunks is committed.
func (c *Cache) statusOf(key objectKey, first, end int64) media.CacheStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := int64(0)
	if o := c.index.objects[key]; o != nil {
		for i := first; i < end; i++ {
			if c.index.find(o, i) != 0 {
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
			continue // something was done: look again
		}
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
	index := r.pos / r.c.chunkSize
	off := r.pos - index*r.c.chunkSize
	limit := min(most, r.end-r.pos, r.c.chunkSize-off)
	r.c.mu.Lock()
	r.leavePassed(index)
	o := r.c.index.objects[r.key]
	if id := r.c.index.find(o, index); id != 0 {
		return r.lookCommitted(id, off, limit) // unlocks
	}
	defer r.c.mu.Unlock()
	f := r.joined(index)
	if f == nil && o != nil {
		if f = o.filling[index]; f != nil {
			r.board(f)
			f.readers++
			r.c.metrics.event(eventJoined)
		}
	}
	if f != nil {
		if b := f.blocks[index]; b != nil && b.n > off {
			b.refs++
			r.heldBlock = b
			n := min(limit, b.n-off)
			return media.Piece{Data: b.data[off : off+n], Len: n, From: media.SourceOrigin}, nil, nil
		}
		switch {
		case !f.over:
			return media.Piece{}, f.changed, nil
		case f.err != nil:
			return media.Piece{}, nil, f.err
		}
		r.disembark(f) // its chunk was committed, and evicted since
	}
	r.c.mu.Unlock()
	r.start(index)
	r.c.mu.Lock()
	return media.Piece{}, nil, nil
}

// start begins a flight at a chunk, or joins the one that has begun meanwhile.
// c.mu is not held.
func (r *reader) start(index int64) {
	last := (r.end - 1) / r.c.chunkSize
	f := r.c.launch(r.key, r.obj, index, min(max(1, r.window/r.c.chunkSize), last-index+1))
	if f != nil {
		r.board(f)
	}
	r.window = min(maxWindow, 2*r.window)
}

// readAhead starts the next flight when less than half a window lies ahead, so
// that a stream does not wait at a flight's end. Nobody reads beyond their span.
func (r *reader) readAhead() {
	index := r.pos / r.c.chunkSize
	last := (r.end - 1) / r.c.chunkSize
	until := min(last, (r.pos+r.window/2)/r.c.chunkSize)
	if len(r.flown) == 0 || r.pos >= r.end {
		return // all of it has been on disk so far: the first gap will tell
	}
	r.c.mu.Lock()
	o := r.c.index.objects[r.key]
	gap := int64(-1)
	for i := index; i <= until; i++ {
		if o == nil || r.c.index.find(o, i) == 0 && o.filling[i] == nil && r.joined(i) == nil {
			gap = i
			break
		}
	}
	r.c.mu.Unlock()
	if gap >= 0 {
		r.start(gap)
	}
}

// board notes a flight that this reader has a place on.
func (r *reader) board(f *flight) {
	r.flights = append(r.flights, f)
	r.flown = append(r.flown, run{f.first, f.end})
}

// joined finds the flight of ours that covers a chunk; the latest first, because
// an earlier one may have ended without it.
func (r *reader) joined(index int64) *flight {
	for i := len(r.flights) - 1; i >= 0; i-- {
		if r.flights[i].covers(index) {
			return r.flights[i]
		}
	}
	return nil
}

// leavePassed leaves the flights that end before a chunk; c.mu is held.
func (r *reader) leavePassed(index int64) {
	kept := r.flights[:0]
	for _, f := range r.flights {
		if f.end <= index {
			f.leave()
			continue
		}
		kept = append(kept, f)
	}
	clear(r.flights[len(kept):])
	r.flights = kept
}

// disembark leaves one flight; c.mu is held.
func (r *reader) disembark(gone *flight) {
	for i, f := range r.flights {
		if f == gone {
			r.flights = append(r.flights[:i], r.flights[i+1:]...)
			f.leave()
			return
		}
	}
}

// letGo gives back what the last piece held.
func (r *reader) letGo() {
	if r.heldBlock == nil && r.held == nil {
		return
	}
	var spare *openFile
	r.c.mu.Lock()
	if r.heldBlock != nil {
		r.c.blocks.letGo(r.heldBlock)
		r.heldBlock = nil
	}
	if r.held != nil {
		spare = r.c.giveBack(r.held)
		r.held = nil
	}
	r.c.mu.Unlock()
	if spare != nil {
		spare.file.Close()
	}
}

// Close implements media.Reader. Flights that nobody else waits for stop.
func (r *reader) Close() error {
	r.letGo()
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	for _, f := range r.flights {
		f.leave()
	}
	r.flights = nil
	return nil
}
