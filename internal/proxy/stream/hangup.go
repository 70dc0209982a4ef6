package stream

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// hangupPoll is how often the sockets of waiting exchanges are checked.
const hangupPoll = 250 * time.Millisecond

// watchHangups ends exchanges whose client hung up while they wait for an origin or
// for their rate limit, and those that have waited for longer than their timeout,
// until ctx ends. While bytes are written a hang-up shows as a failing write; while
// an exchange waits nothing shows it, and an origin would be read for nobody. One
// goroutine checks all exchanges.
func (h *Handler) watchHangups(ctx context.Context) {
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
		waiting = h.exchanges.appendTo(waiting[:0], func(x *exchange) bool { return x.waiting.Load() })
		now := int64(time.Since(h.started))
		for _, x := range waiting {
			switch deadline := x.deadline.Load(); {
			case deadline != 0 && now > deadline:
				x.cancel(respond.ErrTimeout)
			case corkedconn.HungUp(x.conn):
				x.cancel(respond.ErrHangup)
			}
		}
	}
}
