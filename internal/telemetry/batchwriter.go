package telemetry

import (
	"io"
	"sync"
	"time"
)

const (
	// batchDelay is how long a line may wait for others.
	batchDelay = 20 * time.Millisecond
	// batchLimit is how many bytes wait at most; the writer who brings more writes.
	batchLimit = 64 << 10
)

// BatchWriter writes lines of a log many at a time: with a system call for each, a
// busy gateway spends as much on saying what it sent as on sending it. Lines keep
// their order. What was written in the last 20 ms is lost when the process is
// killed, not when it ends. Safe for concurrent use.
type BatchWriter struct {
	w      io.Writer
	direct bool // people at a terminal see each line at once

	mu     sync.Mutex
	lines  []byte // guarded by mu
	closed bool   // guarded by mu

	wake  chan struct{} // there is something to write
	ended chan struct{}
}

// NewBatchWriter begins to gather what goes to w. Close ends it.
func NewBatchWriter(w io.Writer) *BatchWriter {
	g := &BatchWriter{w: w, direct: isTerminal(w), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go g.run()
	return g
}

// Write takes a line. An error of the writer below is told to whoever comes
// after, if to anybody: there is nothing a log's writer could do about it.
func (g *BatchWriter) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := len(g.lines) == 0
	g.lines = append(g.lines, p...)
	if g.direct || g.closed || len(g.lines) >= batchLimit {
		return len(p), g.flush()
	}
	if first {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// flush writes what has been gathered; mu is held, which keeps the order.
func (g *BatchWriter) flush() error {
	if len(g.lines) == 0 {
		return nil
	}
	_, err := g.w.Write(g.lines)
	g.lines = g.lines[:0]
	return err
}

func (g *BatchWriter) run() {
	defer close(g.ended)
	for range g.wake {
		time.Sleep(batchDelay)
		g.mu.Lock()
		_ = g.flush()
		g.mu.Unlock()
	}
}

// Close writes what is left. Lines that come later are written at once. It may
// be called twice.
func (g *BatchWriter) Close() error {
	g.mu.Lock()
	err := g.flush()
	if !g.closed {
		g.closed = true
		close(g.wake)
	}
	g.mu.Unlock()
	<-g.ended
	return err
}
