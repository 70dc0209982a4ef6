package link

import (
	"math/rand/v2"
	"time"
)

// Shape is how a link carries packets, the same in both directions.
type Shape struct {
	Delay time.Duration // of each direction; two are a round trip
	Rate  int64         // bits per second; 0 has no limit
	// Queue is how long a packet may wait for those before it. One that would wait longer is
	// dropped, as by a router whose buffer is full.
	Queue time.Duration
	Loss  float64 // the share of packets that are lost on the line, between 0 and 1
	Seed  uint64  // of the losses
}

// queue is one direction of a link: a buffer, a transmitter and a line. It computes when a
// packet arrives and holds none. Not safe for concurrent use.
type queue struct {
	shape  Shape
	random *rand.Rand
	idle   time.Time // when the transmitter has sent all that it was given
}

func newQueue(s Shape, direction uint64) *queue {
	return &queue{shape: s, random: rand.New(rand.NewPCG(s.Seed, direction))}
}

// admit returns when a packet of so many bytes, given at now, arrives at the other end. It
// reports false for one that does not arrive.
func (q *queue) admit(now time.Time, size int) (arrives time.Time, ok bool) {
	begins := now
	if q.idle.After(now) {
		begins = q.idle
	}
	if q.shape.Rate > 0 {
		if begins.Sub(now) > q.shape.Queue {
			return time.Time{}, false
		}
		begins = begins.Add(time.Duration(int64(size) * 8 * int64(time.Second) / q.shape.Rate))
	}
	q.idle = begins
	if q.shape.Loss > 0 && q.random.Float64() < q.shape.Loss {
		return time.Time{}, false // it has taken its time of the transmitter
	}
	return begins.Add(q.shape.Delay), true
}
