package workloads

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

// Mix replays recorded sessions of players on a cached lesson of the recordings' size, as many viewers at a time, who
// come one after the other within a second. Time runs faster times as fast as it was recorded.
func Mix(name string, viewers int, faster int64, recordings []Recording, rounds int, compared []peers.Starter) Workload {
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Warm: true, LessonSize: recordings[0].Size,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			target := run.dropped()
			var mu sync.Mutex
			var seen load.Result
			var watched time.Duration
			used, err := measure(ctx, run, func() error {
				group, ctx := errgroup.WithContext(ctx)
				for viewer := range viewers {
					recording := recordings[viewer%len(recordings)]
					watched += recording.watched()
					group.Go(func() error {
						select {
						case <-time.After(time.Second * time.Duration(viewer) / time.Duration(viewers)):
						case <-ctx.Done():
							return context.Cause(ctx)
						}
						r, err := load.Session(ctx, target, viewer, recording.steps(faster))
						mu.Lock()
						defer mu.Unlock()
						seen.Requests += r.Requests
						seen.Bytes += r.Bytes
						seen.Retried += r.Retried
						seen.First = append(seen.First, r.First...)
						return err
					})
				}
				return group.Wait()
			})
			if err != nil {
				return results.Sample{}, err
			}
			s := results.Sample{Values: map[string]float64{
				results.CPUPerViewerHour: used.server.Seconds() / watched.Hours(),
				results.Wall:             used.elapsed.Seconds(),
				results.Requests:         float64(seen.Requests) / used.elapsed.Seconds(),
				results.Throughput:       float64(seen.Bytes) / 1e6 / used.elapsed.Seconds(),
			}}
			used.perByte(s.Values, seen.Bytes)
			s.Values[results.Retried] = float64(seen.Retried)
			s.Firsts(seen.First)
			return s, nil
		},
	}
}
