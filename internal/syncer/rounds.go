package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// roundTimeout ends a round's database calls.
	roundTimeout = 30 * time.Second
	// roundBound is how old the end of the latest round may be: a round that its timeout
	// has ended, the pause after it, and as much again.
	roundBound = 90 * time.Second
)

// roundClock knows when the supervisor's latest round ended, well or not. Safe for
// concurrent use.
type roundClock struct {
	latest atomic.Pointer[time.Time] // nil before the first begin
}

func newRoundClock() *roundClock { return &roundClock{} }

// begin starts the clock, as if a round had ended.
func (c *roundClock) begin(now time.Time) { c.latest.Store(&now) }

// end notes the end of a round.
func (c *roundClock) end(now time.Time) { c.latest.Store(&now) }

// check is an error when the latest round ended too long ago. A clock that was not
// started is right.
func (c *roundClock) check(now time.Time) error {
	latest := c.latest.Load()
	if latest == nil {
		return nil
	}
	if age := now.Sub(*latest); age > roundBound {
		return fmt.Errorf("the supervisor's latest round ended %s ago", age.Round(time.Second))
	}
	return nil
}

// loop runs rounds with a pause between them until ctx ends, and logs when they begin
// to fail and when they succeed again. A round's context ends after roundTimeout.
func (c *roundClock) loop(ctx context.Context, every time.Duration, log *slog.Logger, round func(ctx context.Context, n int) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for n := 0; ; n++ {
		limited, cancel := context.WithTimeout(ctx, roundTimeout)
		err := round(limited, n)
		cancel()
		c.end(time.Now())
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				log.Warn("supervisor: round failed", slog.Any("error", err))
			} else {
				log.Info("supervisor: rounds succeed again")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Responsive is for watchdogs: an error when the supervisor's latest round, whether it
// succeeded or not, ended too long ago, or when one of the locks that jobs and webhooks
// take cannot be taken before ctx ends. A database that is away makes rounds fail, and
// is no such error: a restart would not help.
func (s *Syncer) Responsive(ctx context.Context) error {
	if err := s.rounds.check(time.Now()); err != nil {
		return err
	}
	for _, check := range []func(context.Context) error{s.queue.Responsive, s.ingester.Responsive, s.intake.Responsive} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}
