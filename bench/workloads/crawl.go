package workloads

import (
	"context"

	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

// popularEvery is how many lessons of the archive there are for one that people watch again
// and again.
const popularEvery = 8

// Crawl is a downloader who reads each lesson of an archive once, from the first to the last,
// while viewers watch an eighth of them all the time. The cache holds a quarter of the
// archive. What is written to the disk for each byte served is what the flash wears by.
func Crawl(name string, lessons int, size int64, rounds int, compared []peers.Starter) Workload {
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Fresh: true, Shape: origin.Shape{}, Lessons: lessons, LessonSize: size,
		CacheBytes: int64(lessons) * size / 4,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			popular := max(1, len(run.Lessons)/popularEvery)
			before, err := run.Peer.Tree.Written()
			if err != nil {
				return results.Sample{}, err
			}
			var served int64
			watch := func(viewer int, l peers.Lesson) error {
				target := run.Peer.Target(l)
				target.Drop = true
				r, err := load.Whole(ctx, target, viewer)
				served += r.Bytes
				return err
			}
			fetched, _, err := fetched(ctx, run.Origin, func() error {
				for i, l := range run.Lessons {
					if err := watch(0, l); err != nil {
						return err
					}
					if err := watch(1+i%4, run.Lessons[i%popular]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return results.Sample{}, err
			}
			after, err := run.Peer.Tree.Written()
			if err != nil {
				return results.Sample{}, err
			}
			return results.Sample{Values: map[string]float64{
				results.Written:  float64(after-before) / float64(served),
				results.ByteHits: 100 * (1 - float64(fetched)/float64(served)),
			}}, nil
		},
	}
}
