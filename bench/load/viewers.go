package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// readInterval is the time between two reads of a slow viewer.
	readInterval = 200 * time.Millisecond
	// stallAfter is how late a read may be: what a player always has buffered.
	stallAfter = time.Second
)

// Viewers are slow clients of one file, each reading at a steady rate.
type Viewers struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	running sync.WaitGroup

	mu    sync.Mutex
	first []time.Duration // guarded by mu
	worst time.Duration   // guarded by mu
	stall int             // viewers that stalled; guarded by mu
}

// ViewersResult is what slow viewers have seen.
type ViewersResult struct {
	First   []time.Duration
	Worst   time.Duration // the latest read
	Stalled int           // viewers that were late by more than a second
}

// StartViewers connects n viewers, one every gap, and returns when all have received
// their first bytes. They read until Stop.
func StartViewers(ctx context.Context, t Target, n int, bytesPerSecond int64, gap time.Duration) (*Viewers, error) {
	v := &Viewers{}
	v.ctx, v.cancel = context.WithCancelCause(ctx)
	tick := time.NewTicker(gap)
	defer tick.Stop()
	var started sync.WaitGroup
	for i := range n {
		started.Add(1)
		v.running.Go(func() {
			if err := v.watch(t, i, bytesPerSecond, started.Done); err != nil && v.ctx.Err() == nil {
				v.cancel(fmt.Errorf("viewer %d: %w", i, err))
			}
		})
		select {
		case <-tick.C:
		case <-v.ctx.Done():
		}
	}
	started.Wait()
	if err := context.Cause(v.ctx); err != nil {
		v.running.Wait()
		return nil, err
	}
	return v, nil
}

var errEnough = errors.New("enough")

// Stop disconnects the viewers and returns the first error of any of them.
func (v *Viewers) Stop() (ViewersResult, error) {
	v.cancel(errEnough)
	v.running.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	r := ViewersResult{First: v.first, Worst: v.worst, Stalled: v.stall}
	if err := context.Cause(v.ctx); !errors.Is(err, errEnough) {
		return r, err
	}
	return r, nil
}

// viewerBuffers keep the memory of thousands of viewers small: a viewer has a buffer only
// while it reads.
var viewerBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

func (v *Viewers) watch(t Target, viewer int, bytesPerSecond int64, started func()) error {
	once := sync.OnceFunc(started)
	defer once()
	c, err := dial(v.ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(v.ctx, func() { c.Close() })
	defer stop()

	off := rand.Int64N(t.Content.Size() / 2)
	began := time.Now()
	buf := viewerBuffers.Get().(*[readSize]byte)
	c.buf = buf[:]
	if t.Drop && t.TLS == nil {
		c.buf = buf[:headSize]
	}
	took, err := c.request(t, viewer, off, OpenEnd)
	viewerBuffers.Put(buf)
	c.buf = nil
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.first = append(v.first, time.Since(began))
	v.mu.Unlock()
	once()

	stalled := false
	for due := time.Now(); ; due = due.Add(readInterval) {
		select {
		case <-v.ctx.Done():
			return nil
		case <-time.After(time.Until(due)):
		}
		earned := int64(time.Since(began).Seconds()*float64(bytesPerSecond)) - took
		n := min(earned, readSize, t.Content.Size()-off-took)
		if n <= 0 {
			continue
		}
		if err := v.sipOnce(c, t, off+took, n); err != nil {
			return err
		}
		took += n
		v.late(time.Since(due), &stalled)
	}
}

// sipOnce takes n bytes.
func (v *Viewers) sipOnce(c *Conn, t Target, off, n int64) error {
	buf := viewerBuffers.Get().(*[readSize]byte)
	defer viewerBuffers.Put(buf)
	c.buf = buf[:]
	defer func() { c.buf = nil }()
	if err := c.tcp.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for n > 0 {
		took, err := c.take(t, off, n)
		if err != nil {
			return err
		}
		off, n = off+took, n-took
	}
	return nil
}

func (v *Viewers) late(by time.Duration, stalled *bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.worst = max(v.worst, by)
	if by > stallAfter && !*stalled {
		*stalled = true
		v.stall++
	}
}
