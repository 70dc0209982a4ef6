package proxy

import (
	"context"
	"time"
)

// hangupPoll is how often the sockets of waiting exchanges are looked at.
const hangupPoll = 250 * time.Millisecond

// watchHangups ends exchanges whose client went away while they wait for the
// origin, or for their pace, and those that have waited for too long. While bytes are written a hang-up shows by itself,
// as a failing write; while waiting nothing would show it, and an origin would
// be read for nobody. One goroutine looks for all, until ctx ends.
func (s *Server) watchHangups(ctx context.Context) {
	tick := time.NewTicker(hangupPoll)
	defer tick.Stop()
	var waiting []*exchange
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		clear(waiting)
		waiting = s.exchanges.appendTo(waiting[:0], func(x *exchange) bool { return x.waiting.Load() })
		now := int64(time.Since(s.started))
		for _, x := range waiting {
			switch due := x.deadline.Load(); {
			case due != 0 && now > due:
				x.cancel(errSlow)
			case HungUp(x.conn):
				x.cancel(errHangup)
			}
		}
	}
}
