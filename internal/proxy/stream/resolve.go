package stream

import (
	"context"
	"errors"
	"io"
	"math"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// resolveAndOpen decides what to send, and opens its first span. When the object
// turns out to have changed, what replaces it may have another size and other
// validators, so the whole decision is made again, once.
func (x *exchange) resolveAndOpen() (decision, error) {
	x.upstream = respond.Origin
	x.startTimeout()
	began := x.h.now()
	defer func() { x.record.Origin = x.h.now().Sub(began) }()
	d, err := x.resolve()
	if media.KindOf(err) == media.Changed {
		d, err = x.resolve()
		if media.KindOf(err) == media.Changed {
			err = media.Fault(media.Unavailable, "proxy: the object keeps changing", err)
		}
	}
	return d, err
}

// resolve resolves the recording's location, evaluates preconditions and ranges, and
// opens the first span where there is one to send.
func (x *exchange) resolve() (decision, error) {
	settle, err := x.stat()
	defer settle()
	if err != nil {
		return decision{}, err
	}
	if x.object.Size < 0 {
		return decision{}, media.Faultf(media.Corrupt, "proxy: stat", "a size of %d", x.object.Size)
	}
	x.object = x.recording.Copy.Identify(x.object)
	x.describe()
	d := decide(x.params.head, x.params.rangeHeader, x.params.conditions, x.valid, x.object.Size)
	if len(d.spans) == 0 {
		return d, nil
	}
	open := x.open
	if x.params.head {
		open = x.readCacheStatus
	}
	err = open(d.spans[0])
	if kind := media.KindOf(err); err != nil && (kind == media.Changed || kind == media.NotFound) && x.h.invalidator != nil {
		x.h.invalidator.Invalidate(x.recording.Location)
	}
	return d, err
}

// describe sets the object's metadata and validators.
func (x *exchange) describe() {
	if r := x.repeat; r != nil && r.object == x.object {
		x.metadata, x.valid = r.metadata, r.valid
		return
	}
	x.repeat = nil // other bytes: the header that is remembered does not describe them
	x.metadata = x.h.metadata.get(x.object, x.recording, x.params.download, x.companion.ContentType)
	x.valid = precondition.ValidatorsOf(x.object, x.metadata.etag, x.h.now())
}

// stat resolves the recording's location. settle, which is never nil, ends a prefetch.
func (x *exchange) stat() (settle func(), err error) {
	settle = func() {}
	err = x.wait(func(ctx context.Context) (err error) {
		if x.h.prefetcher != nil {
			if off, ok := x.predictedOffset(); ok {
				x.object, settle, err = x.h.prefetcher.StatPrefetch(ctx, x.recording.Location, x.recording.Copy, off)
				return err
			}
		}
		x.object, err = x.h.origins.Stat(ctx, x.recording.Location)
		return err
	})
	return settle, err
}

// predictedOffset predicts, before the object's size is known, the first byte of the
// answer; false when there may be none, or it depends on the size.
func (x *exchange) predictedOffset() (off int64, ok bool) {
	if x.params.head || x.params.conditions.IfNoneMatch != "" || x.params.conditions.IfModifiedSince != "" {
		return 0, false
	}
	const unknown = math.MaxInt64
	if spans, result := selectRanges(x.params.rangeHeader, unknown); result == rangeSatisfiable {
		off = spans[0].Off
	}
	return off, off < unknown/2
}

// readCacheStatus opens a span and closes it without reading a byte, so that the
// Cache-Status of HEAD is the one of GET.
func (x *exchange) readCacheStatus(span media.Span) error {
	defer x.closeReader()
	err := x.wait(func(ctx context.Context) (err error) {
		x.reader, err = x.h.store.Open(ctx, x.object, span)
		return err
	})
	if err == nil {
		x.record.Cache = x.reader.Status()
	}
	return err
}

// open opens a span and awaits its first piece, so that an origin's error can still
// become a status.
func (x *exchange) open(span media.Span) error {
	err := x.wait(func(ctx context.Context) (err error) {
		x.reader, err = x.h.store.Open(ctx, x.object, span)
		return err
	})
	if err != nil {
		return err
	}
	setBitrate(x.reader, x.object.Size, x.recording.Duration)
	if x.firstPiece, err = x.nextPiece(span.Len, maxPiece); err != nil {
		x.closeReader()
		return err
	}
	return nil
}

// nextPiece awaits the reader's next piece, of at most most bytes, when left bytes are
// still missing. A reader that ends early or gives too much is corrupt.
func (x *exchange) nextPiece(left, most int64) (media.Piece, error) {
	var p media.Piece
	err := x.wait(func(ctx context.Context) (err error) {
		p, err = x.reader.Next(ctx, min(left, most))
		return err
	})
	switch {
	case errors.Is(err, io.EOF):
		return p, media.Faultf(media.Corrupt, "proxy: read", "the bytes end %d early", left)
	case err != nil:
		return p, err
	case p.Len <= 0 || p.Len > left || p.File == nil && int64(len(p.Data)) < p.Len:
		return p, media.Faultf(media.Corrupt, "proxy: read", "a piece of %d bytes where %d are missing", p.Len, left)
	}
	return p, nil
}
