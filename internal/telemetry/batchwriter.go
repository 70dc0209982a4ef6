package telemetry

import (
	"io"
	"sync"
	"time"
)

const (
	// batchDelay is how long a line may wait for others.
	batchDelay = 20 * time.Millisecond
	// batchLimit is how many bytes may wait; the Write that reaches it flushes.
	batchLimit = 64 << 10
)

// BatchWriter writes the lines of a log in batches: with one system call a line, a busy
// gateway spends as much on its access log as on its streams. Lines keep their order.
// The lines of the last 20 ms are lost when the process is killed, not when it exits.
// On a terminal each line is written at once. Safe for concurrent use.
type BatchWriter struct {
	w      io.Writer
	direct bool // w is a terminal

	mu     sync.Mutex
	lines  []byte // guarded by mu
	closed bool   // guarded by mu

	wake  chan struct{} // lines has become non-empty
	ended chan struct{} // run has returned
}

// NewBatchWriter starts a BatchWriter in front of w. Close stops it and leaves w open.
func NewBatchWriter(w io.Writer) *BatchWriter {
	b := &BatchWriter{w: w, direct: isTerminal(w), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go b.run()
	return b
}

// Write appends a line to the batch. The error is that of writing the batch, which only
// the Write that flushes returns: slog drops it anyway.
func (b *BatchWriter) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := len(b.lines) == 0
	b.lines = append(b.lines, p...)
	if b.direct || b.closed || len(b.lines) >= batchLimit {
		return len(p), b.flush()
	}
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// flush writes the batch. The caller holds mu, which keeps the lines' order.
func (b *BatchWriter) flush() error {
	if len(b.lines) == 0 {
		return nil
	}
	_, err := b.w.Write(b.lines)
	b.lines = b.lines[:0]
	return err
}

func (b *BatchWriter) run() {
	defer close(b.ended)
	for range b.wake {
		time.Sleep(batchDelay)
		b.mu.Lock()
		_ = b.flush()
		b.mu.Unlock()
	}
}

// Close flushes the batch and waits for the goroutine to end. Later lines are written
// at once. It may be called twice.
func (b *BatchWriter) Close() error {
	b.mu.Lock()
	err := b.flush()
	if !b.closed {
		b.closed = true
		close(b.wake)
	}
	b.mu.Unlock()
	<-b.ended
	return err
}
