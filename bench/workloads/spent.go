package workloads

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/bench/meter"
	"github.com/lectiospace/lectern/bench/results"
)

// spent is where the machine's processor time went while something was done.
type spent struct {
	elapsed time.Duration
	server  time.Duration // the peer's process tree
	client  time.Duration // this process
	origin  time.Duration
	machine meter.Machine
}

// measure returns what the peer, the client, the origin and the whole machine use while
// something is done.
func measure(ctx context.Context, run Run, do func() error) (spent, error) {
	before, err := snapshot(run)
	if err != nil {
		return spent{}, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return spent{}, err
	}
	s := spent{elapsed: time.Since(began)}
	after, err := snapshot(run)
	if err != nil {
		return spent{}, err
	}
	s.server, s.client, s.origin = after.server-before.server, after.client-before.client, after.origin-before.origin
	s.machine = meter.Machine{All: after.machine.All - before.machine.All, Idle: after.machine.Idle - before.machine.Idle}
	return s, ctx.Err()
}

// snapshot is what has been used since the processes' start.
func snapshot(run Run) (s spent, err error) {
	server, err := run.Peer.Tree.Usage()
	if err != nil {
		return s, err
	}
	origin, err := meter.NewTree(run.Origin.PID()).Usage()
	if err != nil {
		return s, err
	}
	s.server, s.origin = server.CPU, origin.CPU
	if s.client, err = meter.Self(); err != nil {
		return s, err
	}
	s.machine, err = meter.MachineTime()
	return s, err
}

// perByte adds the costs of bytes: processor time per GiB of the server, the client and the
// origin, and where the machine's time went.
func (s spent) perByte(values map[string]float64, bytes int64) {
	gib := float64(bytes) / (1 << 30)
	values[results.CPUPerGiB] = milliseconds(s.server) / gib
	values[results.ClientPerGiB] = milliseconds(s.client) / gib
	values[results.OriginPerGiB] = milliseconds(s.origin) / gib
	s.shares(values)
}

// shares adds where the machine's time went, in percent of the time of all cores.
func (s spent) shares(values map[string]float64) {
	all := max(s.machine.All, time.Millisecond)
	percent := func(d time.Duration) float64 { return 100 * float64(max(d, 0)) / float64(all) }
	values[results.ServerShare] = percent(s.server)
	values[results.ClientShare] = percent(s.client)
	values[results.OriginShare] = percent(s.origin)
	values[results.OtherShare] = percent(s.machine.All - s.machine.Idle - s.server - s.client - s.origin)
	values[results.IdleShare] = percent(s.machine.Idle)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
