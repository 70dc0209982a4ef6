package doctor

import (
	"context"
	"time"
)

const (
	// deadline bounds the checks, all of which run at the same time.
	deadline = 10 * time.Second
	// grace is how long after the deadline a check may go on: it removes what it wrote.
	grace = 2 * time.Second
	// nestedGrace is that of checks within a check, which reports them.
	nestedGrace = grace - 500*time.Millisecond
)

// Check is one subject of a report.
type Check struct {
	// Name is that of the finding when Run does not end.
	Name string
	// Stuck says what to look at then.
	Stuck string
	// Run adds its findings to the report, which no other check has.
	Run func(ctx context.Context, r *Report)
}

const (
	stuckNetwork = "look at the network and the name servers"
	stuckFiles   = "look at the file system: a network mount whose server is gone hangs"
)

// Run runs the checks at the same time, and adds their findings in the order of the checks.
// It ends within 12 seconds: a check that hangs even longer, in a system call for example, is
// left behind and is itself a failure.
func (r *Report) Run(ctx context.Context, checks ...Check) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	r.run(ctx, grace, checks)
}

// together is Run for the checks within a check.
func (r *Report) together(ctx context.Context, checks ...Check) { r.run(ctx, nestedGrace, checks) }

func (r *Report) run(ctx context.Context, grace time.Duration, checks []Check) {
	parts, ended := make([]*Report, len(checks)), make([]chan struct{}, len(checks))
	for i, c := range checks {
		parts[i], ended[i] = &Report{}, make(chan struct{})
		go func() {
			defer close(ended[i])
			c.Run(ctx, parts[i])
		}()
	}
	late := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, func() { close(late) }) })
	defer stop()
	for i, c := range checks {
		hangs := false
		select {
		case <-ended[i]:
		case <-late:
			select {
			case <-ended[i]:
			default:
				hangs = true
			}
		}
		r.append(parts[i].Findings())
		if hangs {
			r.fail(c.Name, c.Stuck, "the check does not end")
		}
	}
}
