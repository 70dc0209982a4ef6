package cache

import (
	"errors"
	"log/slog"
	"os"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/media"
)

// unverifiedPiece is how many bytes of a chunk are verified at a time before they
// are first handed out: a first byte after a restart does not wait for the checksums
// of the whole chunk.
const unverifiedPiece = 256 << 10

// committedPiece is a part of a committed chunk that a reader is about to return. The
// chunk is pinned.
type committedPiece struct {
	entry      *fdEntry
	file       *openFile        // nil when the file has to be opened
	off, limit int64            // within the chunk's data
	unverified chunkfile.Blocks // that must be verified first; entry.verifying is this reader's
	from       media.Source
}

// lookUpCommitted pins a committed chunk, or sets what to wait for; c.mu is held.
func (r *reader) lookUpCommitted(id chunkID, off, limit int64, s *lookUpResult) {
	c := r.c
	e := c.fds.entryOf(&c.index, id)
	if e.length != c.chunkLength(e.index, r.obj.Size) {
		s.invalid = e
		return
	}
	p := &s.committed
	if need := chunkfile.BlocksOf(c.chunkSize, off, limit); need&^*c.index.verified(id) != 0 {
		if e.verifying != nil {
			s.wait = e.verifying
			return
		}
		e.verifying = make(chan struct{})
		limit = min(limit, unverifiedPiece)
		p.unverified = chunkfile.BlocksOf(c.chunkSize, off, limit)
	}
	e.pins++
	p.entry, p.off, p.limit, p.file, p.from = e, off, limit, c.fds.acquire(e), r.source(e.index)
	if e.index != r.lastHit {
		// A reader's pass through a chunk is one use, and none when the reader's own
		// fetch brought it: else one download would look like many viewers.
		r.lastHit = e.index
		if p.from == media.SourceCache {
			c.policy.Touch(id)
		}
		c.metrics.event(eventHit)
	}
}

// openCommitted opens and verifies what lookUpCommitted has pinned. A chunk that
// cannot be read is invalidated, and all results are zero: the caller tries again.
// c.mu is not held.
func (r *reader) openCommitted(p *committedPiece) (media.Piece, <-chan struct{}, error) {
	c, e := r.c, p.entry
	err := c.openPinned(p)
	if err == nil && p.unverified != 0 {
		chunk := chunkfile.Chunk{Index: e.index, Length: e.length, Size: c.chunkSize}
		want := identity(r.obj, c.chunkSize)
		err = verifyChunk(chunk, p.file.file, func(found string) bool { return found == want }, p.unverified)
	}
	if p.unverified != 0 {
		c.endVerifying(p, err == nil)
	}
	if err != nil {
		c.unpinFailed(p)
		c.invalidate(e, err)
		return media.Piece{}, nil, nil
	}
	r.file = p.file
	return media.Piece{File: p.file.file, Residency: &p.file.residency, Off: chunkfile.HeaderSize + p.off, Len: p.limit, From: p.from}, nil, nil
}

// openPinned opens the file unless the fd cache had it.
func (c *Cache) openPinned(p *committedPiece) error {
	if p.file != nil {
		return nil
	}
	file, err := openChunk(c.disk, p.entry.key.path(c.cfg.Dir, p.entry.index))
	if err != nil {
		return err
	}
	p.file = &openFile{entry: p.entry, file: file}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fds.share(p.file)
	return nil
}

func (c *Cache) endVerifying(p *committedPiece, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(p.entry.verifying)
	p.entry.verifying = nil
	if ok && !p.entry.removed {
		*c.index.verified(p.entry.id) |= p.unverified
	}
}

func (c *Cache) unpinFailed(p *committedPiece) {
	var unused *openFile
	c.mu.Lock()
	p.entry.pins--
	if p.file != nil {
		unused = c.fds.release(p.file)
	}
	c.mu.Unlock()
	closeFiles(unused)
}

// source is where a committed chunk's bytes came from, for this reader.
func (r *reader) source(index int64) media.Source {
	if index >= r.fetched.first && index < r.fetched.end {
		return media.SourceOrigin
	}
	return media.SourceCache
}

// invalidate removes a chunk that cannot be read or failed its checksums: it is a
// miss, and is fetched again. c.mu is not held.
func (c *Cache) invalidate(e *fdEntry, err error) {
	c.removeChunk(e, eventCorrupt)
	if !errors.Is(err, chunkfile.ErrTorn) && !errors.Is(err, os.ErrNotExist) {
		c.diskFault("read", err)
		return
	}
	c.log.Warn("cache: chunk invalidated", slog.Int64("chunk", e.index), slog.Any("error", err))
}

// InvalidatePiece removes the chunk of the reader's last piece, whose file could not be sent:
// it is a miss from now on. why is the reason; an error of the disk's is one of its health
// too. The goroutine that calls Next calls it. A piece that was in memory changes nothing.
func (r *reader) InvalidatePiece(why error) {
	if r.file == nil {
		return
	}
	if media.KindOf(why) == media.Corrupt {
		why = chunkfile.ErrTorn // shorter than it was: damaged, and not the disk's fault
	}
	r.c.invalidate(r.file.entry, why)
}

// releaseFile unpins the chunk of a reader's descriptor; c.mu is held. The caller
// closes what is returned, without the lock.
func (c *Cache) releaseFile(f *openFile) (unused *openFile) {
	f.entry.pins--
	unused = c.fds.release(f)
	if c.closed && unused == nil && f.refs == 0 {
		return c.fds.discard(f.entry)
	}
	return unused
}
