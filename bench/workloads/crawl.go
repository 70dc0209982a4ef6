package workloads

import (
	"context"

	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

const (
	// popularEvery is how many lessons of the archive there are for one that people watch again
	// and again.
	popularEvery = 8
	// watchedBefore is how often they have been watched when the downloader comes.
	watchedBefore = 3
)

// Crawl is a downloader who reads each lesson of an archive once, from the first to the last,
// while viewers watch an eighth of them all the time. The cache holds three eighths of the
// archive. Between two viewers of a lesson as many others are read as are two eighths: a cache
// that forgets what was used the longest ago still has it, with room to spare. What is written to
// the disk for each byte served is what the flash wears by.
func Crawl(name string, lessons int, size int64, rounds int, compared []peers.Starter) Workload {
	allowed := int64(lessons) * size * 3 / popularEvery
	return Workload{
		Name: name, Peers: compared, Rounds: rounds, Fresh: true, Shape: origin.Shape{}, Lessons: lessons, LessonSize: size,
		CacheBytes: allowed,
		Run: func(ctx context.Context, run Run) (results.Sample, error) {
			c := crawl{run: run, popular: run.Lessons[:max(1, len(run.Lessons)/popularEvery)]}
			for range watchedBefore {
				for i, l := range c.popular {
					if err := c.watch(ctx, 1+i, l); err != nil {
						return results.Sample{}, err
					}
				}
			}
			c.served = 0
			var used spent
			before, err := run.Peer.Tree.Written()
			if err != nil {
				return results.Sample{}, err
			}
			fetched, _, err := fetched(ctx, run.Origin, func() (err error) {
				used, err = measure(ctx, run, func() error { return c.all(ctx) })
				return err
			})
			if err != nil {
				return results.Sample{}, err
			}
			after, err := run.Peer.Tree.Written()
			if err != nil {
				return results.Sample{}, err
			}
			kept, err := run.Peer.Kept()
			if err != nil {
				return results.Sample{}, err
			}
			firstTime := int64(len(run.Lessons)-len(c.popular)) * size
			s := results.Sample{Values: map[string]float64{
				results.Written:      float64(after-before) / float64(c.served),
				results.ByteHits:     100 * (1 - float64(fetched)/float64(c.served)),
				results.PossibleHits: 100 * (1 - float64(firstTime)/float64(c.served)),
				results.Kept:         float64(kept) / float64(allowed),
				results.Throughput:   float64(c.served) / 1e6 / used.elapsed.Seconds(),
			}}
			used.perByte(s.Values, c.served)
			return s, nil
		},
	}
}

// crawl is one under way.
type crawl struct {
	run     Run
	popular []peers.Lesson
	served  int64
}

// all reads the archive, and a popular lesson after each of its lessons.
func (c *crawl) all(ctx context.Context) error {
	for i, l := range c.run.Lessons {
		if err := c.watch(ctx, 0, l); err != nil {
			return err
		}
		if err := c.watch(ctx, 1+i%4, c.popular[i%len(c.popular)]); err != nil {
			return err
		}
	}
	return nil
}

func (c *crawl) watch(ctx context.Context, viewer int, l peers.Lesson) error {
	target := c.run.Peer.Target(l)
	target.Drop = true
	r, err := load.Whole(ctx, target, viewer)
	c.served += r.Bytes
	return err
}
