package load

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// echoInterval is the time between two bytes that an Echo sends.
	echoInterval = 50 * time.Millisecond
	// echoKept is how many of its delays it remembers: those of the last 30 seconds.
	echoKept = int(30 * time.Second / echoInterval)
)

// Echo measures what this machine and this process add to every wait: a byte goes over the
// loopback interface and back every 50 ms, and its delay is the time beyond the moment at which it
// was due. No server that is measured has a part in it. Safe for concurrent use.
type Echo struct {
	stop func() error

	mu     sync.Mutex
	delays [echoKept]delay // guarded by mu
	next   int             // guarded by mu
	due    time.Time       // of the byte that is awaited or on its way; guarded by mu
}

type delay struct {
	due, back time.Time
}

// StartEcho runs until Stop.
func StartEcho(ctx context.Context) (*Echo, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	near, err := (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	far, err := listener.Accept()
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	e := &Echo{}
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { _, _ = io.Copy(far, far) }) // ends when near is closed
	running.Go(func() { e.run(near, done) })
	e.stop = sync.OnceValue(func() error {
		close(done)
		err := errors.Join(near.Close(), far.Close())
		running.Wait()
		return err
	})
	return e, nil
}

// Stop ends it.
func (e *Echo) Stop() error { return e.stop() }

func (e *Echo) run(near net.Conn, done <-chan struct{}) {
	var b [1]byte
	for due := time.Now().Add(echoInterval); ; {
		e.mu.Lock()
		e.due = due
		e.mu.Unlock()
		select {
		case <-done:
			return
		case <-time.After(time.Until(due)):
		}
		if _, err := near.Write(b[:]); err != nil {
			return
		}
		if _, err := io.ReadFull(near, b[:]); err != nil {
			return
		}
		back := time.Now()
		e.mu.Lock()
		e.delays[e.next%echoKept] = delay{due: due, back: back}
		e.next++
		e.mu.Unlock()
		// What was due while this one was on its way is the same delay.
		if due = due.Add(echoInterval); due.Before(back) {
			due = back.Add(echoInterval)
		}
	}
}

// Worst is the longest delay of a byte that was on its way at some moment since then.
func (e *Echo) Worst(since time.Time) (worst time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	worst = max(0, time.Since(e.due))
	for i := range min(e.next, echoKept) {
		if d := e.delays[i]; d.back.After(since) {
			worst = max(worst, d.back.Sub(d.due))
		}
	}
	return worst
}
