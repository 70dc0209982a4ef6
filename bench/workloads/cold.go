package workloads

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

// Sequential is one viewer who reads a file that nobody has read before.
func Sequential(name string, size int64, shape origin.Shape, rounds int, compared []peers.Starter) Workload {
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Shape: shape, Lessons: rounds, LessonSize: size,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			return cold(ctx, run, func() (load.Result, error) { return load.Whole(ctx, run.dropped(), 0) })
		},
	}
}

// CrowdOf is viewers who open the same cold file within a tenth of a second.
func CrowdOf(name string, viewers int, size int64, shape origin.Shape, rounds int, compared []peers.Starter) Workload {
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Shape: shape, Lessons: rounds, LessonSize: size,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			n := viewers
			if run.Peer.Name == "direct" {
				n = 1 // what a first byte costs without a crowd
			}
			return cold(ctx, run, func() (load.Result, error) {
				return load.Crowd(ctx, run.dropped(), n, 100*time.Millisecond)
			})
		},
	}
}

// cold measures a run in which the origin is part.
func cold(ctx context.Context, run Run, do func() (load.Result, error)) (results.Sample, error) {
	var seen load.Result
	var used spent
	bytes, asks, err := fetched(ctx, run.Origin, func() error {
		var err error
		used, err = measure(ctx, run, func() (err error) {
			seen, err = do()
			return err
		})
		return err
	})
	if err != nil {
		return results.Sample{}, err
	}
	s := results.Sample{Values: map[string]float64{
		results.Throughput:  float64(seen.Bytes) / 1e6 / seen.Elapsed.Seconds(),
		results.Wall:        seen.Elapsed.Seconds(),
		results.OriginBytes: float64(bytes) / float64(run.Lesson.Content.Size()),
		results.OriginAsks:  float64(asks),
	}}
	used.perByte(s.Values, seen.Bytes)
	if run.Peer.Name == "direct" {
		delete(s.Values, results.CPUPerGiB) // there is no server
	}
	s.Firsts(seen.First)
	return s, nil
}

// Seeks is one viewer who jumps to places of a cold file, each time on a new
// connection with an open-ended range, watches want bytes and hangs up.
func Seeks(name string, seeks int, want, size int64, shape origin.Shape, rounds int, compared []peers.Starter) Workload {
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Shape: shape, Lessons: rounds, LessonSize: size,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			target := run.dropped()
			// Each seek has a stretch of the file to itself; the places are the same for
			// all servers.
			rng := rand.New(rand.NewPCG(uint64(run.Round), 7))
			stretch := size / int64(seeks)
			order := rng.Perm(seeks)
			var first, done []time.Duration
			var used spent
			jump := func() error {
				for _, i := range order {
					r, err := load.Seek(ctx, target, i, int64(i)*stretch+rng.Int64N(stretch/2), want)
					if err != nil {
						return err
					}
					first, done = append(first, r.First...), append(done, r.Elapsed)
					select {
					case <-time.After(100 * time.Millisecond): // a player does not jump faster
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}
				return nil
			}
			bytes, asks, err := fetched(ctx, run.Origin, func() (err error) {
				used, err = measure(ctx, run, jump)
				return err
			})
			if err != nil {
				return results.Sample{}, err
			}
			slices.Sort(done)
			s := results.Sample{Values: map[string]float64{
				results.DoneP50:     results.Quantile(done, 0.5),
				results.OriginBytes: float64(bytes) / float64(int64(seeks)*want),
				results.OriginAsks:  float64(asks) / float64(seeks),
			}}
			used.perByte(s.Values, int64(seeks)*want)
			if run.Peer.Name == "direct" {
				delete(s.Values, results.CPUPerGiB) // there is no server
			}
			s.Firsts(first)
			return s, nil
		},
	}
}
