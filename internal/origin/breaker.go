package origin

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// quotaCooldown is how long reads of an object whose quota is used up fail at once when
// the origin sends no Retry-After. A quota lasts for hours, but an operator who has
// raised it should not wait for long either.
const quotaCooldown = 5 * time.Minute

// maxBreakerEntries bounds the table. Beyond it the table is cleared, which costs one
// request for each object.
const maxBreakerEntries = 10_000

// Breaker fails reads of an object fast while its quota is known to be used up.
func Breaker(next Origin) Origin {
	return wrapped{next, &breaker{next: next, open: map[media.Location]tripped{}}}
}

type tripped struct {
	until time.Time
	err   error
}

type breaker struct {
	next Opener
	mu   sync.Mutex
	open map[media.Location]tripped // guarded by mu
}

func (b *breaker) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	probe, err := b.refusal(obj.Location())
	if err != nil {
		return nil, err
	}
	if probe {
		ctx = withProbe(ctx)
	}
	body, err := b.next.Open(ctx, obj, span)
	if media.KindOf(err) == media.Quota {
		b.trip(obj.Location(), err)
	}
	return body, err
}

// refusal is why a read fails at once, or nil. The first read after the cool-down is a
// probe: it shows whether the quota is back.
func (b *breaker) refusal(loc media.Location) (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.open[loc]
	if !ok {
		return false, nil
	}
	left := time.Until(t.until)
	if left <= 0 {
		delete(b.open, loc)
		return true, nil
	}
	return false, &media.Error{Kind: media.Quota, Op: "origin: breaker", RetryAfter: left, Err: t.err}
}

func (b *breaker) trip(loc media.Location, err error) {
	rest := media.RetryAfterOf(err)
	if rest <= 0 {
		rest = quotaCooldown
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.open) >= maxBreakerEntries {
		clear(b.open)
	}
	b.open[loc] = tripped{time.Now().Add(rest), err}
}

type probeKey struct{}

// withProbe marks the requests of a context as a probe, which must stay one request.
func withProbe(ctx context.Context) context.Context {
	return context.WithValue(ctx, probeKey{}, true)
}

func isProbe(ctx context.Context) bool { return ctx.Value(probeKey{}) != nil }
