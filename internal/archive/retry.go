package archive

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// maxRetryAfter bounds how long a service may make a request wait.
const maxRetryAfter = 2 * time.Minute

// Retry says how often a request of an archive is tried whose fault passes.
type Retry struct {
	// Tries is how often, the first one included.
	Tries int
	// Before is the wait before try n+1, n from 1.
	Before func(n int) time.Duration
}

// DefaultRetry is truncated exponential backoff with jitter, as Google, AWS and Azure advise.
var DefaultRetry = Retry{Tries: 6, Before: func(n int) time.Duration {
	return min(time.Second<<(n-1), 32*time.Second) + rand.N(time.Second)
}}

// Do repeats a request while its fault passes, and not before the service wants it. The
// request's errors have a media.Kind.
func (r Retry) Do(ctx context.Context, op string, request func() error) error {
	for try := 1; ; try++ {
		err := request()
		if err == nil || try >= r.Tries || !media.KindOf(err).Passing() {
			return err
		}
		if err := r.Wait(ctx, op, try, media.RetryAfterOf(err)); err != nil {
			return err
		}
	}
}

// Wait waits before try n+1, and at least what the service wants, up to two minutes. The error
// is that of ctx.
func (r Retry) Wait(ctx context.Context, op string, n int, least time.Duration) error {
	timer := time.NewTimer(max(r.Before(n), min(least, maxRetryAfter)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	case <-timer.C:
		return nil
	}
}
