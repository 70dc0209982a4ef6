package cache

import (
	"errors"
	"log/slog"
	"os"

	"github.com/lectiospace/lectern/internal/media"
)

// maxIdle bounds the open descriptors that nobody uses.
const maxIdle = 512

// handle is a chunk whose file is open, or in somebody's hands; guarded by
// Cache.mu. There are as many as there are open files, not as there are chunks.
type handle struct {
	id            chunkID
	key           objectKey
	index, length int64
	pins          int  // readers that hold a descriptor
	gone          bool // evicted or corrupt: no longer in the index
	// checking is closed when a comparison under way has ended.
	checking chan struct{}
	idle     *openFile
}

// openFile is a descriptor of a chunk's file. One that nobody uses is in its
// handle's list and in the cache's ring of idle ones.
type openFile struct {
	file         *os.File
	of           *handle
	next         *openFile // in the handle's list
	older, newer *openFile // in the ring
}

// handles are the open files; guarded by Cache.mu.
type handles struct {
	by             map[chunkID]*handle
	oldest, newest *openFile
	idle           int
}

// of finds or makes a chunk's handle.
func (h *handles) of(x *index, id chunkID) *handle {
	g := h.by[id]
	if g == nil {
		g = &handle{id: id, key: x.objectOf(id).key, index: x.at(id), length: x.length(id)}
		h.by[id] = g
	}
	return g
}

// settle forgets a handle that nobody needs.
func (h *handles) settle(g *handle) {
	if g.pins == 0 && g.idle == nil && !g.gone {
		delete(h.by, g.id)
	}
}

// take gives an idle descriptor of the chunk, or nil.
func (h *handles) take(g *handle) *openFile {
	f := g.idle
	if f != nil {
		g.idle = f.next
		h.unlink(f)
	}
	return f
}

// put keeps a descriptor for the next reader. When there are too many, the one
// that has not been used for longest is returned, to be closed.
func (h *handles) put(f *openFile) (spare *openFile) {
	g := f.of
	f.next, g.idle = g.idle, f
	f.older, f.newer = h.newest, nil
	if h.newest != nil {
		h.newest.newer = f
	} else {
		h.oldest = f
	}
	h.newest = f
	h.idle++
	if h.idle <= maxIdle {
		return nil
	}
	spare = h.oldest
	h.discard(spare)
	return spare
}

// discard takes an idle descriptor out.
func (h *handles) discard(f *openFile) {
	for p := &f.of.idle; *p != nil; p = &(*p).next {
		if *p == f {
			*p = f.next
			break
		}
	}
	h.unlink(f)
	h.settle(f.of)
}

func (h *handles) unlink(f *openFile) {
	if f.older != nil {
		f.older.newer = f.newer
	} else {
		h.oldest = f.newer
	}
	if f.newer != nil {
		f.newer.older = f.older
	} else {
		h.newest = f.older
	}
	f.next, f.older, f.newer = nil, nil, nil
	h.idle--
}

// drop tells that a chunk has left the index. Its idle descriptors are returned,
// to be closed.
func (h *handles) drop(id chunkID) (files []*openFile) {
	g := h.by[id]
	if g == nil {
		return nil
	}
	for f := h.take(g); f != nil; f = h.take(g) {
		files = append(files, f)
	}
	g.gone = true
	delete(h.by, id)
	return files
}

// held tells whether somebody has the chunk's file in hand.
func (h *handles) held(id chunkID) bool {
	g := h.by[id]
	return g != nil && g.pins > 0
}

// unverifiedPiece is how much of a chunk is compared at a time before it is
// handed out for the first time: a first byte after a restart does not wait for
// the whole chunk.
const unverifiedPiece = 256 << 10

// lookCommitted hands out a part of a chunk file. c.mu is held on the way in and
// not on the way out.
func (r *reader) lookCommitted(id chunkID, off, limit int64) (media.Piece, <-chan struct{}, error) {
	c := r.c
	g := c.handles.of(&c.index, id)
	if g.length != c.chunkLength(g.index, r.obj.Size) {
		c.mu.Unlock()
		r.distrust(g, errTorn)
		return media.Piece{}, nil, nil // absent now: look again
	}
	need := blocksOf(c.chunkSize, off, limit)
	known := need&^*c.index.verified(id) == 0
	if !known {
		if g.checking != nil {
			wait := g.checking
			c.mu.Unlock()
			return media.Piece{}, wait, nil
		}
		g.checking = make(chan struct{})
		limit = min(limit, unverifiedPiece)
		need = blocksOf(c.chunkSize, off, limit)
	}
	g.pins++
	f := c.handles.take(g)
	from := r.source(g.index)
	if g.index != r.touched {
		// One reader's way through a chunk is one use, and none when the reader's
		// own flight brought it: else a downloader would look like a class.
		r.touched = g.index
		if from == media.SourceCache {
			c.policy.Touch(id)
		}
		c.metrics.event(eventHit)
	}
	c.mu.Unlock()

	var err error
	if f == nil {
		f = &openFile{of: g}
		f.file, err = os.Open(g.key.path(c.cfg.Dir, g.index))
	}
	if err == nil && !known {
		err = verifyBlocks(f.file, identity(r.obj, c.chunkSize), g.index, g.length, c.chunkSize, need)
	}
	if !known || err != nil {
		c.mu.Lock()
		if !known {
			close(g.checking)
			g.checking = nil
			if err == nil && !g.gone {
				*c.index.verified(id) |= need
			}
		}
		if err != nil {
			g.pins--
		}
		c.mu.Unlock()
	}
	if err != nil {
		if f.file != nil {
			f.file.Close()
		}
		r.distrust(g, err)
		return media.Piece{}, nil, nil // absent now: look again
	}
	r.held = f
	return media.Piece{File: f.file, Off: headerSize + off, Len: limit, From: from}, nil, nil
}

// source says where a committed chunk's bytes came from, for this reader.
func (r *reader) source(index int64) media.Source {
	if index >= r.flown.first && index < r.flown.end {
		return media.SourceOrigin
	}
	return media.SourceCache
}

// distrust takes a chunk that cannot be read, or is not what it should be, out
// of the cache: it is a miss, and it is fetched again.
func (r *reader) distrust(g *handle, err error) { r.c.distrust(g, err) }

func (c *Cache) distrust(g *handle, err error) {
	c.erase(g, eventCorrupt)
	if !errors.Is(err, errTorn) && !errors.Is(err, os.ErrNotExist) {
		c.diskFault("read", err)
		return
	}
	c.log.Warn("a cached chunk was thrown away", slog.Int64("chunk", g.index), slog.Any("error", err))
}

// giveBack returns the descriptor a reader held; c.mu is held. What comes out
// must be closed by the caller, without the lock.
func (c *Cache) giveBack(f *openFile) (spare *openFile) {
	g := f.of
	g.pins--
	if g.gone || c.closed {
		c.handles.settle(g)
		return f
	}
	return c.handles.put(f)
}
