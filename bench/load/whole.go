package load

import (
	"context"
	"sync"
	"time"
)

// Whole reads a file from its first byte to its last on a fresh connection.
func Whole(ctx context.Context, t Target, viewer int) (Result, error) {
	began := time.Now()
	c, err := Dial(ctx, t)
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	first, err := c.GetFrom(t, viewer, 0, t.Content.Size())
	return Result{Requests: 1, Bytes: t.Content.Size(), Elapsed: time.Since(began), First: []time.Duration{first}}, err
}

// Crowd has viewers come within a time, evenly, and read the whole file each.
func Crowd(ctx context.Context, t Target, viewers int, within time.Duration) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]Result, viewers)
	var all sync.WaitGroup
	began := time.Now()
	for i := range viewers {
		all.Go(func() {
			select {
			case <-time.After(within * time.Duration(i) / time.Duration(viewers)):
			case <-ctx.Done():
				return
			}
			var err error
			if results[i], err = Whole(ctx, t, i); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	total := Result{Elapsed: time.Since(began)}
	for _, r := range results {
		total.Requests += r.Requests
		total.Bytes += r.Bytes
		total.First = append(total.First, r.First...)
	}
	return total, context.Cause(ctx)
}

// Seek asks for everything from off on, on a fresh connection, reads want bytes
// and hangs up.
func Seek(ctx context.Context, t Target, viewer int, off, want int64) (Result, error) {
	began := time.Now()
	c, err := Dial(ctx, t)
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	first, err := c.GetFrom(t, viewer, off, want)
	return Result{Requests: 1, Bytes: want, Elapsed: time.Since(began), First: []time.Duration{first}}, err
}
