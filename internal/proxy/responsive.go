package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Responsive is the watchdog's probe. It returns nil when the locks of the stream
// registry and of the connection table were taken before ctx ended, and an accept
// loop runs. Before the first Serve and while draining no accept loop is expected.
// However often it fails, at most one goroutine waits for a lock.
func (s *Server) Responsive(ctx context.Context) error {
	if !s.Draining() && s.accepting.ended() {
		return errors.New("proxy: the accept loop has ended")
	}
	return s.locks.take(ctx, []lock{
		{"stream registry", func() { s.streams.Running() }},
		{"connection table", func() { s.conns.len() }},
	})
}

// acceptLoops counts the running calls of Serve.
type acceptLoops struct{ began, running atomic.Int32 }

func (a *acceptLoops) begin() { a.running.Add(1); a.began.Add(1) }
func (a *acceptLoops) end()   { a.running.Add(-1) }

// ended reports whether accept loops have run and none does any longer.
func (a *acceptLoops) ended() bool { return a.began.Load() > 0 && a.running.Load() == 0 }

// lock is a lock that a probe takes and releases.
type lock struct {
	name string
	take func() // takes the lock, and releases it
}

// lockProbe takes locks in one goroutine, however many callers wait for it.
type lockProbe struct {
	mu      sync.Mutex
	round   chan struct{} // closed when the running round ends; nil: none runs. Guarded by mu
	waiting string        // the lock that the round waits for; guarded by mu
}

// take returns nil once all locks were taken, in order, and an error that names the
// lock that was not when ctx ends first. A round that an earlier call has started and
// that still waits is joined.
func (p *lockProbe) take(ctx context.Context, locks []lock) error {
	select {
	case <-p.join(locks):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("proxy: the lock of the %s is not released: %w", p.waitingFor(), context.Cause(ctx))
	}
}

// join returns the running round, which it starts where there is none.
func (p *lockProbe) join(locks []lock) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.round == nil {
		p.round = make(chan struct{})
		p.waiting = locks[0].name
		go p.run(locks)
	}
	return p.round
}

func (p *lockProbe) run(locks []lock) {
	for _, l := range locks {
		p.setWaiting(l.name)
		l.take()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.round)
	p.round = nil
}

func (p *lockProbe) setWaiting(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = name
}

func (p *lockProbe) waitingFor() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}
