package azure

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// retryPolicy says how often a request of the archive is tried whose fault passes, and how
// long to wait before try n+1 (n from 1).
type retryPolicy struct {
	tries  int
	before func(n int) time.Duration
}

// defaultRetry is truncated exponential backoff with jitter.
var defaultRetry = retryPolicy{tries: 6, before: func(n int) time.Duration {
	return min(time.Second<<(n-1), 32*time.Second) + rand.N(time.Second)
}}

// maxRetryAfter bounds how long the service may make a request wait.
const maxRetryAfter = 2 * time.Minute

// withRetry repeats a request while its fault passes, not before the service wants it. The
// error has a Kind.
func (a *Archive) withRetry(ctx context.Context, op string, request func() error) error {
	for try := 1; ; try++ {
		err := request()
		if err == nil {
			return nil
		}
		err = fault(op, err)
		if try >= a.retry.tries || !media.KindOf(err).Passing() || ctx.Err() != nil {
			return err
		}
		wait := max(a.retry.before(try), min(media.RetryAfterOf(err), maxRetryAfter))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
		case <-timer.C:
		}
	}
}
