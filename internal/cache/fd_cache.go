package cache

import (
	"errors"
	"log/slog"
	"os"

	"github.com/lectiospace/lectern/internal/media"
)

// maxIdle bounds the open descriptors that nobody uses.
const maxIdle = 1024

// handle is a chunk whose file is open, or in somebody's hands; guarded by
// Cache.mu. There are as many as there are open files, not as there are chunks.
type fdEntry struct {
	id            chunkID
	key           objectKey
	index, length int64
	pins          int  // readers that hold a descriptor
	removed       bool // evicted or corrupt: no longer in the index
	// checking is closed when a comparison under way has ended.
	checking chan struct{}
	file     *openFile // the one that readers share; nil until it is wanted
}

// openFile is a descriptor of a chunk's file, shared by all who read it at a time,
// none of whom moves its position. One that nobody uses is in the ring of idle ones.
type openFile struct {
	file         *os.File
	entry        *fdEntry
	refs         int       // readers that hold it
	older, newer *openFile // in the ring
}

// handles are the open files; guarded by Cache.mu.
type fdCache struct {
	entries        map[chunkID]*fdEntry
	oldest, newest *openFile
	idle           int
}

// of finds or makes a chunk's handle.
func (h *fdCache) entryOf(x *index, id chunkID) *fdEntry {
	g := h.entries[id]
	if g == nil {
		g = &fdEntry{id: id, key: x.objectOf(id).key, index: x.at(id), length: x.length(id)}
		h.entries[id] = g
	}
	return g
}

// settle forgets a handle that nobody needs.
func (h *fdCache) dropIfUnused(g *fdEntry) {
	if g.pins == 0 && g.file == nil && !g.removed {
		delete(h.entries, g.id)
	}
}

// take gives the chunk's descriptor, or nil when none is open.
func (h *fdCache) acquire(g *fdEntry) *openFile {
	f := g.file
	if f != nil {
		if f.refs == 0 {
			h.unlink(f)
		}
		f.refs++
	}
	return f
}

// opened makes a descriptor that its opener uses the one that all share, unless
// another was quicker or the chunk has gone: then it is the opener's alone.
func (h *fdCache) share(f *openFile) {
	f.refs = 1
	if f.entry.file == nil && !f.entry.removed {
		f.entry.file = f
	}
}

// put takes a descriptor back. What comes out must be closed: this one, when it
// was not shared or its chunk has gone, or the one that has not been used for
// longest, when there are too many.
func (h *fdCache) release(f *openFile) (spare *openFile) {
	if f.refs--; f.refs > 0 {
		return nil
	}
	if f.entry.file != f {
		return f
	}
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
	return h.discard(h.oldest.entry)
}

// discard parts a handle from its descriptor, which is returned, to be closed,
// when nobody uses it; else its last user will close it.
func (h *fdCache) discard(g *fdEntry) *openFile {
	f := g.file
	if f == nil {
		return nil
	}
	g.file = nil
	h.dropIfUnused(g)
	if f.refs > 0 {
		return nil
	}
	h.unlink(f)
	return f
}

func (h *fdCache) unlink(f *openFile) {
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
	f.older, f.newer = nil, nil
	h.idle--
}

// drop tells that a chunk has left the index. Its descriptor is returned, to be
// closed, when nobody uses it.
func (h *fdCache) remove(id chunkID) *openFile {
	g := h.entries[id]
	if g == nil {
		return nil
	}
	g.removed = true
	delete(h.entries, id)
	return h.discard(g)
}

// held tells whether somebody has the chunk's file in hand.
func (h *fdCache) inUse(id chunkID) bool {
	g := h.entries[id]
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
	g := c.fds.entryOf(&c.index, id)
	if g.length != c.chunkLength(g.index, r.obj.Size) {
		c.mu.Unlock()
		c.invalidate(g, errTorn)
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
	f := c.fds.acquire(g)
	from := r.source(g.index)
	if g.index != r.lastHit {
		// One reader's way through a chunk is one use, and none when the reader's
		// own flight brought it: else a downloader would look like a class.
		r.lastHit = g.index
		if from == media.SourceCache {
			c.policy.Touch(id)
		}
		c.metrics.event(eventHit)
	}
	c.mu.Unlock()

	var err error
	if f == nil {
		f = &openFile{entry: g}
		if f.file, err = os.Open(g.key.path(c.cfg.Dir, g.index)); err == nil {
			c.mu.Lock()
			c.fds.share(f)
			c.mu.Unlock()
		}
	}
	if err == nil && !known {
		err = verifyBlocks(f.file, identity(r.obj, c.chunkSize), g.index, g.length, c.chunkSize, need)
	}
	if !known || err != nil {
		c.mu.Lock()
		if !known {
			close(g.checking)
			g.checking = nil
			if err == nil && !g.removed {
				*c.index.verified(id) |= need
			}
		}
		c.mu.Unlock()
	}
	if err != nil {
		c.mu.Lock()
		g.pins--
		var spare *openFile
		if f.file != nil {
			spare = c.fds.release(f)
		}
		c.mu.Unlock()
		closeFiles(spare)
		c.invalidate(g, err)
		return media.Piece{}, nil, nil // absent now: look again
	}
	r.file = f
	return media.Piece{File: f.file, Off: headerSize + off, Len: limit, From: from}, nil, nil
}

// source says where a committed chunk's bytes came from, for this reader.
func (r *reader) source(index int64) media.Source {
	if index >= r.fetched.first && index < r.fetched.end {
		return media.SourceOrigin
	}
	return media.SourceCache
}

// distrust takes a chunk that cannot be read, or is not what it should be, out
// of the cache: it is a miss, and it is fetched again.
func (c *Cache) invalidate(g *fdEntry, err error) {
	c.removeChunk(g, eventCorrupt)
	if !errors.Is(err, errTorn) && !errors.Is(err, os.ErrNotExist) {
		c.diskFault("read", err)
		return
	}
	c.log.Warn("a cached chunk was thrown away", slog.Int64("chunk", g.index), slog.Any("error", err))
}

// giveBack returns the descriptor a reader held; c.mu is held. What comes out
// must be closed by the caller, without the lock.
func (c *Cache) releaseFile(f *openFile) (spare *openFile) {
	f.entry.pins--
	spare = c.fds.release(f)
	if c.closed && spare == nil && f.refs == 0 {
		return c.fds.discard(f.entry)
	}
	return spare
}
