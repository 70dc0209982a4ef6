package telemetry

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Hangups calls a function for SIGHUP, by which operators have a program read its
// settings again. Signals that come while it runs are one more call.
type Hangups struct {
	signals chan os.Signal
	stop    chan struct{}
	done    chan struct{} // nil before Start; closed when the goroutine has ended
	once    sync.Once
}

// CatchHangups begins to catch SIGHUP, which would end the process otherwise. Those that
// come before Start wait for it.
func CatchHangups() *Hangups {
	h := &Hangups{signals: make(chan os.Signal, 1), stop: make(chan struct{})}
	signal.Notify(h.signals, syscall.SIGHUP)
	return h
}

// Start calls reload, in a goroutine of its own, for each signal until Stop.
func (h *Hangups) Start(reload func()) {
	h.done = make(chan struct{})
	go func() {
		defer close(h.done)
		for {
			select {
			case <-h.signals:
				reload()
			case <-h.stop:
				return
			}
		}
	}()
}

// Stop waits for a call that is under way. SIGHUP ends the process again. A second call
// does nothing.
func (h *Hangups) Stop() {
	h.once.Do(func() {
		signal.Stop(h.signals)
		close(h.stop)
		if h.done != nil {
			<-h.done
		}
	})
}
