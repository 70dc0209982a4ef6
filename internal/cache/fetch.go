package cache

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/media"
)

// readSize is the most that one Read of an origin's body asks for, in bytes. Readers
// are woken after each, so it bounds how long a received byte stays unseen.
const readSize = 256 << 10

// fetch is one origin request: the bytes [from, to) of an object, which lie in
// the chunks [first, end).
type fetch struct {
	c          *Cache
	obj        media.Object
	first, end int64
	from, to   int64
	startedAt  time.Time
	starter    *reader // that it was started for; nil for a backfill

	// ctx is the fetch's own: no reader's context ends it.
	ctx       context.Context
	cancelCtx context.CancelFunc

	// Guarded by Cache.mu.
	readers      []*reader   // attached
	graceTimer   *time.Timer // of a grace: until it ends the fetch may go on without readers
	fills        []*fill     // of the chunks from first on; nil when finished with one
	granted      int64       // buffers whose space has been acquired, and which no fill has yet
	received     int64       // bytes
	served       int64       // end of the bytes that a reader was given
	firstByteAt  time.Time
	atFirst      int64 // bytes that had been received then
	keep         bool  // nobody watches: it was started to store what it fetches
	isBackfill   bool  // no reader waits for its bytes
	awaitsBuffer bool  // it waits for the buffer pool
	cancelled    bool  // nobody waits for it; it only has to end
	finished     bool  // its goroutine has ended
	err          error // why it failed; set with finished
	closed       bool  // it has no readers and no fills left
	changed      chan struct{}
}

// verifiable is a body whose bytes may be handed on before they are certain. Verify
// waits until the body can vouch for all it has given, or knows that it cannot.
type verifiable interface{ Verify() error }

// run requests, receives, and finishes.
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
			f.c.log.Debug("cache: closing an origin's body failed", slog.Any("error", closeErr))
		}
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.finish(err)
}

// stopKeeping ends the fetch's waiting for the disk; c.mu is not held.
func (f *fetch) stopKeeping() {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.keep = false
}

// acquireBuffer gives a fill its buffer, and waits for the pool where it must: before the
// origin is asked, and only for the first chunk of a fetch that was granted none. A fetch that
// waited while the origin serves it would keep one of the few requests that an origin gets
// from those that have a buffer. A waiting fetch holds no buffer that another waiter needs:
// chunks whose head is missing get a backfill, which needs no further buffer; all others have
// readers, which release what they have read, and which detach from their other fetches when
// they wait for this one.
func (f *fetch) acquireBuffer(fl *fill) error {
	c := f.c
	wait, ready := f.requestBuffer(fl)
	if wait == nil && ready == nil {
		return nil
	}
	if wait != nil {
		acquired, err := f.waitForBuffer(wait, ready)
		if !acquired {
			return err
		}
	}
	if set, _ := c.setBuffer(fl, nil); !set {
		// Page faults of fresh memory take milliseconds: not under the lock, and those of the
		// first buffer while the origin's answer is awaited.
		fresh := newMemory(c.chunkSize)
		if fl.index > f.first {
			populate(fresh)
		}
		if _, unused := c.setBuffer(fl, fresh); unused != nil {
			freeMemory(unused)
		}
	}
	return nil
}

// requestBuffer acquires space for a fill's buffer. All is nil when the fill has a
// buffer; wait is nil when the space was acquired, else closed once it is; ready is
// closed when another fetch of the chunk sets the buffer.
func (f *fetch) requestBuffer(fl *fill) (wait, ready chan struct{}) {
	c := f.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if fl.buffer != nil {
		return nil, nil
	}
	if fl.bufferReady == nil {
		fl.bufferReady = make(chan struct{})
	}
	if f.granted > 0 {
		f.granted--
		return nil, fl.bufferReady
	}
	if wait = c.buffers.acquire(c.chunkSize); wait != nil {
		for _, other := range f.fills {
			if other != nil && other != fl && other.buffer != nil {
				c.backfillDetached(other, f.obj)
			}
		}
		c.closeGaps()
		f.awaitsBuffer = true
		f.broadcast()
		c.dropPassedWrites()
	}
	return wait, fl.bufferReady
}

// waitForBuffer reports whether the space was acquired. It was not when another
// fetch has set the buffer, which is no error, or when the fetch was cancelled.
func (f *fetch) waitForBuffer(wait, ready chan struct{}) (acquired bool, err error) {
	c := f.c
	select {
	case <-wait:
		acquired = true
	case <-ready:
	case <-f.ctx.Done():
		err = media.Fault(media.Canceled, "cache: fetch", f.ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f.awaitsBuffer = false
	if !acquired {
		c.buffers.cancelWait(wait, c.chunkSize)
	}
	return acquired, err
}

// setBuffer turns acquired space into a fill's buffer: a spare one, else fresh memory. set is
// false when there is neither; unused is fresh where it was not needed. c.mu is not held.
func (c *Cache) setBuffer(fl *fill, fresh []byte) (set bool, unused []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fl.buffer != nil {
		c.buffers.release(c.chunkSize) // another fetch of the chunk was quicker
		return true, fresh
	}
	b := c.buffers.takeSpare()
	switch {
	case b != nil:
		unused = fresh
	case fresh != nil:
		b = &buffer{data: fresh}
	default:
		return false, nil
	}
	*b = buffer{data: b.data[:fl.length], refs: 1}
	fl.buffer = b
	close(fl.bufferReady)
	return true, unused
}

// receive reads the body into one chunk after the other.
func (f *fetch) receive(body io.Reader) error {
	fills := slices.Clone(f.fills) // finished ones leave f.fills
	for i, fl := range fills {
		if err := f.acquireBuffer(fl); err != nil {
			return err
		}
		f.c.mu.Lock()
		p, data := fl.partOf(f), fl.buffer.data
		f.c.mu.Unlock()
		if err := f.receivePart(body, data, p); err != nil {
			return err
		}
		if i == len(fills)-1 {
			// An origin that checks its own answer does so at the end: the last chunk is
			// not verified before.
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
		complete, shared := f.c.verifyPart(fl, p), len(f.readers) > 1
		if !complete {
			f.c.partReceived(fl, f.obj)
		}
		f.releasePassed() // its readers may have read on already
		f.c.mu.Unlock()
		if complete {
			f.c.store(f, fl, eviction.Arrival{Edge: isEdge(fl.index, f.obj.Size, f.c.chunkSize), Shared: shared})
		}
	}
	return nil
}

// receivePart reads the body into a part, and raises its watermark.
func (f *fetch) receivePart(body io.Reader, data []byte, p *part) error {
	for at := p.lo; at < p.hi; {
		n, err := body.Read(data[at:min(at+readSize, p.hi)])
		if n > 0 {
			piece := data[at : at+int64(n)]
			at += int64(n)
			f.c.mu.Lock()
			if f.received == 0 {
				f.firstByteAt, f.atFirst = time.Now(), int64(n)
			}
			f.received += int64(n)
			p.have = at
			f.broadcast()
			f.c.mu.Unlock()
			p.sums.Add(piece) // while the processor's cache has it
		}
		switch {
		case errors.Is(err, io.EOF) && at < p.hi:
			return media.Fault(media.Corrupt, "cache: fetch", io.ErrUnexpectedEOF)
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
	}
	return nil
}

// expectEOF fails unless a body ends here.
func expectEOF(body io.Reader) error {
	var one [1]byte
	for range 100 {
		n, err := body.Read(one[:])
		switch {
		case n > 0:
			return media.Faultf(media.Corrupt, "cache: fetch", "more bytes than were requested")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return media.Fault(media.Corrupt, "cache: fetch", io.ErrNoProgress)
}
