package corkedconn

import "sync/atomic"

// turn is how many bytes are sent before other goroutines may run, where as many sends run as there
// are processors. A fast client's stream need not block for megabytes; meanwhile the first bytes
// of others would wait. nginx's sendfile_max_chunk serves the same purpose. longTurn is that where
// fewer run: to let others run wakes another thread then, which costs as much as to send a
// quarter of a turn, and mostly finds nothing to do.
const (
	turn     = 512 << 10
	longTurn = 4 * turn
)

// senders counts the sends of a listener that are not blocked. Safe for concurrent use.
type senders struct {
	n          atomic.Int64
	processors int64
}

// turn is how many bytes one of them sends at a time.
func (s *senders) turn() int64 {
	if s.n.Load() < s.processors {
		return longTurn
	}
	return turn
}
