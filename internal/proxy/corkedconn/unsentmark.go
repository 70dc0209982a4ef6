package corkedconn

import "time"

// A stream's unsent bytes are those that the kernel has accepted and not yet put on the
// wire: behind the ones in flight, which the client's window and the path bound. The
// unsent mark bounds them, as TCP_NOTSENT_LOWAT of tcp(7): a send blocks at the mark, and
// goes on when half of it has left. Without a mark the send buffer of a client that reads
// 1 Mbit/s grows like that of a fast one, to megabytes each.
const (
	// newMark is a new connection's, or less where slow ones have less. Ranges of a megabyte cost least with it: what is sent
	// when acknowledgements arrive, instead of at once, arrives in larger bursts.
	newMark = 256 << 10
	// fastMark is that of a connection that empties fastProof in milliseconds. There a small
	// mark makes a large range a staircase of wake-ups. It is as much as Linux lets a send
	// buffer grow to by default (tcp_wmem), and what such a client leaves unsent, once, when
	// it stops reading.
	fastMark = 4 << 20
	// steadyMark is that of a connection between the two others, as of a player that loads ahead. What
	// a refill costs is a wake-up.
	steadyMark = 2 << 20
	// slowMark is that of a connection of which half a mark took longer to leave than at slowRate:
	// eight seconds of a lesson at 1 Mbit/s, refilled every four. Where there are many slow and steady
	// connections they have less: see slowConns.
	slowMark = 1 << 20
	// leastMark is that of slow connections where there are too many for their memory: a quarter
	// of a second at 1 Mbit/s, refilled every eighth. It is also the step by which marks below
	// newMark differ.
	leastMark = 32 << 10

	// fastProof is what has to leave within fastWithin: 32 MiB/s. The queues on a path take
	// less at once.
	fastProof  = 512 << 10
	fastWithin = 16 * time.Millisecond
	// fastRate and slowRate are bytes a second. Fast is nobody below the one, and slow everybody
	// below the other.
	fastRate = 16 << 20
	slowRate = 1 << 20
)

// Piece is how many bytes are to be written under one deadline. A blocked write goes on when half of
// the mark has left, which for a slow client is as much: fewer bytes could wait for more to leave
// than they are.
const Piece = slowMark / 2

// pace is what is known of how soon a connection's bytes leave.
type pace int8

const (
	unknown pace = iota
	fast
	steady
	slow
)

// unsentMark decides which mark a connection has. The zero value is a new connection's.
// It is not safe for concurrent use.
type unsentMark struct {
	pace    pace
	drained int64         // bytes that left since the measurement began
	elapsed time.Duration // the time that they took
}

// bytes returns the mark, given the share of each connection that is not fast.
func (m *unsentMark) bytes(share int) int {
	switch m.pace {
	case fast:
		return fastMark
	case steady:
		return share
	case slow:
		return min(slowMark, share)
	default:
		return min(newMark, share)
	}
}

// observe is called when a send that had blocked goes on, before it sends more. n bytes
// were accepted since the one before went on; as half a mark was unsent both times, as many
// have left. elapsed is the time between the two; both are 0 for a connection's first.
// blocked is how long this one waited, until half of mark had left.
func (m *unsentMark) observe(n int64, elapsed, blocked time.Duration, mark int) {
	m.drained += n
	m.elapsed += elapsed
	switch {
	case blocked > halfTakes(mark, slowRate):
		m.pace = slow
	case blocked > halfTakes(mark, fastRate):
		m.pace = steady
	case m.elapsed > fastWithin:
	case m.drained < fastProof:
		return
	default:
		m.pace = fast
	}
	m.drained, m.elapsed = 0, 0
}

// halfTakes is how long half of a mark takes at a rate in bytes a second: 8 ms of newMark and
// 125 ms of fastMark at fastRate.
func halfTakes(mark, perSecond int) time.Duration {
	return time.Duration(mark/2) * time.Second / time.Duration(perSecond)
}
