package stream

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
)

// maxPiece bounds one write. The write deadline is renewed with every piece, so
// with the default 60 s a client that always takes about 70 kbit/s is never aborted. One that was faster
// may have more unsent, and has to take that first.
const maxPiece = corkedconn.Piece

// rateLimit is a stream's token bucket: full at first, one second deep. Without a
// limiter it does not limit.
type rateLimit struct {
	limiter *rate.Limiter
	piece   int64
}

func newRateLimit(bytesPerSecond int64) rateLimit {
	if bytesPerSecond <= 0 {
		return rateLimit{piece: maxPiece}
	}
	return rateLimit{
		limiter: rate.NewLimiter(rate.Limit(bytesPerSecond), int(bytesPerSecond)),
		// A quarter of a second at a time keeps the flow even.
		piece: max(1, min(maxPiece, bytesPerSecond/4)),
	}
}

// wait waits until n bytes, at most its piece, may be sent, or ctx ends.
func (p rateLimit) wait(ctx context.Context, n int64) error {
	if p.limiter == nil {
		return nil
	}
	delay := p.limiter.ReserveN(time.Now(), int(n)).Delay()
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
