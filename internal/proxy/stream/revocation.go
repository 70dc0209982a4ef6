package stream

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// recheckWorkers is how many streams are checked at once. Rechecks answer from memory
// nearly always; several at a time keep one slow answer of the catalog from delaying
// the others.
const recheckWorkers = 16

// recheckInterval is the least time between two rounds: a flood of changes causes
// four rounds a second, not rounds without pause.
const recheckInterval = 250 * time.Millisecond

// watchAccess checks the access of every running stream at every Config.Recheck, and
// whenever something has changed, until ctx ends. It aborts the streams whose viewer
// may no longer watch. The check runs beside the streams, not between two pieces: a
// slow client spends seconds in one piece, and a paused one a minute.
func (h *Handler) watchAccess(ctx context.Context) {
	tick := time.NewTicker(h.cfg.Recheck)
	defer tick.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	var streams []*exchange
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-h.changed:
		}
		clear(streams)
		streams = h.exchanges.appendTo(streams[:0], func(x *exchange) bool { return x.streaming.Load() })
		h.recheckAll(ctx, streams)
		rest.Reset(min(recheckInterval, h.cfg.Recheck))
	}
}

func (h *Handler) recheckAll(ctx context.Context, streams []*exchange) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(recheckWorkers, len(streams)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(streams)); i = next.Add(1) - 1 {
				x := streams[i]
				if err := h.recheck(ctx, x); err != nil && ctx.Err() == nil {
					x.abort(err)
				}
			}
		})
	}
	workers.Wait()
}

func (h *Handler) recheck(ctx context.Context, x *exchange) (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.LogAttrs(ctx, slog.LevelError, "panic in a recheck", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	if err := h.access.Recheck(ctx, x.viewer, x.params.id); err != nil || x.plays() {
		return err
	}
	_, err = h.companion(ctx, x.viewer, x.recording, x.params.companion)
	return err
}
