package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
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

// Ready says that serving has begun, and starts the watchdog's pings when the unit
// asks for them (WatchdogSec).
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

// Stopping says that the end has begun. The pings go on until Stop: a shutdown that
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

// Sockets are the listeners that systemd has opened and passed on. They are bare TCP listeners,
// so that sendfile(2) works on their connections.
type Sockets struct {
	passed []passed
}

// passed is one socket and its FileDescriptorName. Without such a name systemd gives
// that of the socket's unit, and other managers give none at all.
type passed struct {
	name string
	ln   net.Listener
}

// Activated takes over what systemd passed, once: the variables are unset.
func Activated() (*Sockets, error) { return newSockets(activation.Files(true)) }

// newSockets makes listeners of files and closes the files.
func newSockets(files []*os.File) (*Sockets, error) {
	s := &Sockets{}
	for _, f := range files {
		ln, err := net.FileListener(f)
		f.Close()
		if err != nil {
			for _, p := range s.passed {
				p.ln.Close()
			}
			return nil, fmt.Errorf("the passed socket %s cannot be listened on: %w", f.Name(), err)
		}
		s.passed = append(s.passed, passed{f.Name(), ln})
	}
	return s, nil
}

// socketNames are the FileDescriptorNames that say which listener a socket is for.
var socketNames = []string{"http", "admin"}

// Listen gives the passed socket of that name, else the first that has none of the
// known names, else opens address itself.
func (s *Sockets) Listen(name, address string) (net.Listener, error) {
	at := slices.IndexFunc(s.passed, func(p passed) bool { return p.name == name })
	if at < 0 {
		at = slices.IndexFunc(s.passed, func(p passed) bool { return !slices.Contains(socketNames, p.name) })
	}
	if at < 0 {
		return net.Listen("tcp", address)
	}
	ln := s.passed[at].ln
	s.passed = slices.Delete(s.passed, at, at+1)
	return ln, nil
}
