package origin

import (
	"context"
	"io"
	"sync"

	"github.com/lectiospace/lectern/internal/media"
)

// slots bound how many reads run at a time. Safe for concurrent use.
type slots chan struct{}

func newSlots(n int) slots { return make(slots, n) }

// acquire waits for a slot or for the end of ctx.
func (s slots) acquire(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return media.Fault(media.KindOf(ctx.Err()), "origin: wait for a slot", ctx.Err())
	}
}

// tryAcquire takes a slot if one is free.
func (s slots) tryAcquire() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) release() { <-s }

// Limit lets at most n reads run at a time. The others wait for a slot or for the end
// of their context. A read's slot is free again when its body is closed.
func Limit(next Origin, n int) Origin { return limit(next, newSlots(n)) }

func limit(next Origin, s slots) Origin { return wrapped{next, limiter{next, s}} }

type limiter struct {
	next  Opener
	slots slots
}

func (l limiter) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	if err := l.slots.acquire(ctx); err != nil {
		return nil, err
	}
	body, err := l.next.Open(ctx, obj, span)
	if err != nil {
		l.slots.release()
		return nil, err
	}
	return &limitedBody{ReadCloser: body, slots: l.slots}, nil
}

type limitedBody struct {
	io.ReadCloser
	slots slots
	once  sync.Once
}

func (b *limitedBody) Close() error {
	defer b.once.Do(b.slots.release)
	return b.ReadCloser.Close()
}
