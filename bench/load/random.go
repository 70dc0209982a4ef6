package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Result is what a run has measured.
type Result struct {
	Requests int64
	Bytes    int64
	Elapsed  time.Duration
	First    []time.Duration // to each answer's first byte
	Retried  int64           // requests of sessions that a closed connection did not answer
}

// Random keeps conns connections busy with ranges of length bytes at random
// multiples of length, for the given time. The first error ends the run.
func Random(ctx context.Context, t Target, conns int, length int64, runFor time.Duration) (Result, error) {
	slots := t.Content.Size() / length
	if slots < 1 {
		return Result{}, fmt.Errorf("a file of %d bytes has no range of %d", t.Content.Size(), length)
	}
	if t.Drop && t.TLS == nil {
		return randomDropped(ctx, t, conns, length, runFor)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var total Result
	var workers sync.WaitGroup
	began := time.Now()
	end := began.Add(runFor)
	for i := range conns {
		workers.Go(func() {
			part, err := randomOn(ctx, t, i, slots, length, end)
			if err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			total.Requests += part.Requests
			total.Bytes += part.Bytes
			total.First = append(total.First, part.First...)
		})
	}
	workers.Wait()
	total.Elapsed = time.Since(began)
	return total, context.Cause(ctx)
}

// randomDropped is Random for a client that drops bodies.
func randomDropped(ctx context.Context, t Target, conns int, length int64, runFor time.Duration) (Result, error) {
	var open []*dropping
	defer func() {
		for _, c := range open {
			unix.Close(c.fd)
		}
	}()
	for viewer := range conns {
		c := &dropping{target: t, slots: t.Content.Size() / length, length: length, viewer: viewer}
		if err := c.connect(); err != nil {
			return Result{}, err
		}
		open = append(open, c)
	}
	receive := drain
	if t.Threads {
		receive = drainThreads
	}
	began := time.Now()
	r, err := receive(ctx, open, began.Add(runFor))
	r.Elapsed = time.Since(began)
	return r, err
}

func randomOn(ctx context.Context, t Target, viewer int, slots, length int64, end time.Time) (Result, error) {
	c, err := Dial(ctx, t)
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	var r Result
	for time.Now().Before(end) && ctx.Err() == nil {
		first, err := c.Get(t, viewer, rand.Int64N(slots)*length, length)
		if err != nil {
			return r, err
		}
		r.Requests++
		r.Bytes += length
		r.First = append(r.First, first)
	}
	return r, c.Drained()
}
