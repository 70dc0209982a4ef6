package cache

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/media"
)

const (
	// readStep is how much is asked of an origin's body at a time: readers are told
	// after each, so it bounds how long a byte that is here stays unseen.
	readStep = 256 << 10
	// memoryWindow is how much one flight keeps that has no room on the disk.
	passThroughFetch = 2 << 20
	// nearStart is how far behind a chunk's start a wanted byte may lie for the
	// chunk to be fetched from its start: one request saved for a few milliseconds.
	nearStart = 16 << 10
	// lingerFor is how long a flight goes on for a reader that has had all it came
	// for, so that the chunk it ended in is kept.
	detachGrace = 5 * time.Second
)

// flight is one origin request: the bytes [from, to) of an object, which lie in
// the chunks [first, end).
type fetch struct {
	c          *Cache
	obj        media.Object
	first, end int64
	from, to   int64
	startedAt  time.Time

	// ctx is the flight's own: it ends when the last reader leaves.
	ctx       context.Context
	cancelCtx context.CancelFunc

	// Guarded by Cache.mu.
	readers      []*reader
	graceTimer   *time.Timer // set once it flies on without readers
	fills        []*fill     // of the chunks from first on; nil when done with one
	received     int64       // bytes that came
	served       int64       // behind the last byte that a reader was given
	firstByteAt  time.Time
	isBackfill   bool  // it fills a hole that nobody reads
	awaitsBuffer bool  // it stands in the line for memory
	cancelled    bool  // nobody waits any longer; it only has to end
	finished     bool  // its goroutine is through
	err          error // why it failed; set with over
	closed       bool  // accounted for
	changed      chan struct{}
}

// verifiable is a body whose bytes may be served before they are verified. Verify
// waits until it can vouch for all it has given, or knows that it cannot.
type verifiable interface{ Verify() error }

// chunkLength is how many bytes chunk index of an object of size bytes has.
func (c *Cache) chunkLength(index, size int64) int64 {
	return min(c.chunkSize, size-index*c.chunkSize)
}

// course is where a new flight would go.
type fetchPlan struct {
	gapIn      *fill // its first chunk is under way already, and this is its fill
	first, end int64 // chunks
	from, to   int64 // bytes
}

// plan finds the course from byte from on: want bytes, or, unless exactly these,
// on to the end of the chunk they lead into; less where there is or is under way
// what comes then. When the first byte is, there is none; busy is then the flight
// to join, if there is one. c.mu is held.
func (c *Cache) planFetch(key objectKey, obj media.Object, from, want int64, exactly bool) (way fetchPlan, busy *fetch, ok bool) {
	index := from / c.chunkSize
	off, length := from-index*c.chunkSize, c.chunkLength(index, obj.Size)
	o := c.index.objects[key]
	way = fetchPlan{first: index, end: index + 1, from: from, to: index*c.chunkSize + length}
	if c.index.find(o, index) != 0 {
		return way, nil, false
	}
	if o != nil && o.filling[index] != nil {
		way.gapIn = o.filling[index]
		if p := way.gapIn.partAt(off); p != nil {
			return way, p.fetch, false
		}
		if gap := way.gapIn.gapEnd(off); gap < length {
			way.to = index*c.chunkSize + gap
			return way, nil, true
		}
	} else if off <= nearStart {
		way.from -= off
	}
	for total := (obj.Size + c.chunkSize - 1) / c.chunkSize; way.end < total && way.to < from+want; way.end++ {
		if c.index.find(o, way.end) != 0 || o != nil && o.filling[way.end] != nil {
			break
		}
		way.to += c.chunkLength(way.end, obj.Size)
	}
	if exactly {
		way.to = min(way.to, from+want)
	}
	return way, nil, true
}

// fresh is how many of a course's chunks are not under way yet.
func (w fetchPlan) newChunks() (first, end int64) {
	if w.gapIn != nil {
		return w.first + 1, w.end
	}
	return w.first, w.end
}

// roomFor is what a course's fresh chunks need on the disk. Each may be the one
// that makes its object's folder.
func (c *Cache) spaceFor(w fetchPlan, size int64) (need int64) {
	for i, end := w.newChunks(); i < end; i++ {
		need += c.spaceOf(i, size)
	}
	return need
}

func (c *Cache) spaceOf(index, size int64) int64 {
	return footprint(c.chunkLength(index, size)) + folderFootprint
}

// launch starts a flight for a reader, or joins the one that is under way to the
// same byte. nil means that the byte is there, or has to be looked for again.
// c.mu is not held.
func (c *Cache) startOrJoin(r *reader, from, want int64, exactly bool) *fetch {
	c.mu.Lock()
	defer c.mu.Unlock()
	way, busy, ok := c.planFetch(r.key, r.obj, from, want, exactly)
	if ok {
		need := c.spaceFor(way, r.obj.Size)
		stored := need > 0 && way.end-1 <= maxIndex && len(identity(r.obj, c.chunkSize)) <= maxIdentity
		if stored {
			c.mu.Unlock()
			stored = c.reserve(need)
			c.mu.Lock()
		}
		if !stored {
			// Memory is dearer than disk: a short flight, and the next one when needed.
			need, want = 0, min(want, passThroughFetch)
		}
		// Somebody may have come between. Their chunks are theirs.
		way, busy, ok = c.planFetch(r.key, r.obj, from, min(want, way.to-from), exactly)
		if now := c.spaceFor(way, r.obj.Size); !ok {
			c.release(need)
		} else if stored && now > need {
			c.release(need)
			return nil // and somebody's have gone: look again
		} else if stored {
			c.release(need - now)
		}
		if ok {
			f := c.startFetch(r.obj, r.key, way, stored)
			f.attach(r)
			return f
		}
	}
	if busy == nil || busy.finished || busy.cancelled {
		return nil
	}
	busy.attach(r)
	c.metrics.event(eventJoined)
	return busy
}

// fly starts a flight. The room for its fresh chunks, if they are to be stored,
// has been reserved. c.mu is held.
func (c *Cache) startFetch(obj media.Object, key objectKey, way fetchPlan, stored bool) *fetch {
	f := &fetch{c: c, obj: obj, first: way.first, end: way.end, from: way.from, to: way.to, served: way.from, startedAt: time.Now()}
	f.ctx, f.cancelCtx = context.WithCancel(c.base)
	o := c.index.objectFor(key)
	if o.filling == nil {
		o.filling = map[int64]*fill{}
	}
	for i := way.first; i < way.end; i++ {
		start := i * c.chunkSize
		fl := way.gapIn
		if i > way.first || fl == nil {
			fl = &fill{o: o, index: i, length: c.chunkLength(i, obj.Size), listed: true}
			if stored {
				fl.reserved = c.spaceOf(i, obj.Size)
			}
			o.filling[i] = fl
			c.metrics.event(eventMiss)
		}
		lo := max(0, way.from-start)
		fl.addPart(&part{fetch: f, lo: lo, have: lo, hi: min(fl.length, way.to-start)})
		f.fills = append(f.fills, fl)
	}
	if c.closed {
		f.cancelCtx()
		f.finish(media.Faultf(media.Canceled, "cache: fill", "the cache is closed"))
		return f
	}
	c.running.Go(f.run)
	return f
}

// mend starts the flight that fills a chunk's hole; nil when there is none, or no
// use in it, because the chunk will not be stored. c.mu is held.
func (c *Cache) backfill(fl *fill, obj media.Object) *fetch {
	lo, hi := fl.firstGap()
	if lo >= hi || fl.reserved == 0 || !fl.listed {
		return nil
	}
	start := fl.index * c.chunkSize
	way := fetchPlan{gapIn: fl, first: fl.index, end: fl.index + 1, from: start + lo, to: start + hi}
	f := c.startFetch(obj, fl.o.key, way, true)
	f.isBackfill = true
	return f
}

// mendLater mends a chunk for nobody in particular; c.mu is held.
func (c *Cache) backfillDetached(fl *fill, obj media.Object) {
	if f := c.backfill(fl, obj); f != nil {
		f.startDetachGrace()
	}
}

// run fetches, fills, and reports how it ended.
func (f *fetch) run() {
	defer f.cancelCtx()
	err := f.acquireBuffer(f.fills[0])
	var body io.ReadCloser
	if err == nil {
		body, err = f.c.origin.Open(f.ctx, f.obj, media.Span{Off: f.from, Len: f.to - f.from})
	}
	if err == nil {
		err = f.receive(body)
		if closeErr := body.Close(); err == nil && closeErr != nil {
			f.c.log.Debug("closing an origin's body", "error", closeErr)
		}
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.finish(err)
}

// takeBlock gives a fill its memory. The line is waited in with nothing in hand
// that cannot be given back meanwhile: a chunk whose head is missing is mended,
// which needs no more memory; others are waited for by nobody but readers. Those
// leave what they have read; and who waits for this flight lets go of all others.
func (f *fetch) acquireBuffer(fl *fill) error {
	c := f.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if fl.buffer != nil {
		return nil
	}
	if wait := c.buffers.acquire(c.chunkSize); wait != nil {
		for _, held := range f.fills {
			if held != nil && held != fl && held.buffer != nil {
				c.backfillDetached(held, f.obj)
			}
		}
		if fl.bufferReady == nil {
			fl.bufferReady = make(chan struct{})
		}
		ready := fl.bufferReady
		f.awaitsBuffer = true
		defer func() { f.awaitsBuffer = false }()
		f.broadcast()
		c.mu.Unlock()
		select {
		case <-wait:
			c.mu.Lock()
		case <-ready: // another flight to the same chunk has brought its memory
			c.mu.Lock()
			c.buffers.cancelWait(wait, c.chunkSize)
			return nil
		case <-f.ctx.Done():
			c.mu.Lock()
			c.buffers.cancelWait(wait, c.chunkSize)
			return media.Fault(media.Canceled, "cache: fill", f.ctx.Err())
		}
	}
	if fl.buffer != nil {
		c.buffers.release(c.chunkSize) // another flight to the same chunk was quicker
		return nil
	}
	fl.buffer = c.buffers.newBuffer(fl.length, c.chunkSize)
	if fl.bufferReady != nil {
		close(fl.bufferReady)
	}
	return nil
}

// fill reads the body into one chunk after the other.
func (f *fetch) receive(body io.Reader) error {
	fills := slices.Clone(f.fills) // those we are done with leave the list
	for i, fl := range fills {
		if err := f.acquireBuffer(fl); err != nil {
			return err
		}
		f.c.mu.Lock()
		p := fl.partOf(f)
		f.c.mu.Unlock()
		if err := f.receivePart(body, fl.buffer.data, p); err != nil {
			return err
		}
		if i == len(fills)-1 {
			// An origin that checks its own work does so at its end: the last chunk
			// is not believed before.
			if err := expectEOF(body); err != nil {
				return err
			}
		}
		if b, ok := body.(verifiable); ok {
			if err := b.Verify(); err != nil {
				return err
			}
		}
		f.c.mu.Lock()
		p.verified = true
		data, crowd := f.c.beginStore(fl), len(f.readers) > 1
		if f.isBackfill && data == nil && f.c.buffers.hasWaiters() {
			f.c.backfillDetached(fl, f.obj) // there was more than one hole
		}
		f.releasePassed() // its readers may have gone on already
		f.c.mu.Unlock()
		if data != nil {
			f.c.store(fl, identity(f.obj, f.c.chunkSize), data, eviction.Arrival{Edge: isEdge(fl.index, f.obj.Size, f.c.chunkSize), Shared: crowd})
		}
	}
	return nil
}

func (f *fetch) receivePart(body io.Reader, data []byte, p *part) error {
	for at := p.lo; at < p.hi; {
		n, err := body.Read(data[at:min(at+readStep, p.hi)])
		at += int64(n)
		if n > 0 {
			f.c.mu.Lock()
			if f.received == 0 {
				f.firstByteAt = time.Now()
			}
			f.received += int64(n)
			p.have = at
			f.broadcast()
			f.c.mu.Unlock()
		}
		switch {
		case errors.Is(err, io.EOF) && at < p.hi:
			return media.Fault(media.Corrupt, "cache: fill", io.ErrUnexpectedEOF)
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
	}
	return nil
}

// atEnd makes sure that a body ends where it should.
func expectEOF(body io.Reader) error {
	var one [1]byte
	for range 100 {
		n, err := body.Read(one[:])
		switch {
		case n > 0:
			return media.Faultf(media.Corrupt, "cache: fill", "more bytes than were asked for")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return media.Fault(media.Corrupt, "cache: fill", io.ErrNoProgress)
}
