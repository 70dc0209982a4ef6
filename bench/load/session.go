package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Step is one request of a viewer's session.
type Step struct {
	At         time.Duration // after the session's beginning
	For        time.Duration // how long the viewer takes for Want bytes
	Connection int           // requests with the same number share a connection, one after the other
	Off, Last  int64         // the range; Last is OpenEnd for one without an end
	Want       int64         // bytes until the viewer hangs up; all of the range keeps the connection
}

// paceInterval is the time between two reads of a session's body.
const paceInterval = 20 * time.Millisecond

// Session plays the steps of one viewer. Steps are in the order of their times; one whose
// connection is busy waits for it.
func Session(ctx context.Context, t Target, viewer int, steps []Step) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	byConnection := map[int][]Step{}
	for _, s := range steps {
		byConnection[s.Connection] = append(byConnection[s.Connection], s)
	}
	began := time.Now()
	var mu sync.Mutex
	var total Result
	var connections sync.WaitGroup
	for _, own := range byConnection {
		connections.Go(func() {
			part, err := playOn(ctx, t, viewer, own, began)
			if err != nil {
				cancel(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total.Requests += part.Requests
			total.Bytes += part.Bytes
			total.Retried += part.Retried
			total.First = append(total.First, part.First...)
		})
	}
	connections.Wait()
	total.Elapsed = time.Since(began)
	return total, context.Cause(ctx)
}

// playOn plays the steps of one connection, which is opened anew after each hang-up.
//
// A server may close a connection that nobody uses. A request that such a connection does not
// answer is sent once more on a fresh one (RFC 9112, section 9.3.1), as browsers do. A fresh
// connection must answer, and an answer that has begun must be complete.
func playOn(ctx context.Context, t Target, viewer int, steps []Step, began time.Time) (r Result, err error) {
	var c *Conn
	hangUp := func() {
		if c != nil {
			c.Close()
			c = nil
		}
	}
	defer hangUp()
	for _, s := range steps {
		if err := sleepUntil(ctx, began.Add(s.At)); err != nil {
			return r, err
		}
		used := c != nil
		asked := time.Now()
		answered := func() { r.First = append(r.First, time.Since(asked)) }
		var took int64
		for {
			if c == nil {
				if c, err = Dial(ctx, t); err != nil {
					return r, err
				}
			}
			if took, err = c.play(ctx, t, viewer, s, answered); !used || !errors.Is(err, errNoAnswer) {
				break
			}
			hangUp()
			used = false
			r.Retried++
		}
		if err != nil {
			return r, fmt.Errorf("bytes %d-%d, %d wanted: %w", s.Off, s.Last, s.Want, err)
		}
		r.Requests++
		r.Bytes += took
		if last := lastOf(s.Last, t.Content.Size()); took < last-s.Off+1 {
			hangUp()
		}
	}
	return r, nil
}

// play sends a step's request and takes its bytes evenly over its time. answered is called when
// the head is there.
func (c *Conn) play(ctx context.Context, t Target, viewer int, s Step, answered func()) (took int64, err error) {
	began := time.Now()
	if took, err = c.request(t, viewer, s.Off, s.Last); err != nil {
		return took, err
	}
	answered()
	for took < s.Want {
		due, wait := s.Want, time.Duration(0)
		if elapsed := time.Since(began); elapsed < s.For {
			due = int64(float64(s.Want) * float64(elapsed) / float64(s.For))
			wait = min(paceInterval, s.For-elapsed)
		}
		for took < due {
			if err := c.tcp.SetReadDeadline(time.Now().Add(patience)); err != nil {
				return took, err
			}
			n, err := c.take(t, s.Off+took, due-took)
			if err != nil {
				return took, err
			}
			took += n
		}
		if took < s.Want {
			if err := sleepUntil(ctx, time.Now().Add(wait)); err != nil {
				return took, err
			}
		}
	}
	return took, nil
}

func sleepUntil(ctx context.Context, when time.Time) error {
	left := time.Until(when)
	if left <= 0 {
		return context.Cause(ctx)
	}
	wait := time.NewTimer(left)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
