package zoom

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/lectiospace/lectern/internal/media"
)

// label is Zoom's class of an API call; each has a limit of its own, per account
// and shared by all of the account's apps.
type label uint8

const (
	light  label = iota // one meeting's recordings, deleting a file
	medium              // lists
	labels
)

// perSecond are the limits of a Pro account. Where an account has less, 429s lower them;
// see backOff.
var perSecond = [labels]rate.Limit{light: 30, medium: 20}

const (
	// slowest is where halving ends: a free account's heaviest label.
	slowest rate.Limit = 1
	// recoverAfter is how long without a 429 until a halved limit is doubled again.
	recoverAfter = time.Minute
	// maxWait is how long a caller waits for a limit. A longer wait is an error with a
	// RetryAfter.
	maxWait = 2 * time.Minute
)

// accountLimits are the rate limits of all accounts. Safe for concurrent use.
type accountLimits struct {
	mu       sync.Mutex
	accounts map[string]*accountLimit // guarded by mu
}

// accountLimit is one account's limits.
type accountLimit struct {
	limiters [labels]*rate.Limiter
	// background holds calls in the background, before they wait for limiters too.
	background [labels]*rate.Limiter
	// deleting has one slot: Zoom answers 429 to a second deletion at a time.
	deleting chan struct{}

	mu      sync.Mutex
	until   [labels]time.Time // nothing goes before; guarded by mu
	limited [labels]time.Time // the last 429; guarded by mu
	blocked [labels]string    // why until; guarded by mu
}

func (g *accountLimits) forAccount(account string) *accountLimit {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.accounts == nil {
		g.accounts = map[string]*accountLimit{}
	}
	one := g.accounts[account]
	if one == nil {
		one = &accountLimit{deleting: make(chan struct{}, 1)}
		for l := range one.limiters {
			one.limiters[l] = rate.NewLimiter(perSecond[l], max(1, int(perSecond[l])/2))
			share := perSecond[l] / backgroundShare
			one.background[l] = rate.NewLimiter(share, max(1, int(share)/2))
		}
		g.accounts[account] = one
	}
	return one
}

// wait waits until the account's limits allow a call.
func (g *accountLimit) wait(ctx context.Context, op string, l label) error {
	if _, ok := background(ctx); ok {
		if err := g.background[l].Wait(ctx); err != nil {
			return network(ctx, op, context.Cause(ctx))
		}
	}
	g.mu.Lock()
	left, reason := time.Until(g.until[l]), g.blocked[l]
	if !g.limited[l].IsZero() && time.Since(g.limited[l]) > recoverAfter {
		g.limiters[l].SetLimit(min(perSecond[l], 2*g.limiters[l].Limit()))
		g.limited[l] = time.Now()
		if g.limiters[l].Limit() == perSecond[l] {
			g.limited[l] = time.Time{}
		}
	}
	g.mu.Unlock()
	if left > maxWait {
		return &media.Error{Kind: media.Quota, Op: op, Reason: reason, RetryAfter: left}
	}
	if left > 0 {
		select {
		case <-ctx.Done():
			return network(ctx, op, ctx.Err())
		case <-time.After(left):
		}
	}
	if err := g.limiters[l].Wait(ctx); err != nil {
		return network(ctx, op, context.Cause(ctx))
	}
	return nil
}

// backOff records a 429: every caller of the account waits, and the rate is halved.
func (g *accountLimit) backOff(l label, reason string, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(wait); until.After(g.until[l]) {
		g.until[l], g.blocked[l] = until, reason
	}
	if reason == ReasonRateLimited && time.Since(g.limited[l]) > time.Second {
		g.limiters[l].SetLimit(max(slowest, g.limiters[l].Limit()/2))
		g.limiters[l].SetBurst(1)
		g.limited[l] = time.Now()
	}
}
