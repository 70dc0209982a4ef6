package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

// maxIndexBox bounds the index of a file that is fetched ahead: three hours at 60
// frames a second need about ten MiB.
const maxIndexBox = 16 << 20

// warmHead is what a player may read of a file's beginning before it decides where
// to go on.
const warmHead = 1 << 20

// boxesWithin is how far into a file the boxes before its index or its media data
// are looked for.
const boxesWithin = 64 << 10

// Warm fetches what players ask of an object before they show a first frame: its
// first chunk, the index ("moov") where the file says it is, or else the tail, and
// its last chunk. It comes back when that is in the cache, or an error has come, or
// ctx has ended.
func (c *Cache) Warm(ctx context.Context, obj media.Object) error {
	if obj.Size == 0 {
		return nil
	}
	head, err := c.fetchSpan(ctx, obj, media.Span{Len: min(max(warmHead, c.chunkSize), obj.Size)}, boxesWithin)
	if err != nil {
		return err
	}
	index := media.Span{Off: max(0, obj.Size-edge), Len: min(edge, obj.Size)}
	if at, known := indexOf(head, obj.Size); known {
		index = at
	}
	last := (obj.Size - 1) / c.chunkSize
	for _, span := range []media.Span{index, {Off: last * c.chunkSize, Len: c.chunkLength(last, obj.Size)}} {
		if _, err := c.fetchSpan(ctx, obj, span, 0); err != nil {
			return err
		}
	}
	return nil
}

// fetchSpan brings a span into the cache and returns its first keep bytes, or all
// of a shorter one.
func (c *Cache) fetchSpan(ctx context.Context, obj media.Object, span media.Span, keep int64) ([]byte, error) {
	r, err := c.open(obj, span)
	if err != nil {
		return nil, err
	}
	defer r.Close()
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
	}
}

// indexOf goes through the boxes at a file's beginning (ISO/IEC 14496-12 section
// 4.2) to its index, the "moov" box. It knows where that is when the boxes before
// it lie in head, or when the media data does, behind which it then is.
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
			return media.Span{Off: at, Len: min(length, maxIndexBox)}, true
		case "mdat":
			if at += length; at == size {
				return media.Span{}, false
			}
			return media.Span{Off: at, Len: min(size-at, maxIndexBox)}, true
		}
		at += length
	}
	return media.Span{}, false
}
