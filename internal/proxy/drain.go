package proxy

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// abortGrace is how long streams have to finish their current piece when a drain is
// over, and as much again to end after their connection was closed.
const abortGrace = time.Second

// Shutdown stops accepting, lets running streams go on until ctx ends, then aborts
// them between two pieces, and returns when all have ended. It returns nil when
// nothing had to be aborted, else ctx's error. A second call waits for the first and
// returns nil.
func (s *Server) Shutdown(ctx context.Context) error {
	if !s.closeListeners() {
		<-s.stopped
		return nil
	}
	defer close(s.stopped)

	err := s.fast.ShutdownWithContext(ctx)
	if ctx.Err() == nil {
		err = nil // fasthttp complains that the listeners were closed above
	}
	if err != nil {
		s.abortAll()
	}
	s.endBase(respond.ErrDrained)
	s.streams.Stop()
	s.records.Flush()
	return err
}

// closeListeners begins the drain; false when it has begun already.
func (s *Server) closeListeners() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Swap(true) {
		return false
	}
	for _, ln := range s.listeners {
		ln.Close() // a second close by fasthttp is harmless
	}
	return true
}

// abortAll ends what is left when a drain is over: first between two pieces, then, for
// streams whose client reads nothing, in the middle of a write.
func (s *Server) abortAll() {
	s.endBase(respond.ErrDrained)
	if s.waitForConnections(abortGrace) {
		return
	}
	s.streams.Abort(respond.ErrDrained)
	for _, c := range s.conns.list() {
		closeNow(c)
	}
	if !s.waitForConnections(abortGrace) {
		s.log.Error("shutdown: connections are still open", slog.Int("connections", len(s.conns.list())))
	}
}

// closeNow closes a connection also where an answer is being written.
func closeNow(c net.Conn) {
	if corked, ok := c.(*corkedconn.Conn); ok {
		_ = corked.CloseNow()
		return
	}
	c.Close()
}

// waitForConnections waits until no connection is open, and closes those without a
// running stream. It reports false after the timeout.
func (s *Server) waitForConnections(timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	poll := time.NewTicker(20 * time.Millisecond) // a stream may end and its connection stay
	defer poll.Stop()
	for {
		busy := s.streams.Connections()
		conns := s.conns.list()
		if len(conns) == 0 {
			return true
		}
		for _, c := range conns {
			if !busy[c] {
				closeNow(c)
			}
		}
		select {
		case <-s.conns.removed:
		case <-poll.C:
		case <-timer.C:
			return false
		}
	}
}
