package workloads

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

// hotConns is how many connections ask at a time.
const hotConns = 32

// Hot is random ranges of one length of a file that is cached.
func Hot(name string, length int64, runFor time.Duration, rounds int, compared []peers.Starter) Workload {
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Warm: true,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			target := run.Peer.Target(run.Lesson)
			// Connections, threads and caches of processors get used to it.
			if _, err := load.Random(ctx, target, hotConns, length, runFor/5); err != nil {
				return results.Sample{}, err
			}
			var seen load.Result
			used, _, err := cost(run.Peer, func() (err error) {
				seen, err = load.Random(ctx, target, hotConns, length, runFor)
				return err
			})
			if err != nil {
				return results.Sample{}, err
			}
			s := results.Sample{Values: map[string]float64{
				results.Throughput: float64(seen.Bytes) / 1e6 / seen.Elapsed.Seconds(),
				results.Requests:   float64(seen.Requests) / seen.Elapsed.Seconds(),
				results.CPUPerGiB:  float64(used.CPU.Milliseconds()) / (float64(seen.Bytes) / (1 << 30)),
			}}
			s.Firsts(seen.First)
			return s, nil
		},
	}
}
