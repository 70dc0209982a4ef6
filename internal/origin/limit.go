package origin

import (
	"context"
	"io"
	"sync"

	"github.com/lectiospace/lectern/internal/media"
)

// Limit lets at most n reads run at a time. The others wait for a slot or for the end
// of their context. A read's slot is free again when its body is closed.
func Limit(next Origin, n int) Origin {
	return wrapped{next, limiter{next, make(chan struct{}, n)}}
}

type limiter struct {
	next  Opener
	slots chan struct{}
}

func (l limiter) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, media.Fault(media.KindOf(ctx.Err()), "origin: wait for a slot", ctx.Err())
	}
	body, err := l.next.Open(ctx, obj, span)
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedBody{ReadCloser: body, slots: l.slots}, nil
}

type limitedBody struct {
	io.ReadCloser
	slots chan struct{}
	once  sync.Once
}

func (b *limitedBody) Close() error {
	defer b.once.Do(func() { <-b.slots })
	return b.ReadCloser.Close()
}
