package proxy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/lectiospace/lectern/internal/media"
)

// admission counts the streams of everybody. Safe for concurrent use.
type admission struct {
	limit  int64
	active atomic.Int64
}

func (a *admission) acquire() bool {
	if a.active.Add(1) > a.limit {
		a.active.Add(-1)
		return false
	}
	return true
}

func (a *admission) release() { a.active.Add(-1) }

// userSlots counts the streams of each user. Safe for concurrent use.
type userSlots struct {
	limit int // 0 = none
	mu    sync.Mutex
	inUse map[int64]int // guarded by mu; a user without streams has no entry
}

func newUserSlots(limit int) *userSlots { return &userSlots{limit: limit, inUse: map[int64]int{}} }

func (u *userSlots) acquire(user int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.limit > 0 && u.inUse[user] >= u.limit {
		return false
	}
	u.inUse[user]++
	return true
}

func (u *userSlots) release(user int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch n := u.inUse[user]; {
	case n > 1:
		u.inUse[user] = n - 1
	case n == 1:
		delete(u.inUse, user)
	default:
		panic("BUG: a stream slot given back twice")
	}
}

// countStart counts a start of playback where they are limited.
func (s *Server) countStart(ctx context.Context, userID, recordingID int64, direct bool) (undo func(), err error) {
	if s.starts == nil {
		return nil, nil
	}
	undo, err = s.starts.Count(ctx, userID, recordingID, direct)
	if media.RefusalOf(err) != nil {
		s.metrics.limited.WithLabelValues(limitPlaybacks).Inc()
	}
	return undo, err
}

// maxPiece bounds one write. The write deadline is renewed with every piece, so
// with the default 60 s a client that takes about 70 kbit/s is never cut.
const maxPiece = 512 << 10

// pace is a stream's token bucket: full at first, one second deep. The zero
// pace does not limit.
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

// take waits until n bytes, at most p.piece, may be sent, or ctx ends.
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
