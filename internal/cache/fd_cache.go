package cache

import (
	"os"

	"github.com/lectiospace/lectern/internal/media"
)

// maxIdle bounds the open descriptors that nobody uses.
const maxIdle = 1024

// fdEntry is a chunk whose file is open or about to be; guarded by Cache.mu. There
// are as many entries as open files, not as chunks.
type fdEntry struct {
	id            chunkID
	key           objectKey
	index, length int64
	pins          int           // readers and verifications that need the chunk
	removed       bool          // no longer in the index: evicted, purged or invalid
	verifying     chan struct{} // closed when the verification in progress has ended; else nil
	file          *openFile     // shared by its readers; nil until it is opened
}

// openFile is the descriptor of a chunk's file. Its readers share it and never move
// its position. One without readers is in the list of idle ones.
type openFile struct {
	file         *os.File
	residency    media.Residency
	entry        *fdEntry
	refs         int       // readers
	older, newer *openFile // in the list of idle ones
}

// fdCache holds the open files; guarded by Cache.mu. Its methods never close a file:
// they return what the caller must close without the lock.
type fdCache struct {
	entries        map[chunkID]*fdEntry
	oldest, newest *openFile // idle ones, by last use
	idle           int
}

// entryOf returns a chunk's entry, a new one if there is none.
func (h *fdCache) entryOf(x *index, id chunkID) *fdEntry {
	e := h.entries[id]
	if e == nil {
		e = &fdEntry{id: id, key: x.objectOf(id).key, index: x.at(id), length: x.length(id)}
		h.entries[id] = e
	}
	return e
}

// dropIfUnused removes an entry without pins and file.
func (h *fdCache) dropIfUnused(e *fdEntry) {
	if e.pins == 0 && e.file == nil && !e.removed {
		delete(h.entries, e.id)
	}
}

// acquire adds a reader to the entry's descriptor; nil when none is open.
func (h *fdCache) acquire(e *fdEntry) *openFile {
	f := e.file
	if f != nil {
		if f.refs == 0 {
			h.unlink(f)
		}
		f.refs++
	}
	return f
}

// share makes a new descriptor the shared one of its entry, unless another reader
// was quicker or the chunk has been removed: then it stays its opener's alone.
func (h *fdCache) share(f *openFile) {
	f.refs = 1
	if f.entry.file == nil && !f.entry.removed {
		f.entry.file = f
	}
}

// release removes a reader from a descriptor. It returns the descriptor to close:
// this one when it is not shared, or the one that has been idle for longest when
// there are too many.
func (h *fdCache) release(f *openFile) (unused *openFile) {
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

// discard separates an entry from its descriptor, and returns the descriptor when
// it has no reader; else its last reader's release returns it.
func (h *fdCache) discard(e *fdEntry) (unused *openFile) {
	f := e.file
	if f == nil {
		return nil
	}
	e.file = nil
	h.dropIfUnused(e)
	if f.refs > 0 {
		return nil
	}
	h.unlink(f)
	return f
}

// unlink takes a descriptor out of the list of idle ones.
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

// remove drops the entry of a chunk that leaves the index, and returns its
// descriptor when it has no reader.
func (h *fdCache) remove(id chunkID) (unused *openFile) {
	e := h.entries[id]
	if e == nil {
		return nil
	}
	e.removed = true
	delete(h.entries, id)
	return h.discard(e)
}

// inUse reports whether a chunk is pinned.
func (h *fdCache) inUse(id chunkID) bool {
	e := h.entries[id]
	return e != nil && e.pins > 0
}

// closeFiles closes those that are not nil; no lock is held.
func closeFiles(files ...*openFile) {
	for _, f := range files {
		if f != nil {
			f.file.Close()
		}
	}
}
