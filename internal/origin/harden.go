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
	// Concurrent reads at a time; 0 = 64.
	Concurrent int
	// Stall is how long an origin may send nothing; 0 = 15 s.
	Stall time.Duration
	// Tries per read without progress; 0 = 4.
	Tries int
}

// Harden wraps an origin in what every remote one needs. From the inside out:
// observe counts what is really asked of the origin; verify sees the raw body;
// the watchdog turns a stall into an error; the limit holds its place while one
// attempt lasts, not while the next is waited for; the breaker sees each
// attempt's refusal; retry, outermost, makes several attempts look like one.
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
	o = opts.Observer.Observe(opts.Provider, o)
	o = Verify(o)
	o = Watchdog(o, opts.Stall)
	o = Limit(o, opts.Concurrent)
	o = Breaker(o)
	return Retry(o, opts.Tries)
}

// wrapped is an origin with one of its two methods replaced.
type wrapped struct {
	Stater
	Opener
}
