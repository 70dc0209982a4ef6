package workloads

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/bench/content"
	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
)

const (
	soakLessons = 4
	soakSize    = 256 << 20
	soakCache   = 512 << 20 // half of the lessons: chunks come and go all the time
	soakViewers = 16
	soakMost    = 3 << 20 // a viewer reads up to so much before the next jump
	soakLooks   = 20      // how often memory is looked at, evenly
)

// errGrows is memory that does not stay flat.
var errGrows = errors.New("memory grows")

// Soak runs viewers that seek in lessons larger than the gateway's cache, for the given
// time, and compares every byte. The gateway's memory in the last quarter of the time may
// not exceed that of the second quarter by more than a quarter.
func (b *Bench) Soak(ctx context.Context, runFor time.Duration) error {
	site := *b.Site
	site.CacheBytes = soakCache
	var files []origin.File
	for i := range soakLessons {
		l := peers.Lesson{Name: fmt.Sprintf("soak%d", i), Recording: i + 1, Content: content.New(soakSize, uint64(i+1))}
		site.Lessons = append(site.Lessons, l)
		files = append(files, origin.File{Name: l.Name, Content: l.Content})
	}
	from, err := origin.Start(ctx, files)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := from.SetShape(ctx, origin.Shape{Latency: 20 * time.Millisecond}); err != nil {
		return err
	}
	site.Origin = from
	gateway, err := peers.Gateway().Start(ctx, &site)
	if err != nil {
		return err
	}
	defer gateway.Stop()

	until, cancel := context.WithTimeout(ctx, runFor)
	defer cancel()
	var seeks atomic.Int64
	group, running := errgroup.WithContext(until)
	for viewer := range soakViewers {
		group.Go(func() error {
			rng := rand.New(rand.NewPCG(uint64(viewer), 3))
			for running.Err() == nil {
				want := 1 + rng.Int64N(soakMost)
				target := gateway.Target(site.Lessons[rng.IntN(soakLessons)])
				if _, err := load.Seek(running, target, viewer, rng.Int64N(soakSize-want), want); err != nil && running.Err() == nil {
					return err
				}
				seeks.Add(1)
			}
			return nil
		})
	}
	var rss []int64
	for range soakLooks {
		select {
		case <-time.After(runFor / soakLooks):
		case <-running.Done():
		}
		used, err := gateway.Tree.Usage()
		if err != nil {
			return err
		}
		rss = append(rss, used.RSS)
		fmt.Fprintf(b.Progress, "%8d seeks, RSS %d MiB\n", seeks.Load(), used.RSS>>20)
	}
	cancel()
	if err := group.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	before, after := median(rss[soakLooks/4:soakLooks/2]), median(rss[soakLooks*3/4:])
	if after > before+before/4 {
		return fmt.Errorf("%w: %d MiB in the second quarter, %d in the last", errGrows, before>>20, after>>20)
	}
	return nil
}

func median(values []int64) int64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
