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
	memoryWindow = 2 << 20
	// nearStart is how far behind a chunk's start a wanted byte may lie for the
	// chunk to be fetched from its start: one request saved for a few milliseconds.
	nearStart = 16 << 10
	// lingerFor is how long a flight goes on for a reader that has had all it came
	// for, so that the chunk it ended in is kept.
	lingerFor = 5 * time.Second
)

// flight is one origin request: the bytes [from, to) of an object, which lie in
// the chunks [first, end).
type flight struct {
	c          *Cache
	obj        media.Object
	first, end int64
	from, to   int64
	began      time.Time

	// ctx is the flight's own: it ends when the last reader leaves.
	ctx    context.Context
	cancel context.CancelFunc

	// Guarded by Cache.mu.
	aboard    []*reader
	lingering *time.Timer // set once it flies on without readers
	fills     []*fill     // of the chunks from first on; nil when done with one
	got       int64       // bytes that came
	served    int64       // behind the last byte that a reader was given
	firstByte time.Time
	errand    bool  // it fills a hole that nobody reads
	queues    bool  // it stands in the line for memory
	calledOff bool  // nobody waits any longer; it only has to end
	over      bool  // its goroutine is through
	err       error // why it failed; set with over
	closed    bool  // accounted for
	changed   chan struct{}
}

// prover is a body whose bytes may be handed on before they are certain. Prove
// waits until it can vouch for all it has given, or knows that it cannot.
type verifiable interface{ Verify() error }

// chunkLength is how many bytes chunk index of an object of size bytes has.
func (c *Cache) chunkLength(index, size int64) int64 {
	return min(c.chunkSize, size-index*c.chunkSize)
}

// course is where a new flight would go.
type course struct {
	hole       *fill // its first chunk is under way already, and this is its fill
	first, end int64 // chunks
	from, to   int64 // bytes
}

// plan finds the course from byte from on: want bytes, or, unless exactly these,
// on to the end of the chunk they lead into; less where there is or is under way
// what comes then. When the first byte is, there is none; busy is then the flight
// to join, if there is one. c.mu is held.
func (c *Cache) plan(key objectKey, obj media.Object, from, want int64, exactly bool) (way course, busy *flight, ok bool) {
	index := from / c.chunkSize
	off, length := from-index*c.chunkSize, c.chunkLength(index, obj.Size)
	o := c.index.objects[key]
	way = course{first: index, end: index + 1, from: from, to: index*c.chunkSize + length}
	if c.index.find(o, index) != 0 {
		return way, nil, false
	}
	if o != nil && o.filling[index] != nil {
		way.hole = o.filling[index]
		if p := way.hole.at(off); p != nil {
			return way, p.f, false
		}
		if gap := way.hole.gap(off); gap < length {
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
func (w course) fresh() (first, end int64) {
	if w.hole != nil {
		return w.first + 1, w.end
	}
	return w.first, w.end
}

// roomFor is what a course's fresh chunks need on the disk. Each may be the one
// that makes its object's folder.
func (c *Cache) roomFor(w course, size int64) (need int64) {
	for i, end := w.fresh(); i < end; i++ {
		need += c.roomOf(i, size)
	}
	return need
}

func (c *Cache) roomOf(index, size int64) int64 {
	return footprint(c.chunkLength(index, size)) + folderFootprint
}

// launch starts a flight for a reader, or joins the one that is under way to the
// same byte. nil means that the byte is there, or has to be looked for again.
// c.mu is not held.
func (c *Cache) launch(r *reader, from, want int64, exactly bool) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	way, busy, ok := c.plan(r.key, r.obj, from, want, exactly)
	if ok {
		need := c.roomFor(way, r.obj.Size)
		stored := need > 0 && way.end-1 <= maxIndex && len(identity(r.obj, c.chunkSize)) <= maxIdentity
		if stored {
			c.mu.Unlock()
			stored = c.reserve(need)
			c.mu.Lock()
		}
		if !stored {
			// Memory is dearer than disk: a short flight, and the next one when needed.
			need, want = 0, min(want, memoryWindow)
		}
		// Somebody may have come between. Their chunks are theirs.
		way, busy, ok = c.plan(r.key, r.obj, from, min(want, way.to-from), exactly)
		if now := c.roomFor(way, r.obj.Size); !ok {
			c.release(need)
		} else if stored && now > need {
			c.release(need)
			return nil // and somebody's have gone: look again
		} else if stored {
			c.release(need - now)
		}
		if ok {
			f := c.fly(r.obj, r.key, way, stored)
			f.board(r)
			return f
		}
	}
	if busy == nil || busy.over || busy.calledOff {
		return nil
	}
	busy.board(r)
	c.metrics.event(eventJoined)
	return busy
}

// fly starts a flight. The room for its fresh chunks, if they are to be stored,
// has been reserved. c.mu is held.
func (c *Cache) fly(obj media.Object, key objectKey, way course, stored bool) *flight {
	f := &flight{c: c, obj: obj, first: way.first, end: way.end, from: way.from, to: way.to, served: way.from, began: time.Now()}
	f.ctx, f.cancel = context.WithCancel(c.base)
	o := c.index.objectFor(key)
	if o.filling == nil {
		o.filling = map[int64]*fill{}
	}
	for i := way.first; i < way.end; i++ {
		start := i * c.chunkSize
		fl := way.hole
		if i > way.first || fl == nil {
			fl = &fill{o: o, index: i, length: c.chunkLength(i, obj.Size), listed: true}
			if stored {
				fl.room = c.roomOf(i, obj.Size)
			}
			o.filling[i] = fl
			c.metrics.event(eventMiss)
		}
		lo := max(0, way.from-start)
		fl.join(&part{f: f, lo: lo, n: lo, hi: min(fl.length, way.to-start)})
		f.fills = append(f.fills, fl)
	}
	if c.closed {
		f.cancel()
		f.land(media.Faultf(media.Canceled, "cache: fill", "the cache is closed"))
		return f
	}
	c.running.Go(f.run)
	return f
}

// mend starts the flight that fills a chunk's hole; nil when there is none, or no
// use in it, because the chunk will not be stored. c.mu is held.
func (c *Cache) mend(fl *fill, obj media.Object) *flight {
	lo, hi := fl.hole()
	if lo >= hi || fl.room == 0 || !fl.listed {
		return nil
	}
	start := fl.index * c.chunkSize
	way := course{hole: fl, first: fl.index, end: fl.index + 1, from: start + lo, to: start + hi}
	f := c.fly(obj, fl.o.key, way, true)
	f.errand = true
	return f
}

// mendLater mends a chunk for nobody in particular; c.mu is held.
func (c *Cache) mendLater(fl *fill, obj media.Object) {
	if f := c.mend(fl, obj); f != nil {
		f.linger()
	}
}

// run fetches, fills, and reports how it ended.
func (f *flight) run() {
	defer f.cancel()
	err := f.takeBlock(f.fills[0])
	var body io.ReadCloser
	if err == nil {
		body, err = f.c.fetch.Open(f.ctx, f.obj, media.Span{Off: f.from, Len: f.to - f.from})
	}
	if err == nil {
		err = f.fill(body)
		if closeErr := body.Close(); err == nil && closeErr != nil {
			f.c.log.Debug("closing an origin's body", "error", closeErr)
		}
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.land(err)
}

// takeBlock gives a fill its memory. The line is waited in with nothing in hand
// that cannot be given back meanwhile: a chunk whose head is missing is mended,
// which needs no more memory; others are waited for by nobody but readers. Those
// leave what they have read; and who waits for this flight lets go of all others.
func (f *flight) takeBlock(fl *fill) error {
	c := f.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if fl.block != nil {
		return nil
	}
	if wait := c.memory.take(c.chunkSize); wait != nil {
		for _, held := range f.fills {
			if held != nil && held != fl && held.block != nil {
				c.mendLater(held, f.obj)
			}
		}
		if fl.ready == nil {
			fl.ready = make(chan struct{})
		}
		ready := fl.ready
		f.queues = true
		defer func() { f.queues = false }()
		f.tell()
		c.mu.Unlock()
		select {
		case <-wait:
			c.mu.Lock()
		case <-ready: // another flight to the same chunk has brought its memory
			c.mu.Lock()
			c.memory.leave(wait, c.chunkSize)
			return nil
		case <-f.ctx.Done():
			c.mu.Lock()
			c.memory.leave(wait, c.chunkSize)
			return media.Fault(media.Canceled, "cache: fill", f.ctx.Err())
		}
	}
	if fl.block != nil {
		c.memory.give(c.chunkSize) // another flight to the same chunk was quicker
		return nil
	}
	fl.block = c.memory.block(fl.length, c.chunkSize)
	if fl.ready != nil {
		close(fl.ready)
	}
	return nil
}

// fill reads the body into one chunk after the other.
func (f *flight) fill(body io.Reader) error {
	fills := slices.Clone(f.fills) // those we are done with leave the list
	for i, fl := range fills {
		if err := f.takeBlock(fl); err != nil {
			return err
		}
		f.c.mu.Lock()
		p := fl.part(f)
		f.c.mu.Unlock()
		if err := f.fillPart(body, fl.block.data, p); err != nil {
			return err
		}
		if i == len(fills)-1 {
			// An origin that checks its own work does so at its end: the last chunk
			// is not believed before.
			if err := atEnd(body); err != nil {
				return err
			}
		}
		if b, ok := body.(verifiable); ok {
			if err := b.Verify(); err != nil {
				return err
			}
		}
		f.c.mu.Lock()
		p.believed = true
		data, crowd := f.c.claim(fl), len(f.aboard) > 1
		if f.errand && data == nil && f.c.memory.waited() {
			f.c.mendLater(fl, f.obj) // there was more than one hole
		}
		f.shed() // its readers may have gone on already
		f.c.mu.Unlock()
		if data != nil {
			f.c.store(fl, identity(f.obj, f.c.chunkSize), data, eviction.Arrival{Edge: isEdge(fl.index, f.obj.Size, f.c.chunkSize), Shared: crowd})
		}
	}
	return nil
}

func (f *flight) fillPart(body io.Reader, data []byte, p *part) error {
	for at := p.lo; at < p.hi; {
		n, err := body.Read(data[at:min(at+readStep, p.hi)])
		at += int64(n)
		if n > 0 {
			f.c.mu.Lock()
			if f.got == 0 {
				f.firstByte = time.Now()
			}
			f.got += int64(n)
			p.n = at
			f.tell()
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
func atEnd(body io.Reader) error {
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
