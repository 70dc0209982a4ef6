package cache

import (
	"context"
	"io"
	"time"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/cache/readahead"
	"github.com/lectiospace/lectern/internal/media"
)

// reader returns the bytes of one span. One goroutine uses it.
type reader struct {
	c        *Cache
	obj      media.Object
	key      objectKey
	pos, end int64
	status   media.CacheStatus
	plan     readahead.Planner
	nextPlan int64 // the position at which read-ahead is planned again
	lastHit  int64 // the chunk that counted as a hit last
	statted  int64 // chunks below it were looked up on the disk; see findOnDisk
	// forwarded is the fetch that brought the first byte that was not cached, and what
	// Forwarding says of it; nil until then.
	forwarded  *fetch
	forwarding media.Forwarding
	// speculative: it reads ahead of another reader, whose request its fetches are made for.
	speculative bool
	// keep: see OpenToStore.
	keep bool
	// traceparent goes along with the requests that it starts; "" = none.
	traceparent string

	// Held by the last piece.
	file   *openFile
	buffer *buffer

	// Guarded by Cache.mu.
	countedBy    *object    // whose readers it is one of; nil where there was none
	chunk        int64      // being read
	frontier     int64      // all chunks from chunk up to this one are there or being fetched
	fetches      []*fetch   // attached to
	backfills    []*fetch   // of heads of chunks that it has passed
	fetched      chunkRange // the chunks of its fetches
	waitsFor     *fetch     // whose failure is the reader's own
	passThrough  bool       // its last fetch found no disk space
	backoffUntil time.Time  // until when nothing is read ahead, because an origin failed
}

// Open prepares to read a span of the object. It requests nothing of the origin. An
// error is of kind Invalid: the span is not within the object. The reader must be
// closed; it is not safe for concurrent use.
func (c *Cache) Open(ctx context.Context, obj media.Object, want media.Span) (media.Reader, error) {
	r, err := c.open(obj, want)
	if err != nil {
		return nil, err
	}
	r.traceparent = media.TraceparentOf(ctx)
	return r, nil
}

// OpenToStore is Open for a reader whose purpose is that the span is on the disk. Nobody
// watches what it reads: its fetches wait for the disk, and store chunks that nobody has
// used yet.
func (c *Cache) OpenToStore(ctx context.Context, obj media.Object, want media.Span) (media.Reader, error) {
	r, err := c.open(obj, want)
	if err != nil {
		return nil, err
	}
	r.traceparent, r.keep = media.TraceparentOf(ctx), true
	return r, nil
}

func (c *Cache) open(obj media.Object, want media.Span) (*reader, error) {
	if want.Off < 0 || want.Len < 0 || want.Len > obj.Size-want.Off {
		return nil, media.Faultf(media.Invalid, "cache: open", "span %d+%d of %d bytes", want.Off, want.Len, obj.Size)
	}
	first, end := want.Chunks(c.chunkSize)
	r := &reader{
		c: c, obj: obj, pos: want.Off, end: want.End(),
		plan: readahead.New(c.cfg.Streams, want, obj.Size), lastHit: -1, chunk: first, frontier: first,
	}
	if r.openKnown(end) {
		return r, nil
	}
	r.key = keyOf(obj, c.chunkSize)
	if r.findOnDisk(r.pos) {
		end = min(end, r.statted) // the rest is not known yet
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys.add(obj, r.key)
	r.status = c.index.objects[r.key].statusOf(first, end)
	return r, nil
}

// openKnown sets key and status in one hold of the lock. It reports false where the key is not
// known, or the disk has to be looked at.
func (r *reader) openKnown(end int64) bool {
	c := r.c
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.keys.get(r.obj)
	if !ok || c.scanning.mayHaveFiles(key) {
		return false
	}
	r.key, r.status = key, c.index.objects[key].statusOf(r.chunk, end)
	return true
}

// countAmong counts the reader among those of its object, which may be nil, and no longer among those of a forgotten one. Readers
// whom nobody watches do not count. c.mu is held.
func (r *reader) countAmong(o *object) {
	if r.countedBy == o || r.speculative || r.keep {
		return
	}
	if r.countedBy != nil {
		r.countedBy.readers--
	}
	if r.countedBy = o; o != nil {
		o.readers++
	}
}

// statusOf reports how much of a run of chunks is available: committed, or received
// and on its way to the disk. Its cost does not depend on the length of the run. o may be nil;
// Cache.mu is held.
func (o *object) statusOf(first, end int64) media.CacheStatus {
	switch {
	case first == end || o != nil && o.table.nextMissing(first, end) == end:
		return media.CacheHit
	case o == nil || o.table.nextAvailable(first, end) == end:
		return media.CacheMiss
	default:
		return media.CachePartial
	}
}

// Status implements media.Reader. While the start-up scan has not come to the
// object's folder, it is that of the span's first 2 MiB.
func (r *reader) Status() media.CacheStatus { return r.status }

// Forwarding describes the fetch that brought the first byte that was not cached. It is
// known once Next has returned a piece with that byte. The goroutine that calls Next calls
// it.
func (r *reader) Forwarding() media.Forwarding { return r.forwarding }

// SetSpeculative says, before the first Next, that another reader will read the same: the
// fetches that this one starts count as made for the first other one that joins them.
func (r *reader) SetSpeculative() { r.speculative = true }

// setForwarding keeps the first fetch that a piece comes from; c.mu is held.
func (r *reader) setForwarding(f *fetch, stored bool) {
	if r.forwarded == nil && f != nil {
		r.forwarded, r.forwarding = f, media.Forwarding{Stored: stored, Collapsed: f.starter != r}
	}
}

// Bitrate sets the recording's bytes a second, so that a player is kept ahead by
// time and not by size. 0 = unknown.
func (r *reader) Bitrate(bytesPerSecond int64) { r.plan.SetBitrate(bytesPerSecond) }

// Next implements media.Reader.
func (r *reader) Next(ctx context.Context, most int64) (media.Piece, error) {
	r.releasePiece()
	if r.pos >= r.end {
		return media.Piece{}, io.EOF
	}
	for {
		piece, wait, err := r.tryNext(most)
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
			continue
		}
		r.plan.Waited(r.pos)
		select {
		case <-wait:
		case <-ctx.Done():
			return media.Piece{}, media.Fault(media.KindOf(ctx.Err()), "cache: read", ctx.Err())
		case <-r.c.base.Done():
			return media.Piece{}, media.Faultf(media.Unavailable, "cache: read", "the cache is closed")
		}
	}
}

// tryNext returns a piece at the reader's position, or what to wait for, or an
// error. If all three are zero, it has changed something and the caller tries again.
func (r *reader) tryNext(most int64) (media.Piece, <-chan struct{}, error) {
	var s lookUpResult
	r.lookUp(most, &s)
	switch {
	case s.committed.entry != nil:
		return r.openCommitted(&s.committed)
	case s.invalid != nil:
		r.c.invalidate(s.invalid, chunkfile.ErrTorn)
	case s.absent:
		r.startFetch()
	}
	return s.piece, s.wait, s.err
}

// lookUpResult is what was found at a reader's position. One field is not zero.
type lookUpResult struct {
	piece     media.Piece     // bytes of a chunk being fetched
	wait      <-chan struct{} // closed when there may be more
	err       error           // the fetch that the reader waited for has failed
	committed committedPiece
	invalid   *fdEntry // a chunk file of a length that is wrong for the object
	absent    bool     // no fetch brings the byte
}

// scarcePiece bounds a piece of memory that fetches wait for, in bytes: it is held until the viewer
// has taken it, and the next piece may be on the disk.
const scarcePiece = 64 << 10

// lookUp sets a field of s, which is zero. It takes the lock once.
func (r *reader) lookUp(most int64, s *lookUpResult) {
	c := r.c
	index := r.pos / c.chunkSize
	off := r.pos - index*c.chunkSize
	limit := min(most, r.end-r.pos, c.chunkSize-off)
	c.mu.Lock()
	defer c.mu.Unlock()
	if index != r.chunk {
		r.chunk = index
		r.detachPassed()
	}
	o := c.index.objects[r.key]
	r.countAmong(o)
	if id := c.index.find(o, index); id != 0 {
		r.markServed(r.pos + limit)
		r.setForwarding(r.waitsFor, true) // nil unless it was stored while this waited
		r.lookUpCommitted(id, off, limit, s)
		return
	}
	if f := r.waitsFor; f != nil && f.err != nil && r.pos >= f.from && r.pos < f.to {
		s.err = f.err
		return
	}
	var fl *fill
	if o != nil {
		fl = o.filling[index]
	}
	if fl == nil || fl.partAt(off) == nil {
		s.absent = true
		return
	}
	p := fl.partAt(off)
	if !p.fetch.cancelled {
		r.join(p.fetch)
	}
	if p.have > off {
		n := min(limit, p.have-off)
		if c.buffers.hasWaiters() {
			n = min(n, scarcePiece)
		}
		fl.buffer.refs++
		r.buffer = fl.buffer
		r.markServed(r.pos + n)
		r.setForwarding(p.fetch, fl.toBeStored())
		s.piece = media.Piece{Data: fl.buffer.data[off : off+n], Len: n, From: media.SourceOrigin}
		return
	}
	if !p.fetch.cancelled {
		r.waitsFor = p.fetch
	}
	if p.fetch.awaitsBuffer {
		r.detachAllBut(p.fetch)
	}
	s.wait = p.fetch.nextChange()
}

// markServed records that the bytes up to until of each fetch were of use; c.mu is
// held.
func (r *reader) markServed(until int64) {
	for _, f := range r.fetches {
		if r.pos >= f.from && r.pos < f.to {
			f.served = max(f.served, min(until, f.to))
		}
	}
}

// releasePiece releases what the last piece held.
func (r *reader) releasePiece() {
	if r.buffer == nil && r.file == nil {
		return
	}
	r.c.mu.Lock()
	unused := r.unpinPiece()
	r.c.mu.Unlock()
	closeFiles(unused)
}

// unpinPiece is releasePiece while c.mu is held. The caller closes what is returned, without
// the lock.
func (r *reader) unpinPiece() (unused *openFile) {
	if r.buffer != nil {
		r.c.buffers.unref(r.buffer)
		r.buffer = nil
	}
	if r.file != nil {
		unused = r.c.releaseFile(r.file)
		r.file = nil
	}
	return unused
}

// Close implements media.Reader. Fetches without another reader are cancelled. After
// a reader that has read its whole span they have a grace, because the next request
// soon wants the rest of the chunk in which the span ended.
func (r *reader) Close() error {
	var unused *openFile
	defer func() { closeFiles(unused) }() // after the lock is released
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	unused = r.unpinPiece()
	r.countAmong(nil) // before its fetches ask who else is there
	atEnd := r.pos >= r.end
	for _, f := range r.fetches {
		if fl := f.fills[0]; atEnd && fl != nil && !fl.storing {
			r.backfill(fl)
		}
		if atEnd {
			f.startDetachGrace()
		}
		f.detach(r)
	}
	for _, f := range r.backfills {
		if atEnd {
			f.startDetachGrace()
		}
		f.detach(r)
	}
	r.fetches, r.backfills = nil, nil
	r.c.dropPassedWrites()
	return nil
}
