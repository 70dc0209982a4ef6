package origin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options of Harden; the zero value of each means its default.
type Options struct {
	// Provider names the origin in metrics.
	Provider string
	// Observer counts; nil counts nothing.
	Observer *Observer
	// Concurrent is how many reads may run at a time; 0 = 64.
	Concurrent int
	// Stall is how long an origin may send nothing; 0 = 15 s.
	Stall time.Duration
	// Hedge is how many second requests may be made beside late ones, in percent of all;
	// 0 = none.
	Hedge int
	// Tries is how many origin requests a Stat, or a read that delivers nothing, may
	// cost; 0 = 4. Retry says what a read that delivers something may cost.
	Tries int
}

// Harden wraps an origin in the decorators that every remote one needs. From the
// inside out: observe counts the requests that really reach the origin; verify sees
// the raw body; the watchdog turns a stall into an error; hedge makes a second request
// beside a late one, and does not see the wait for a slot, which is no fault of the
// origin; the limit holds a slot for one attempt and not for the wait before the next; the breaker sees each attempt's
// refusal; retry, outermost, makes several attempts look like one.
func Harden(o Origin, opts Options) Origin {
	if opts.Concurrent == 0 {
		opts.Concurrent = 64
	}
	if opts.Stall == 0 {
		opts.Stall = 15 * time.Second
	}
	if opts.Tries == 0 {
		opts.Tries = 4
	}
	if opts.Observer == nil {
		opts.Observer = NewObserver(prometheus.NewRegistry())
	}
	// Where one connection has died unnoticed, those that nothing uses mostly have, too: a
	// firewall has forgotten them, or a balancer was replaced. Each would cost another attempt.
	drop := func() {}
	if c, ok := o.(idleCloser); ok {
		drop = c.CloseIdleConnections
	}
	o = opts.Observer.Observe(opts.Provider, o)
	o = Verify(o)
	o = watchdogWith(o, opts.Stall, drop)
	reads := newSlots(opts.Concurrent)
	if opts.Hedge > 0 {
		o = hedge(o, reads, opts.Hedge, opts.Observer.hedges(opts.Provider))
	}
	o = limit(o, reads)
	o = Breaker(o)
	return Retry(o, opts.Tries)
}

// idleCloser is what an origin with connections of its own implements.
type idleCloser interface{ CloseIdleConnections() }

// wrapped is an origin with one of its two methods replaced.
type wrapped struct {
	Stater
	Opener
}
