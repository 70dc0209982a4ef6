package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

// maxMoov bounds the index that Warm fetches, in bytes: three hours at 60 frames a
// second need about ten MiB.
const maxMoov = 16 << 20

// warmHead is how many bytes of a file's head a player may read before it seeks.
const warmHead = 1 << 20

// boxesWithin is how many bytes of a file's head are searched for the boxes before
// its index or its media data.
const boxesWithin = 64 << 10

// Warm fetches what players read of an object before they show a first frame: its
// first chunk, the index ("moov") where the file's boxes say it is, or else the tail,
// and its last chunk. It returns once that has been read, or the origin's error, or
// an error of kind Canceled or Timeout when ctx ends.
func (c *Cache) Warm(ctx context.Context, obj media.Object) error {
	if obj.Size == 0 {
		return nil
	}
	head, err := c.fetchSpan(ctx, obj, media.Span{Len: min(max(warmHead, c.chunkSize), obj.Size)}, boxesWithin, nil)
	if err != nil {
		return err
	}
	index := media.Span{Off: max(0, obj.Size-edge), Len: min(edge, obj.Size)}
	if at, known := indexOf(head, obj.Size); known {
		index = at
	}
	last := (obj.Size - 1) / c.chunkSize
	for _, span := range []media.Span{index, {Off: last * c.chunkSize, Len: c.chunkLength(last, obj.Size)}} {
		if _, err := c.fetchSpan(ctx, obj, span, 0, nil); err != nil {
			return err
		}
	}
	return nil
}

// WarmFirstFrame fetches what every player reads before it shows a first frame: the object's
// first chunk, and beside it the index, where the file's boxes say that it lies behind the
// media data. It returns as Warm does.
func (c *Cache) WarmFirstFrame(ctx context.Context, obj media.Object) error {
	if obj.Size == 0 {
		return nil
	}
	head := media.Span{Len: min(max(warmHead, c.chunkSize), obj.Size)}
	var index chan error // nil: none is being fetched
	_, err := c.fetchSpan(ctx, obj, head, min(boxesWithin, head.Len), func(boxes []byte) {
		at, known := indexOf(boxes, obj.Size)
		if !known || at.Off < head.End() {
			return
		}
		index = make(chan error, 1)
		go func() {
			_, err := c.fetchSpan(ctx, obj, at, 0, nil)
			index <- err
		}()
	})
	if index != nil {
		err = errors.Join(err, <-index)
	}
	return err
}

// fetchSpan reads a span through the cache and returns its first keep bytes, or all of
// a shorter one. known, where it is not nil, is called with them as soon as they are there.
func (c *Cache) fetchSpan(ctx context.Context, obj media.Object, span media.Span, keep int64, known func([]byte)) ([]byte, error) {
	r, err := c.open(obj, span)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.keep = true
	var kept []byte
	for {
		p, err := r.Next(ctx, 1<<20)
		if errors.Is(err, io.EOF) {
			return kept, nil
		}
		if err != nil {
			return nil, err
		}
		want := min(keep-int64(len(kept)), p.Len)
		if want <= 0 {
			continue
		}
		part := p.Data
		if p.File != nil {
			part = make([]byte, want)
			if _, err := p.File.ReadAt(part, p.Off); err != nil {
				return nil, media.Fault(media.Unavailable, "cache: warm", err)
			}
		}
		kept = append(kept, part[:want]...)
		if known != nil && int64(len(kept)) == keep {
			known(kept)
		}
	}
}

// indexOf walks the boxes of a file's head (ISO/IEC 14496-12 section 4.2) to its index,
// the "moov" box. ok is true when head contains the start of that box, or of the
// media data ("mdat"), which the index then follows.
func indexOf(head []byte, size int64) (media.Span, bool) {
	for at := int64(0); at+16 <= int64(len(head)); {
		length := int64(binary.BigEndian.Uint32(head[at:]))
		kind := string(head[at+4 : at+8])
		switch length {
		case 0: // to the end of the file
			length = size - at
		case 1:
			long := binary.BigEndian.Uint64(head[at+8:])
			if long > uint64(size) {
				return media.Span{}, false
			}
			length = int64(long)
		}
		if length < 8 || length > size-at {
			return media.Span{}, false
		}
		switch kind {
		case "moov":
			return media.Span{Off: at, Len: min(length, maxMoov)}, true
		case "mdat":
			if at += length; at == size {
				return media.Span{}, false
			}
			return media.Span{Off: at, Len: min(size-at, maxMoov)}, true
		}
		at += length
	}
	return media.Span{}, false
}
