package workloads

import (
	"context"
	"math"
	"time"

	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/meter"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

// slowRate is a viewer's: 1 Mbit/s.
const slowRate = 125_000

// Slow is many viewers of a cached file of so many bytes who read at a lesson's rate. Each peer
// is started for each round, so that the growth of its memory is the viewers'.
func Slow(name string, viewers int, size int64, hold time.Duration, rounds int, compared []peers.Starter) Workload {
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Warm: true, Fresh: true, LessonSize: size,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			before, err := atRest(run.Peer.Tree)
			if err != nil {
				return results.Sample{}, err
			}
			kernelBefore, err := meter.SocketMemory()
			if err != nil {
				return results.Sample{}, err
			}
			watching, err := load.StartViewers(ctx, viewers, load.Watching{
				Target: func(int) load.Target { return run.dropped() }, BytesPerSecond: slowRate, Gap: 2 * time.Millisecond,
			})
			if err != nil {
				return results.Sample{}, err
			}
			time.Sleep(2 * time.Second)
			var after meter.Usage
			var kernelAfter int64
			used, err := measure(ctx, run, func() (err error) {
				time.Sleep(hold)
				if after, err = run.Peer.Tree.Usage(); err == nil {
					kernelAfter, err = meter.SocketMemory()
				}
				return err
			})
			seen, stopErr := watching.Stop()
			if err == nil {
				err = stopErr
			}
			if err != nil {
				return results.Sample{}, err
			}
			// What the server held of the time before and returned while they watched would be
			// taken off what they need: the lesser of before and afterwards is what it needs without.
			gone, err := atRest(run.Peer.Tree)
			if err != nil {
				return results.Sample{}, err
			}
			s := results.Sample{Values: map[string]float64{
				results.RSSPerViewer: float64(after.RSS-min(before.RSS, gone.RSS)) / 1024 / float64(viewers),
				results.SocketMemory: float64(kernelAfter-kernelBefore) / 1024 / float64(viewers),
				results.CPUPerSecond: used.server.Seconds() / used.elapsed.Seconds(),
				results.Stalled:      float64(seen.Stalled),
				results.Worst:        float64(seen.Worst.Microseconds()) / 1000,
			}}
			used.shares(s.Values)
			s.Firsts(seen.First)
			return s, nil
		},
	}
}

const (
	// restFor is how long a server's memory must not have fallen before it counts as at rest, and
	// restMost how long that is awaited: what filling has left behind may be returned after seconds.
	restFor  = 6 * time.Second
	restMost = 30 * time.Second
)

// atRest waits until a server returns no more memory.
func atRest(tree meter.Tree) (meter.Usage, error) {
	began := time.Now()
	least, since := int64(math.MaxInt64), began
	for {
		now, err := tree.Usage()
		if err != nil {
			return now, err
		}
		if now.RSS < least-1<<20 {
			least, since = now.RSS, time.Now()
		}
		if time.Since(since) >= restFor || time.Since(began) >= restMost {
			return now, nil
		}
		time.Sleep(500 * time.Millisecond)
	}
}
