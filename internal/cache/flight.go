package cache

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/media"
)

// readStep is how much is asked of an origin's body at a time: readers are told
// after each, so it bounds how long a byte that is here stays unseen.
const readStep = 64 << 10

// flight fills the chunks [first, end) of one object with one origin request.
type flight struct {
	c          *Cache
	o          *object
	obj        media.Object
	first, end int64
	stored     bool // room was reserved; false = memory only

	// ctx is the flight's own: it ends when the last reader leaves.
	ctx    context.Context
	cancel context.CancelFunc

	// Guarded by Cache.mu.
	readers  int
	reserved int64            // what is still reserved for chunks to come
	blocks   map[int64]*block // bytes that are in memory
	over     bool
	err      error         // why it failed; set with over
	changed  chan struct{} // closed and replaced whenever a reader may go on
}

// block is the bytes of one chunk in memory; guarded by Cache.mu, but for the
// bytes below n, which do not change any more.
type block struct {
	data   []byte
	n      int64 // watermark: how many bytes are there
	refs   int   // readers that hold a part
	listed bool  // in its flight's blocks
}

// blocks of full chunks are used again; a lesson's last chunk is a part of one.
type blockPool struct{ pool sync.Pool }

func (p *blockPool) get(length, chunkSize int64) *block {
	b, _ := p.pool.Get().(*block)
	if b == nil || int64(cap(b.data)) < length {
		b = &block{data: make([]byte, chunkSize)}
	}
	*b = block{data: b.data[:length], listed: true}
	return b
}

// unlist takes a block out of its flight; Cache.mu is held.
func (p *blockPool) unlist(b *block) {
	b.listed = false
	p.settle(b)
}

// letGo gives a reader's hold back; Cache.mu is held.
func (p *blockPool) letGo(b *block) {
	b.refs--
	p.settle(b)
}

func (p *blockPool) settle(b *block) {
	if b.refs == 0 && !b.listed {
		b.data = b.data[:cap(b.data)]
		p.pool.Put(b)
	}
}

// chunkLength is how many bytes chunk index of an object of size bytes has.
func (c *Cache) chunkLength(index, size int64) int64 {
	return min(c.chunkSize, size-index*c.chunkSize)
}

// launch starts a flight from chunk first on, for at most most chunks, up to the
// next one that is there or under way, and gives the reader a place on it. When
// somebody else was quicker it joins theirs. nil means that the chunk has been
// committed meanwhile. c.mu is not held.
func (c *Cache) launch(key objectKey, obj media.Object, first, most int64) *flight {
	total := (obj.Size + c.chunkSize - 1) / c.chunkSize
	c.mu.Lock()
	end := c.absentRun(key, first, min(total, first+most))
	c.mu.Unlock()
	need := int64(folderFootprint)
	for i := first; i < end; i++ {
		need += footprint(c.chunkLength(i, obj.Size))
	}
	stored := len(identity(obj, c.chunkSize)) <= maxIdentity && total-1 <= maxIndex && end > first && c.reserve(need)
	if !stored {
		// Memory is dearer than disk: a short flight, and the next one when needed.
		end = min(end, first+max(1, memoryWindow/c.chunkSize))
		need = 0
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if again := c.absentRun(key, first, end); again < end {
		// Somebody came between. Their chunks are theirs.
		for i := max(again, first); stored && i < end; i++ {
			give := footprint(c.chunkLength(i, obj.Size))
			c.release(give)
			need -= give
		}
		end = again
	}
	if end <= first {
		if stored {
			c.release(need)
		}
		if o := c.index.objects[key]; o != nil {
			if f := o.filling[first]; f != nil {
				f.readers++
				c.metrics.event(eventJoined)
				return f
			}
		}
		return nil
	}
	o := c.index.objectFor(key)
	if o.filling == nil {
		o.filling = map[int64]*flight{}
	}
	f := &flight{c: c, o: o, obj: obj, first: first, end: end, stored: stored, reserved: need, readers: 1, blocks: map[int64]*block{}, changed: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(c.base)
	for i := first; i < end; i++ {
		o.filling[i] = f
		c.metrics.event(eventMiss)
	}
	if c.closed {
		f.cancel() // run ends at once; Close may be waiting already
		f.land(media.Faultf(media.Canceled, "cache: fill", "the cache is closed"))
		return f
	}
	c.running.Go(f.run)
	return f
}

// absentRun is the end of the run of absent chunks that begins at first; c.mu is held.
func (c *Cache) absentRun(key objectKey, first, most int64) int64 {
	o := c.index.objects[key]
	if o == nil {
		return most
	}
	i := first
	for i < most && c.index.find(o, i) == 0 && o.filling[i] == nil {
		i++
	}
	return i
}

// run fetches, fills, and reports how it ended.
func (f *flight) run() {
	defer f.cancel()
	span := media.Span{Off: f.first * f.c.chunkSize, Len: (f.end - f.first) * f.c.chunkSize}.Clip(f.obj.Size)
	body, err := f.c.fetch.Open(f.ctx, f.obj, span)
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

// fill reads the body into one chunk after the other.
func (f *flight) fill(body io.Reader) error {
	for index := f.first; index < f.end; index++ {
		length := f.c.chunkLength(index, f.obj.Size)
		b := f.c.blocks.get(length, f.c.chunkSize)
		f.c.mu.Lock()
		f.blocks[index] = b
		f.c.mu.Unlock()
		if err := f.fillBlock(body, b); err != nil {
			return err
		}
		if index == f.end-1 {
			// An origin that checks its own work does so at its end: the last chunk
			// is not believed before.
			if err := atEnd(body); err != nil {
				return err
			}
		}
		f.complete(index, b)
	}
	return nil
}

func (f *flight) fillBlock(body io.Reader, b *block) error {
	for at := int64(0); at < int64(len(b.data)); {
		n, err := body.Read(b.data[at:min(at+readStep, int64(len(b.data)))])
		at += int64(n)
		if n > 0 {
			f.c.mu.Lock()
			b.n = at
			f.tell()
			f.c.mu.Unlock()
		}
		switch {
		case errors.Is(err, io.EOF) && at < int64(len(b.data)):
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

// complete stores a full chunk. One that cannot be stored stays in memory for as
// long as the flight has readers; they do not notice.
func (f *flight) complete(index int64, b *block) {
	c, size := f.c, footprint(int64(len(b.data)))
	var err error
	var litter bool
	if f.stored {
		header := encodeHeader(identity(f.obj, c.chunkSize), index, c.chunkSize, b.data)
		litter, err = writeChunk(c.disk, c.tmpDir(), f.o.key.path(c.cfg.Dir, index), header, b.data)
	}
	if err != nil {
		c.diskFault("write", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.stored || err != nil {
		if f.stored {
			f.reserved -= size
			if !litter {
				c.release(size)
			}
		}
		c.metrics.event(eventBypass)
		return
	}
	c.diskGood()
	f.reserved -= size
	// The last reader may have left while the file was written, and the object's
	// entry with it.
	f.o = c.index.objectFor(f.o.key)
	if !f.o.housed {
		f.o.housed = true
		f.reserved -= folderFootprint
	}
	if !c.commit(f.o, index, int64(len(b.data)), allBlocks, eventCommit, eviction.Arrival{Crowd: f.readers > 1}) {
		c.release(size) // the scan found the file before we could say that it is ours
	}
	if f.o.filling[index] == f {
		delete(f.o.filling, index)
	}
	delete(f.blocks, index)
	c.blocks.unlist(b)
	f.tell()
}

// tell wakes the readers that wait; Cache.mu is held.
func (f *flight) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// land is a flight's end; Cache.mu is held. One that failed leaves the table at
// once. One whose chunks are in memory only stays for those who read them.
func (f *flight) land(err error) {
	f.over, f.err = true, err
	f.c.release(f.reserved)
	f.reserved = 0
	if err != nil {
		f.c.metrics.event(eventFailed)
	}
	if err != nil || f.readers == 0 {
		f.leaveTable()
	}
	if f.readers == 0 {
		f.dropBlocks()
	}
	f.tell()
}

// leave gives a reader's place back; Cache.mu is held. The last one to leave
// takes the flight out of the table in the same step, so that nobody can join a
// flight that is being called off.
func (f *flight) leave() {
	f.readers--
	if f.readers > 0 || f.arrived() && !f.over {
		return // the last chunk is here and only has to be stored: land sees to the rest
	}
	f.leaveTable()
	f.cancel()
	if f.over { // else the flight's own goroutine still writes to them
		f.dropBlocks()
	}
}

// arrived tells whether every byte is here; Cache.mu is held.
func (f *flight) arrived() bool {
	last := f.blocks[f.end-1]
	return last != nil && last.n == int64(len(last.data))
}

func (f *flight) leaveTable() {
	for i := f.first; i < f.end; i++ {
		if f.o.filling[i] == f {
			delete(f.o.filling, i)
		}
	}
	f.c.tidy(f.o)
}

func (f *flight) dropBlocks() {
	for i, b := range f.blocks {
		delete(f.blocks, i)
		f.c.blocks.unlist(b)
	}
}

// covers reports whether the flight fills a chunk.
func (f *flight) covers(index int64) bool { return index >= f.first && index < f.end }
