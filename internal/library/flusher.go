package library

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// flushTimeout bounds one flush, for which no request waits.
	flushTimeout = 10 * time.Second
	// finalFlushTimeout is how long Stop tries to write what is left.
	finalFlushTimeout = 10 * time.Second
	// pruneInterval is how often rows too old to matter are deleted.
	pruneInterval = 10 * time.Minute
)

// flusher writes what requests have left in memory: at every interval, and a last time when
// it stops. Its owner, whose flush it calls, has it before it starts.
type flusher struct {
	batch
	cancel context.CancelFunc // ends the goroutine
	done   chan struct{}      // closed when it has ended
	once   sync.Once
}

// batch is what a flusher flushes.
type batch struct {
	name     string // in log lines
	interval time.Duration
	log      *slog.Logger
	now      func() time.Time
	// flush writes what is there so far, all of it or nothing.
	flush func(context.Context) error
	// prune deletes rows too old to matter.
	prune func(context.Context, time.Time) error
	// waiting is how many entries are not written.
	waiting func() int
}

func newFlusher(b batch) *flusher { return &flusher{batch: b, done: make(chan struct{})} }

// start starts the goroutine; Stop ends it.
func (f *flusher) start() {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go f.run(ctx)
}

// Stop writes what is left and ends the goroutine. A second call does nothing. After it
// nothing may be added.
func (f *flusher) Stop() {
	f.once.Do(func() {
		f.cancel()
		<-f.done
		ctx, cancel := context.WithTimeout(context.Background(), finalFlushTimeout)
		defer cancel()
		for {
			err := f.flush(ctx)
			if err == nil {
				return
			}
			select {
			case <-ctx.Done():
				f.log.Error(f.name+": final flush failed, they are lost", slog.Int("lost", f.waiting()), slog.Any("error", err))
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

func (f *flusher) run(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	pruned, failing := f.now(), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := f.flush(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			f.log.Warn(f.name+": flush failed, will be tried again", slog.Any("error", err))
		}
		failing = err != nil
		if now := f.now(); now.Sub(pruned) >= pruneInterval {
			pruned = now
			if err := f.prune(ctx, now); err != nil {
				f.log.Debug(f.name+": prune failed", slog.Any("error", err))
			}
		}
	}
}
