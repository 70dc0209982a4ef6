package archive

import (
	"context"
	"io"

	"golang.org/x/time/rate"
)

// ContextReader is a reader that ends when its context does, and keeps to a rate.
type ContextReader struct {
	Ctx    context.Context
	Reader io.Reader
	Limit  *rate.Limiter // of bytes; nil = unbounded
}

// Read implements io.Reader.
func (r ContextReader) Read(p []byte) (int, error) {
	if err := r.Ctx.Err(); err != nil {
		return 0, err
	}
	if r.Limit == nil {
		return r.Reader.Read(p)
	}
	n, err := r.Reader.Read(p[:min(len(p), r.Limit.Burst())])
	if n > 0 {
		if wait := r.Limit.WaitN(r.Ctx, n); wait != nil {
			return n, wait
		}
	}
	return n, err
}

// NewLimiter makes the limiter of a ContextReader, in bytes per second; nil for 0.
func NewLimiter(bytes int64) *rate.Limiter {
	if bytes <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytes), int(max(min(bytes, 1<<20), 4<<10)))
}
