package zoom

import (
	"context"
	"io"

	"golang.org/x/time/rate"
)

// backgroundShare is the share of an account's rate limits that calls in the background
// use, so that the others never wait for them.
const backgroundShare = 2

// minChunk bounds from below what a limited download reads at once, in bytes.
const minChunk = 1 << 10

// backgroundKey is the key of InBackground's value.
type backgroundKey struct{}

// InBackground marks the calls that are made with a context as less urgent than all
// others: together they use half of each account's rate limits. Downloads share the
// limiter of downloads, which counts bytes; nil means that they are not limited.
func InBackground(ctx context.Context, downloads *rate.Limiter) context.Context {
	return context.WithValue(ctx, backgroundKey{}, downloads)
}

// background returns the limiter of downloads, and whether the context is marked.
func background(ctx context.Context) (downloads *rate.Limiter, ok bool) {
	downloads, ok = ctx.Value(backgroundKey{}).(*rate.Limiter)
	return downloads, ok
}

// NewDownloadLimiter makes a limiter of bytes per second for InBackground.
func NewDownloadLimiter(bytesPerSecond int64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(max(minChunk, min(bytesPerSecond/4, 1<<20))))
}

// limitedBody is the body of a download in the background. It reads little at a time, so
// that the wait for the limiter is no silence of the host's.
type limitedBody struct {
	io.ReadCloser
	ctx     context.Context
	limiter *rate.Limiter
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.limiter.Burst())])
	if n > 0 {
		if waitErr := b.limiter.WaitN(b.ctx, n); waitErr != nil {
			return n, network(b.ctx, "zoom: download", waitErr)
		}
	}
	return n, err
}
