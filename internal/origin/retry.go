package origin

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Waits between attempts: doubling from retryBase, none longer than retryMax, so
// that a viewer who waits for a first byte learns within seconds that it fails.
const (
	retryBase = 200 * time.Millisecond
	retryMax  = 2 * time.Second
)

// Retry makes up to tries attempts where a fault may pass. A body that breaks is
// taken up again at its next byte, of the same version, without its reader
// noticing; progress starts the count again.
func Retry(next Origin, tries int) Origin {
	r := &retrier{next: next, tries: tries}
	return wrapped{r, r}
}

type retrier struct {
	next  Origin
	tries int
}

func (r *retrier) Stat(ctx context.Context, loc media.Location) (obj media.Object, err error) {
	err = r.attempts(ctx, func() error {
		obj, err = r.next.Stat(ctx, loc)
		return err
	})
	return obj, err
}

func (r *retrier) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	b := &retriedBody{r: r, ctx: ctx, obj: obj, remaining: span}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

func (r *retrier) attempts(ctx context.Context, attempt func() error) error {
	for n := 1; ; n++ {
		err := attempt()
		if err == nil || n >= r.tries || !media.KindOf(err).Passing() || ctx.Err() != nil {
			return err
		}
		if pause(ctx, n, media.RetryAfterOf(err)) != nil {
			return err
		}
	}
}

// pause waits before attempt n+1; asked is what the other side wants.
func pause(ctx context.Context, n int, asked time.Duration) error {
	wait := min(retryMax, retryBase<<min(n-1, 10))
	wait = wait/2 + rand.N(wait/2+1) // jitter: those who failed together do not come back together
	if asked > retryMax {
		return errors.New("the origin wants to be left alone for longer than a viewer waits")
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

type retriedBody struct {
	r         *retrier
	ctx       context.Context
	obj       media.Object
	remaining media.Span
	body      io.ReadCloser // nil between attempts
	failed    int           // attempts without a byte
	err       error         // final
}

func (b *retriedBody) open() error {
	return b.r.attempts(b.ctx, func() (err error) {
		b.body, err = b.r.next.Open(b.ctx, b.obj, b.remaining)
		return err
	})
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
		if n > 0 {
			b.failed = 0
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

// again decides whether a broken body is worth another attempt.
func (b *retriedBody) retryOrFail(err error) {
	b.failed++
	switch {
	case errors.Is(err, io.EOF), b.remaining.Len == 0, b.failed >= b.r.tries, !media.KindOf(err).Passing(), b.ctx.Err() != nil:
		b.err = err
	default:
		b.body.Close()
		b.body = nil
		if pause(b.ctx, b.failed, media.RetryAfterOf(err)) != nil {
			b.err = err
		}
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
