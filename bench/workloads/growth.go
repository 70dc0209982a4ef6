package workloads

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/bench/content"
	"github.com/lectiospace/lectern/bench/meter"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

const (
	// growthLesson is what is requested while the rest of the cache lies there.
	growthLesson = 64 << 20
	// growthCache holds any number of chunks.
	growthCache = 4 << 40
)

// Grown has gateways whose caches and catalogs are of different sizes.
type Grown struct {
	// Chunks and Recordings are the sizes that are compared, the least first.
	Chunks, Recordings []int
	// Dir is for the caches. They stay there for all that is measured with them.
	Dir string
}

// write makes the caches that are not there yet.
func (g Grown) write() error {
	for _, n := range g.Chunks {
		if _, err := os.Stat(g.cacheDir(n)); err == nil {
			continue
		}
		if err := peers.WriteBallast(g.cacheDir(n), n); err != nil {
			return err
		}
	}
	return nil
}

func (g Grown) cacheDir(chunks int) string {
	return filepath.Join(g.Dir, strconv.Itoa(chunks)+"-chunks")
}

func (g Grown) withChunks(n int) peers.GatewaySetup {
	return peers.GatewaySetup{Name: fmt.Sprintf("gateway, %d chunks", n), CacheDir: g.cacheDir(n)}
}

// Growth measures what a request costs as the cache and the catalog grow: it must not grow
// with them.
func (g Grown) Growth(ctx context.Context, b *Bench, runFor time.Duration, rounds int, set *results.Set) error {
	if err := g.write(); err != nil {
		return err
	}
	var compared []peers.Starter
	for _, n := range g.Chunks {
		s := g.withChunks(n).Starter()
		begin := s.Start
		s.Start = func(ctx context.Context, site *peers.Site) (*peers.Peer, error) {
			p, err := begin(ctx, site)
			if err != nil {
				return nil, err
			}
			if _, err := awaitIndex(ctx, p, n); err != nil {
				p.Stop()
				return nil, err
			}
			return p, nil
		}
		compared = append(compared, s)
	}
	for _, n := range g.Recordings {
		compared = append(compared, peers.GatewaySetup{Name: fmt.Sprintf("gateway, %d recordings", n), Recordings: n}.Starter())
	}
	w := Hot(results.Growth, 64<<10, runFor, rounds, compared)
	w.LessonSize = growthLesson
	wide := *b
	site := *b.Site
	site.CacheBytes = growthCache
	wide.Site = &site
	return wide.Run(ctx, w, set)
}

// StartUp measures how long a gateway takes until it answers and until it knows all of its
// chunks, and what that costs.
func (g Grown) StartUp(ctx context.Context, b *Bench, rounds int, set *results.Set) error {
	if err := g.write(); err != nil {
		return err
	}
	fmt.Fprintf(b.Progress, "\n%s\n", results.StartUp)
	lesson := peers.Lesson{Name: "hot", Recording: 1, Content: content.New(growthLesson, 1)}
	from, err := origin.Start(ctx, []origin.File{{Name: lesson.Name, Content: lesson.Content}})
	if err != nil {
		return err
	}
	defer from.Close()
	site := *b.Site
	site.CacheBytes, site.Lessons, site.Origin = growthCache, []peers.Lesson{lesson}, from
	for round := range rounds {
		if err := g.walkMost(round, b, set); err != nil {
			return err
		}
		for _, n := range g.Chunks {
			setup := g.withChunks(n)
			values, err := startOnce(ctx, &site, setup, n)
			if err != nil {
				return fmt.Errorf("%s: %w", setup.Name, err)
			}
			sample := results.Sample{Workload: results.StartUp, Target: setup.Name, Round: round, Values: values}
			set.Samples = append(set.Samples, sample)
			fmt.Fprintf(b.Progress, "  %d  %-32s %s\n", round+1, setup.Name, results.Line(sample))
		}
	}
	return nil
}

// walkMost looks at each file of the largest cache, which is the least that a start does.
func (g Grown) walkMost(round int, b *Bench, set *results.Set) error {
	before, err := meter.Self()
	if err != nil {
		return err
	}
	began := time.Now()
	err = filepath.WalkDir(g.cacheDir(g.Chunks[len(g.Chunks)-1]), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			_, err = d.Info()
		}
		return err
	})
	took := time.Since(began)
	if err != nil {
		return err
	}
	after, err := meter.Self()
	if err != nil {
		return err
	}
	sample := results.Sample{Workload: results.StartUp, Target: results.WalkBound, Round: round, Values: map[string]float64{
		results.IndexedAfter: took.Seconds(), results.IndexCPU: (after - before).Seconds(),
	}}
	set.Samples = append(set.Samples, sample)
	fmt.Fprintf(b.Progress, "  %d  %-32s %s\n", round+1, results.WalkBound, results.Line(sample))
	return nil
}

func startOnce(ctx context.Context, site *peers.Site, setup peers.GatewaySetup, chunks int) (map[string]float64, error) {
	p, err := setup.Starter().Start(ctx, site)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	took, err := awaitIndex(ctx, p, chunks)
	if err != nil {
		return nil, err
	}
	used, err := p.Tree.Usage()
	if err != nil {
		return nil, err
	}
	return map[string]float64{
		results.ReadyAfter: p.Ready.Seconds(), results.IndexedAfter: took.Seconds(),
		results.IndexCPU: used.CPU.Seconds(), results.IndexRSS: float64(used.RSS) / (1 << 20),
	}, nil
}

// awaitIndex waits until a gateway has scanned its cache, and makes sure that it has found at
// least so many chunks. It returns how long the scan took.
func awaitIndex(ctx context.Context, p *peers.Peer, chunks int) (time.Duration, error) {
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		raw, err := os.ReadFile(p.Log)
		if err != nil {
			return 0, err
		}
		for line := range bytes.Lines(raw) {
			took, found, ok := indexRebuilt(line)
			if ok && found < chunks {
				return 0, fmt.Errorf("it found %d chunks of %d", found, chunks)
			}
			if ok {
				return took, nil
			}
		}
	}
	return 0, fmt.Errorf("%s: the cache is not scanned after five minutes", p.Name)
}

// indexRebuilt reads the log line that ends the scan.
func indexRebuilt(line []byte) (took time.Duration, chunks int, ok bool) {
	var entry struct {
		Message string `json:"msg"`
		Chunks  int    `json:"chunks"`
		Took    string `json:"took"`
	}
	if json.Unmarshal(line, &entry) != nil || entry.Message != "cache: index rebuilt" {
		return 0, 0, false
	}
	took, err := time.ParseDuration(entry.Took)
	return took, entry.Chunks, err == nil
}
