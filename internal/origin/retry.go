package origin

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Waits between attempts double from retryBase up to retryMax, so that a viewer who
// waits for a first byte learns within seconds that it fails.
const (
	retryBase = 200 * time.Millisecond
	retryMax  = 2 * time.Second
	// refillBytes is how much a read must deliver before its attempts are counted anew.
	// A connection that breaks after every few bytes therefore ends the read instead of
	// costing one request for each of them.
	refillBytes = 256 << 10
)

// Retry repeats what fails with a passing Kind. A Stat makes at most tries attempts. A
// read has one budget of tries attempts for opening and for its body together; the
// budget is refilled only by refillBytes delivered since the last attempt that counted,
// so a read of n bytes makes at most tries*(1+n/refillBytes) attempts, and tries while
// nothing comes. A body that breaks is continued at its next byte, of the same version,
// without its reader noticing.
func Retry(next Origin, tries int) Origin {
	r := &retrier{next: next, tries: tries}
	return wrapped{r, r}
}

type retrier struct {
	next  Origin
	tries int
}

func (r *retrier) Stat(ctx context.Context, loc media.Location) (obj media.Object, err error) {
	for failed := 0; ; {
		if obj, err = r.next.Stat(ctx, loc); err == nil {
			return obj, nil
		}
		if failed++; !r.again(ctx, failed, err) {
			return obj, err
		}
	}
}

func (r *retrier) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	b := &retriedBody{r: r, ctx: ctx, obj: obj, remaining: span}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

// again waits for the next attempt after failed attempts, the last of which ended with
// err. It reports false where there is none: the fault does not pass, the budget is
// used up, or ctx has ended.
func (r *retrier) again(ctx context.Context, failed int, err error) bool {
	return failed < r.tries && media.KindOf(err).Passing() && ctx.Err() == nil && pause(ctx, failed, media.RetryAfterOf(err)) == nil
}

// pause waits before attempt n+1. asked is the origin's Retry-After.
func pause(ctx context.Context, n int, asked time.Duration) error {
	wait := min(retryMax, retryBase<<min(n-1, 10))
	wait = wait/2 + rand.N(wait/2+1) // jitter: clients that failed together do not come back together
	if asked > retryMax {
		return errors.New("Retry-After is longer than a viewer waits")
	}
	timer := time.NewTimer(max(wait, asked))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// retriedBody is one read. It is used by one goroutine at a time.
type retriedBody struct {
	r         *retrier
	ctx       context.Context
	obj       media.Object
	remaining media.Span
	body      io.ReadCloser // nil between attempts
	failed    int           // attempts used of the budget
	delivered int64         // bytes since the budget was last refilled or drawn on
	err       error         // final
}

// open makes attempts until one has a body or the budget is used up.
func (b *retriedBody) open() (err error) {
	for {
		if b.body, err = b.r.next.Open(b.ctx, b.obj, b.remaining); err == nil {
			return nil
		}
		b.body = nil
		if b.failed++; !b.r.again(b.ctx, b.failed, err) {
			return err
		}
	}
}

func (b *retriedBody) Read(p []byte) (int, error) {
	for {
		if b.err != nil {
			return 0, b.err
		}
		if b.body == nil {
			if b.err = b.open(); b.err != nil {
				return 0, b.err
			}
		}
		n, err := b.body.Read(p)
		b.remaining.Off, b.remaining.Len = b.remaining.Off+int64(n), b.remaining.Len-int64(n)
		if b.delivered += int64(n); b.delivered >= refillBytes {
			b.failed, b.delivered = 0, 0
		}
		if err == nil {
			return n, nil
		}
		b.retryOrFail(err)
		if n > 0 {
			return n, nil
		}
	}
}

// retryOrFail ends a body with err, and waits for the next attempt or makes err final.
func (b *retriedBody) retryOrFail(err error) {
	b.failed++
	b.delivered = 0
	b.body.Close() // before the wait, which must not keep a slot of Limit
	b.body = nil
	if errors.Is(err, io.EOF) || b.remaining.Len == 0 || !b.r.again(b.ctx, b.failed, err) {
		b.err = err
	}
}

func (b *retriedBody) Close() error {
	b.err = io.ErrClosedPipe
	if b.body == nil {
		return nil
	}
	body := b.body
	b.body = nil
	return body.Close()
}
