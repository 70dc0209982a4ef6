package telemetry

import (
	"context"
	"log/slog"
	"sync"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Systemd reports the state of the process to the service manager (sd_notify(3)).
// Without a service manager its methods do nothing.
type Systemd struct {
	log     *slog.Logger
	probes  []Probe
	cancel  context.CancelFunc
	pinging sync.WaitGroup
}

// NewSystemd prepares the reports. The watchdog is pinged only while all probes are
// responsive, so that a process that hangs is restarted.
func NewSystemd(log *slog.Logger, probes ...Probe) *Systemd {
	return &Systemd{log: log, probes: probes}
}

// Ready notifies that serving has begun, and starts the watchdog's pings when the unit has
// WatchdogSec.
func (s *Systemd) Ready() {
	s.notify(daemon.SdNotifyReady)
	timeout, err := daemon.SdWatchdogEnabled(false)
	if err != nil || timeout <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	w := newWatchdog(s.log, func() { s.notify(daemon.SdNotifyWatchdog) }, s.probes)
	s.pinging.Go(func() { w.run(ctx, timeout) })
}

// Stopping notifies that the shutdown has begun. The pings go on until Stop: a shutdown that
// hangs is ended too.
func (s *Systemd) Stopping() { s.notify(daemon.SdNotifyStopping) }

// Stop ends the pings and waits; it may be called twice.
func (s *Systemd) Stop() {
	if s.cancel != nil {
		s.cancel()
	}
	s.pinging.Wait()
}

func (s *Systemd) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("systemd: notification failed", slog.String("state", state), slog.Any("error", err))
	}
}
