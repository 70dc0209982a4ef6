package origin

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// errStalled is the cause of a read that the watchdog has cancelled.
var errStalled = errors.New("nothing came within the deadline")

// Watchdog ends a read, as Timeout, when for the duration stall neither the response nor
// the next bytes of its body have come. It bounds each wait and never the whole read.
// A read gets a context of its own, whose end stops it even while it blocks. A Stat, which is
// small, is bounded as a whole: one on a connection that has died unnoticed leaves time for
// another.
func Watchdog(next Origin, stall time.Duration) Origin {
	return watchdogWith(next, stall, func() {})
}

// watchdogWith is Watchdog with a function that is called at each wait that it ends, before
// there can be another attempt.
func watchdogWith(next Origin, stall time.Duration, ended func()) Origin {
	return wrapped{statWatchdog{next, stall, ended}, watchdog{next, stall, ended}}
}

type statWatchdog struct {
	next  Stater
	stall time.Duration
	ended func()
}

func (w statWatchdog) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.stall, errStalled)
	defer cancel()
	obj, err := w.next.Stat(ctx, loc)
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		w.ended()
		err = media.Fault(media.Timeout, "origin: wait", errStalled)
	}
	return obj, err
}

type watchdog struct {
	next  Opener
	stall time.Duration
	ended func()
}

func (w watchdog) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	body := &watchedBody{ctx: ctx, cancel: cancel, stall: w.stall, ended: w.ended}
	body.timer = time.AfterFunc(w.stall, body.expire)
	inner, err := w.next.Open(ctx, obj, span)
	body.timer.Stop()
	if err != nil {
		err = body.explain(err)
		cancel(nil)
		return nil, err
	}
	body.inner = inner
	return body, nil
}

type watchedBody struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  time.Duration
	ended  func()
	timer  *time.Timer
	inner  io.ReadCloser
	fired  atomic.Bool
	close  sync.Once
	err    error
}

func (b *watchedBody) expire() {
	b.fired.Store(true)
	b.ended()
	b.cancel(errStalled)
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.inner.Read(p)
	b.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.explain(err)
	}
	return n, err
}

// explain replaces the cancellation that the watchdog caused by Timeout.
func (b *watchedBody) explain(err error) error {
	if b.fired.Load() {
		return media.Fault(media.Timeout, "origin: wait", errStalled)
	}
	return err
}

func (b *watchedBody) Close() error {
	b.close.Do(func() {
		b.timer.Stop()
		b.cancel(nil)
		b.err = b.inner.Close()
	})
	return b.err
}
