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

// Watching is what slow viewers do.
type Watching struct {
	Target         func(viewer int) Target
	BytesPerSecond int64
	// Gap is the time between the arrivals of two viewers.
	Gap time.Duration
	// Again has a viewer who comes to the end of the file go to another place of it.
	Again bool
	// Read is called after each read: where it was, how long its bytes were awaited, and how much
	// later than its time it began, which is this process's own fault. Several viewers call it at
	// once. It may be nil.
	Read func(viewer int, off, n int64, awaited, belated time.Duration)
}

// Viewers are slow clients, each reading one file at a steady rate.
type Viewers struct {
	w       Watching
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

// StartViewers connects n viewers and returns when all have received their first bytes. They read
// until Stop.
func StartViewers(ctx context.Context, n int, w Watching) (*Viewers, error) {
	v := &Viewers{w: w}
	v.ctx, v.cancel = context.WithCancelCause(ctx)
	tick := time.NewTicker(w.Gap)
	defer tick.Stop()
	var started sync.WaitGroup
	for i := range n {
		started.Add(1)
		v.running.Go(func() {
			if err := v.watch(i, started.Done); err != nil && v.ctx.Err() == nil {
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

func (v *Viewers) watch(viewer int, started func()) error {
	once := sync.OnceFunc(started)
	defer once()
	t := v.w.Target(viewer)
	c, err := dial(v.ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(v.ctx, func() { c.Close() })
	defer stop()

	began := time.Now()
	off, err := v.jump(c, t, viewer)
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.first = append(v.first, time.Since(began))
	v.mu.Unlock()
	once()

	stalled := false
	took := int64(0)
	free := time.Now() // since when nothing but this process keeps the next read from its time
	for due := free; ; due = due.Add(readInterval) {
		select {
		case <-v.ctx.Done():
			return nil
		case <-time.After(time.Until(due)):
		}
		woke := time.Now()
		earned := int64(time.Since(began).Seconds()*float64(v.w.BytesPerSecond)) - took
		n := min(earned, readSize, t.Content.Size()-off)
		if n <= 0 {
			continue
		}
		if err := v.sipOnce(c, t, off, n); err != nil {
			return err
		}
		v.late(time.Since(due), &stalled)
		if v.w.Read != nil {
			v.w.Read(viewer, off, n, time.Since(woke), woke.Sub(later(due, free)))
		}
		took, off, free = took+n, off+n, time.Now()
		if off == t.Content.Size() && v.w.Again {
			if off, err = v.jump(c, t, viewer); err != nil {
				return err
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// jump asks for everything from a place in the first half of the file on, and returns where the
// first byte that it has not received is.
func (v *Viewers) jump(c *Conn, t Target, viewer int) (off int64, err error) {
	off = rand.Int64N(t.Content.Size() / 2)
	buf := viewerBuffers.Get().(*[readSize]byte)
	defer viewerBuffers.Put(buf)
	c.buf = buf[:]
	defer func() { c.buf = nil }()
	if t.Drop && t.TLS == nil {
		c.buf = buf[:headSize]
	}
	took, err := c.request(t, viewer, off, OpenEnd)
	return off + took, err
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
