package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// Systemd tells the service manager how the process stands (sd_notify(3)).
// Without a manager all of it does nothing.
type Systemd struct {
	log     *slog.Logger
	healthy Check
	cancel  context.CancelFunc
	pinging sync.WaitGroup
}

// NewSystemd prepares the reports. The watchdog is pinged only while healthy
// holds, so that a process that hangs is restarted.
func NewSystemd(log *slog.Logger, healthy Check) *Systemd {
	return &Systemd{log: log, healthy: healthy}
}

// Ready says that serving has begun, and starts the watchdog's pings when the
// unit asks for them.
func (s *Systemd) Ready() {
	s.notify(daemon.SdNotifyReady)
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.pinging.Go(func() {
		tick := time.NewTicker(every / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			probe, stop := context.WithTimeout(ctx, every/3)
			err := s.healthy(probe)
			stop()
			if err != nil {
				s.log.Error("not healthy, the watchdog is not told otherwise", slog.Any("error", err))
				continue
			}
			s.notify(daemon.SdNotifyWatchdog)
		}
	})
}

// Stopping says that the end has begun, and ends the pings.
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
		s.log.Warn("the service manager was not told", slog.String("state", state), slog.Any("error", err))
	}
}

// Sockets are the listeners systemd has opened for us. They are bare TCP listeners,
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
