package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// recheckWorkers is how many streams are looked at at once. Rechecks answer from
// memory nearly always; several at a time keep one slow answer of the catalog
// from holding up the others.
const recheckWorkers = 16

// recheckRest is the least time between two rounds: a flood of changes is looked
// at four times a second, not without pause.
const recheckRest = 250 * time.Millisecond

// recheckAccess looks again at the access of every running stream, every
// Config.Recheck and whenever something has changed, until ctx ends, and cuts
// those whose viewer may no longer watch. It does so from the side, not between
// two pieces: a slow client spends seconds in one piece, and a paused one a minute.
func (s *Server) recheckAccess(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Recheck)
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
		case <-s.changed:
		}
		clear(streams)
		streams = s.exchanges.appendTo(streams[:0], func(x *exchange) bool { return x.streaming.Load() })
		s.recheckAll(ctx, streams)
		rest.Reset(min(recheckRest, s.cfg.Recheck))
	}
}

func (s *Server) recheckAll(ctx context.Context, streams []*exchange) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(recheckWorkers, len(streams)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(streams)); i = next.Add(1) - 1 {
				x := streams[i]
				if err := s.recheckOne(ctx, x); err != nil && ctx.Err() == nil {
					x.abort(err)
				}
			}
		})
	}
	workers.Wait()
}

func (s *Server) recheckOne(ctx context.Context, x *exchange) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "panic in a recheck", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return s.access.Recheck(ctx, x.viewer, x.params.id)
}
