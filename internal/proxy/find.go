package proxy

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// find learns which object lies at the recording's place, decides the status,
// and opens the first span where there is one to send.
func (x *exchange) resolveOnce() (decision, error) {
	loc := x.recording.Location
	settle := func() {}
	defer func() { settle() }()
	err := x.wait(func(ctx context.Context) (err error) {
		if b, ok := x.s.origins.(StatPrefetcher); ok {
			if off, ok := x.predictedOffset(); ok {
				x.object, settle, err = b.StatPrefetch(ctx, loc, off)
				return err
			}
		}
		x.object, err = x.s.origins.Stat(ctx, loc)
		return err
	})
	if err != nil {
		return decision{}, err
	}
	if x.object.Size < 0 {
		return decision{}, media.Faultf(media.Corrupt, "proxy: stat", "a size of %d", x.object.Size)
	}
	x.metadata = x.s.labels.get(x.object, x.recording, x.params.download)
	x.valid = ValidatorsOf(x.object, x.metadata.etag, x.s.now())
	verdict := decide(x.params.head, x.params.rangeHeader, x.params.conditions, x.valid, x.object.Size)
	if len(verdict.spans) == 0 {
		return verdict, nil
	}
	open := x.open
	if x.params.head {
		open = x.readCacheStatus
	}
	err = open(verdict.spans[0])
	if kind := media.KindOf(err); err != nil && (kind == media.Changed || kind == media.NotFound) {
		if f, ok := x.s.origins.(Invalidator); ok {
			f.Invalidate(loc)
		}
	}
	return verdict, err
}

// look learns how a span stands without taking a byte of it, so that HEAD tells
// what GET would.
func (x *exchange) readCacheStatus(span media.Span) error {
	defer x.closeReader()
	err := x.wait(func(ctx context.Context) (err error) {
		x.reader, err = x.s.store.Open(ctx, x.object, span)
		return err
	})
	if err == nil {
		x.record.Cache = x.reader.Status()
	}
	return err
}

// likelyStart guesses, before the object's size is known, which byte the answer
// begins with; false when there may be none, or it depends on the size.
func (x *exchange) predictedOffset() (off int64, ok bool) {
	if x.params.head || x.params.conditions.IfNoneMatch != "" || x.params.conditions.IfModifiedSince != "" {
		return 0, false
	}
	const unknown = math.MaxInt64
	if spans, verdict := selectRanges(x.params.rangeHeader, unknown); verdict == rangeSatisfiable {
		off = spans[0].Off
	}
	return off, off < unknown/2
}

// open opens a span and waits for its first piece, so that an origin's refusal
// can still become a status.
func (x *exchange) open(span media.Span) error {
	err := x.wait(func(ctx context.Context) (err error) {
		x.reader, err = x.s.store.Open(ctx, x.object, span)
		return err
	})
	if err != nil {
		return err
	}
	if r, ok := x.reader.(BitrateSetter); ok && x.recording.Duration >= time.Second {
		r.Bitrate(x.object.Size / int64(x.recording.Duration/time.Second))
	}
	if x.firstPiece, err = x.nextPiece(span.Len, maxPiece); err != nil {
		x.closeReader()
		return err
	}
	return nil
}

// next waits for the reader's next piece, of at most most bytes, when left are
// still missing. A reader that ends early or gives too much is not believed.
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
