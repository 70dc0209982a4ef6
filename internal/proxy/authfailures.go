package proxy

import (
	"net/netip"
	"sync"
	"time"
)

// maxLimited bounds the limiter's memory: about 5 MB when failures come from
// everywhere.
const maxLimited = 1 << 16

// authFailureLimiter limits the guessing of tokens: per client address, IPv6 by /64,
// so many forged tokens a minute, in a burst or spread, are answered 401; further ones
// are answered 429. It never looks at successes: behind a school's one address a class
// goes on watching whatever one of them tries. Tokens that have expired, or whose user
// is gone, were signed by the platform and are no guesses.
//
// It is GCRA: for each address the theoretical arrival time, at which all of its
// failures are forgotten. Safe for concurrent use.
type authFailureLimiter struct {
	perMinute int // 0 = no limit
	mu        sync.Mutex
	tat       map[netip.Addr]time.Time // guarded by mu
}

func newAuthFailureLimiter(perMinute int) *authFailureLimiter {
	return &authFailureLimiter{perMinute: perMinute, tat: map[netip.Addr]time.Time{}}
}

// fail counts a failure. It returns 0, or, when the limit is reached and the failure
// is not counted, how long to wait.
func (l *authFailureLimiter) fail(client netip.Addr, now time.Time) time.Duration {
	if l.perMinute == 0 {
		return 0
	}
	client = customerNetwork(client)
	l.mu.Lock()
	defer l.mu.Unlock()
	tat, known := l.tat[client]
	if tat.Before(now) {
		tat = now
	}
	tat = tat.Add(time.Minute / time.Duration(l.perMinute))
	if ahead := tat.Sub(now); ahead > time.Minute {
		return ahead - time.Minute
	}
	if !known && len(l.tat) >= maxLimited {
		l.evictLocked(now)
	}
	l.tat[client] = tat
	return 0
}

// evictLocked removes the addresses without failures and, should these be too few, a
// tenth of the others: with that many addresses the limiter limits nobody anyway.
func (l *authFailureLimiter) evictLocked(now time.Time) {
	for client, tat := range l.tat {
		if !tat.After(now) || len(l.tat) > maxLimited*9/10 {
			delete(l.tat, client)
		}
	}
}

// customerNetwork is the network of one customer: an IPv4 address, or a /64.
func customerNetwork(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, err := a.Prefix(64)
		if err == nil {
			return p.Addr()
		}
	}
	return a
}
