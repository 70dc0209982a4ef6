package proxy

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// maxBraked bounds the memory: about 5 MB when somebody fails from everywhere.
const maxLimited = 1 << 16

// brake slows down who guesses tokens: per client address, IPv6 by /64, so many
// forged tokens a minute, at once or spread, are told what they are; what comes
// above that is told to wait. It never looks at who succeeds: behind a school's
// one address a class goes on watching whatever one of them tries. What expires
// or is of a user who is gone was signed by us, and is no guess.
//
// It is GCRA: for each address the moment at which all it did is forgotten.
// Safe for concurrent use.
type authFailureLimiter struct {
	perMinute int // 0 = none
	mu        sync.Mutex
	tat       map[netip.Addr]time.Time // guarded by mu
}

func newAuthFailureLimiter(perMinute int) *authFailureLimiter {
	return &authFailureLimiter{perMinute: perMinute, tat: map[netip.Addr]time.Time{}}
}

// failed counts a failure: 0, or how long to wait before the next is counted.
func (b *authFailureLimiter) fail(client netip.Addr, now time.Time) time.Duration {
	if b.perMinute == 0 {
		return 0
	}
	client = network(client)
	b.mu.Lock()
	defer b.mu.Unlock()
	until, known := b.tat[client]
	if until.Before(now) {
		until = now
	}
	until = until.Add(time.Minute / time.Duration(b.perMinute))
	if ahead := until.Sub(now); ahead > time.Minute {
		return ahead - time.Minute
	}
	if !known && len(b.tat) >= maxLimited {
		b.evict(now)
	}
	b.tat[client] = until
	return 0
}

// makeRoom forgets who is forgiven and, should that not be enough, a tenth of the
// others: with that many addresses the brake holds nobody anyway.
func (b *authFailureLimiter) evict(now time.Time) {
	for client, until := range b.tat {
		if !until.After(now) || len(b.tat) > maxLimited*9/10 {
			delete(b.tat, client)
		}
	}
}

// network is what one customer has: an IPv4 address, or a /64.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, err := a.Prefix(64)
		if err == nil {
			return p.Addr()
		}
	}
	return a
}

// authenticate asks the gate who a token speaks for, and puts the brake on who
// fails. All requests with a token come through here.
func (s *Server) authenticate(ctx context.Context, client netip.Addr, token media.Token) (media.Viewer, error) {
	viewer, err := s.access.Authenticate(ctx, token)
	if r := media.RefusalOf(err); r == nil || !r.Forged {
		return viewer, err
	}
	wait := s.authFailures.fail(client, s.now())
	if wait == 0 {
		return viewer, err
	}
	s.metrics.limited.WithLabelValues(limitFailures).Inc()
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	r := media.Refuse(media.CodeThrottled, fmt.Sprintf("Request was throttled. Expected available in %d seconds.", seconds))
	r.RetryAfter = time.Duration(seconds) * time.Second
	return viewer, r
}
