package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// Probe is one part of the process that the watchdog watches, such as a lock or a
// loop. A probe must not depend on other machines: a database that is away is no
// reason to restart the process.
type Probe struct {
	// Name is for the log.
	Name string
	// Responsive returns nil when the part makes progress. An error, or no return
	// before ctx ends, means that it does not. The watchdog never calls it twice at a
	// time, and calls it from a goroutine of its own.
	Responsive func(ctx context.Context) error
}

// watchdog calls ping regularly while every probe is responsive.
type watchdog struct {
	log    *slog.Logger
	ping   func()
	probes []*runningProbe
}

// runningProbe is a Probe and whether it runs. A probe that hangs stays running; no
// further goroutine is started for it.
type runningProbe struct {
	Probe
	running atomic.Bool
}

var errStillRunning = errors.New("the last call has not returned")

func newWatchdog(log *slog.Logger, ping func(), probes []Probe) *watchdog {
	w := &watchdog{log: log, ping: ping}
	for _, p := range probes {
		w.probes = append(w.probes, &runningProbe{Probe: p})
	}
	return w
}

// run probes and pings every timeout/3 until ctx ends. Probes have as long to answer,
// so that the service manager sees a ping within two thirds of its timeout. run does
// not wait for a probe that hangs.
func (w *watchdog) run(ctx context.Context, timeout time.Duration) {
	interval := timeout / 3
	tick := time.NewTicker(interval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		name, err := w.probe(ctx, interval)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			w.log.Error("watchdog: not responsive", slog.String("probe", name), slog.Any("error", err))
		case err == nil && failing:
			w.log.Info("watchdog: responsive again")
		}
		if failing = err != nil; !failing {
			w.ping()
		}
	}
}

// probe runs all probes side by side and returns the name and error of one that is
// not responsive within the deadline.
func (w *watchdog) probe(ctx context.Context, deadline time.Duration) (name string, err error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	results := make([]chan error, len(w.probes))
	for i, p := range w.probes {
		results[i] = p.start(ctx)
	}
	for i, p := range w.probes {
		select {
		case err = <-results[i]:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return p.Name, err
		}
	}
	return "", nil
}

// start calls the probe in a goroutine unless it still runs. The result can always be
// sent, so that the goroutine ends with the probe.
func (p *runningProbe) start(ctx context.Context) chan error {
	result := make(chan error, 1)
	if !p.running.CompareAndSwap(false, true) {
		result <- errStillRunning
		return result
	}
	go func() {
		err := p.Responsive(ctx)
		p.running.Store(false)
		result <- err
	}()
	return result
}
