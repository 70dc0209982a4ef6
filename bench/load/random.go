package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
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
		began := time.Now()
		r, err := drain(ctx, t, conns, length, began.Add(runFor))
		r.Elapsed = time.Since(began)
		return r, err
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
