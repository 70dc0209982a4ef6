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

// Hot is random ranges of one length of a file that is cached. The client drops the bytes, in one
// thread for all connections.
func Hot(name string, length int64, runFor time.Duration, rounds int, compared []peers.Starter) Workload {
	return hot(name, length, runFor, rounds, compared, Run.dropped)
}

// HotThreads is Hot with a thread for each connection.
func HotThreads(name string, length int64, runFor time.Duration, rounds int, compared []peers.Starter) Workload {
	return hot(name, length, runFor, rounds, compared, func(run Run) load.Target {
		t := run.dropped()
		t.Threads = true
		return t
	})
}

// HotCompared is Hot with a client that compares every byte. It shows that the answers are
// right under load; its rates are those of the client rather than of the servers.
func HotCompared(name string, length int64, runFor time.Duration, rounds int, compared []peers.Starter) Workload {
	return hot(name, length, runFor, rounds, compared, Run.compared)
}

func hot(name string, length int64, runFor time.Duration, rounds int, compared []peers.Starter, target func(Run) load.Target) Workload {
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Warm: true,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			target := target(run)
			// Connections, threads and caches of processors get used to it.
			if _, err := load.Random(ctx, target, hotConns, length, runFor/5); err != nil {
				return results.Sample{}, err
			}
			var seen load.Result
			used, err := measure(ctx, run, func() (err error) {
				seen, err = load.Random(ctx, target, hotConns, length, runFor)
				return err
			})
			if err != nil {
				return results.Sample{}, err
			}
			s := results.Sample{Values: map[string]float64{
				results.Throughput: float64(seen.Bytes) / 1e6 / seen.Elapsed.Seconds(),
				results.Requests:   float64(seen.Requests) / seen.Elapsed.Seconds(),
			}}
			used.perByte(s.Values, seen.Bytes)
			s.Values[results.CPUPerRequest] = float64(used.server.Microseconds()) / float64(max(seen.Requests, 1))
			s.Firsts(seen.First)
			return s, nil
		},
	}
}
