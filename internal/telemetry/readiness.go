package telemetry

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Check returns an error while one requirement of serving is not met. It is called by the
// readiness probe, from several goroutines, with a deadline. A Degraded error does not
// end readiness.
type Check func(ctx context.Context) error

// Checks are what serving needs, by name. The program is ready while all of them pass.
type Checks map[string]Check

// Degraded is the error of a Check when something is unavailable that serving can do
// without for the time being.
type Degraded struct {
	What string // as probes report it, "database" for example
	Err  error
}

// Error implements error.
func (d Degraded) Error() string { return d.Err.Error() }

// Unwrap returns what is wrong.
func (d Degraded) Unwrap() error { return d.Err }

// Readiness is the outcome of Checks.
type Readiness struct {
	Ready    bool              `json:"ready"`
	Degraded []string          `json:"degraded,omitempty"` // what is unavailable, in order
	Checks   map[string]string `json:"checks"`             // "ok" or what is wrong
}

// Run runs the checks side by side, for two seconds at most.
func (c Checks) Run(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	r := Readiness{Ready: true, Checks: map[string]string{}}
	for name, check := range c {
		group.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			var degraded Degraded
			switch {
			case err == nil:
				r.Checks[name] = "ok"
			case errors.As(err, &degraded):
				r.Checks[name], r.Degraded = err.Error(), append(r.Degraded, degraded.What)
			default:
				r.Checks[name], r.Ready = err.Error(), false
			}
		})
	}
	group.Wait()
	slices.Sort(r.Degraded)
	return r
}

// Register adds lectern_ready, which is computed at each scrape.
func (c Checks) Register(metrics prometheus.Registerer) error {
	return metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lectern_ready", Help: "1 while /readyz answers 200, else 0.",
	}, func() float64 {
		if c.Run(context.Background()).Ready {
			return 1
		}
		return 0
	}))
}

// serve answers a probe.
func (c Checks) serve(w http.ResponseWriter, r *http.Request) {
	state, status := c.Run(r.Context()), http.StatusOK
	if !state.Ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, state)
}
