package workloads

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/bench/link"
	"github.com/lectiospace/lectern/bench/results"
	"github.com/lectiospace/lectern/bench/viewer"
)

// Lines from the viewer to the gateway.
var (
	homeLine = link.Shape{Delay: 20 * time.Millisecond, Rate: 10_000_000, Queue: 100 * time.Millisecond}
	// Of a line that loses one packet in a hundred, TCP has less than the rate.
	poorLine = link.Shape{Delay: 40 * time.Millisecond, Rate: 4_000_000, Queue: 100 * time.Millisecond, Loss: 0.01, Seed: 1}
)

// The origin's, and the clip's: five minutes at what Zoom takes for a shared screen and a voice.
const (
	clockLatency  = 50 * time.Millisecond
	clockRate     = 20 << 20
	clipLength    = 5 * time.Minute
	clipKilobits  = 600
	stay          = 300 * time.Millisecond // on a page whose video plays, before it is left
	sessionLength = time.Minute
	seekEvery     = 5 * time.Second
	seekShare     = 0.2
)

var browsers = []struct {
	name  string
	start viewer.Start
}{{"Chromium", viewer.Chromium}, {"Firefox", viewer.Firefox}}

// Clock has browsers open lessons' pages: on the loopback interface and over a line as people
// have it at home, and watch them over a poor one.
type Clock struct {
	Module   string
	Dir      string // for the files
	Rounds   int    // of each visit
	Sessions int    // of each browser over the poor line
	lessons  viewer.Lessons
}

// Run adds the samples to the set.
func (c *Clock) Run(ctx context.Context, set *results.Set) (err error) {
	dir, err := os.MkdirTemp(c.Dir, "lectern-clock-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.lessons = viewer.Lessons{Gateway: filepath.Join(dir, "gateway"), Count: len(browsers) * max(c.Rounds, c.Sessions), Latency: clockLatency, Rate: clockRate}
	build := exec.CommandContext(ctx, "go", "build", "-o", c.lessons.Gateway, "./cmd/gateway")
	build.Dir = c.Module
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	if c.lessons.Clip, err = viewer.MakeClip(ctx, dir, clipLength, clipKilobits); err != nil {
		return err
	}
	for _, one := range []struct {
		workload string
		shape    *link.Shape
		measure  func(ctx context.Context, b viewer.Browser, s *viewer.Site, name string, first int) ([]results.Sample, error)
	}{{results.Clock, nil, c.visits}, {results.ClockSlow, &homeLine, c.visits}, {results.Rebuffering, &poorLine, c.watch}} {
		if err := c.over(ctx, filepath.Join(dir, results.FileName(one.workload)), one.shape, func(s *viewer.Site, dir string) error {
			for i, browser := range browsers {
				b, err := browser.start(ctx, filepath.Join(dir, browser.name), s.URL)
				if err != nil {
					return fmt.Errorf("%s: %w", browser.name, err)
				}
				samples, err := one.measure(ctx, b, s, browser.name, i*c.lessons.Count/len(browsers))
				b.Close()
				if err != nil {
					return fmt.Errorf("%s: %w", browser.name, err)
				}
				for _, sample := range samples {
					sample.Workload = one.workload
					set.Samples = append(set.Samples, sample)
					fmt.Printf("%s, %s: %v\n", one.workload, sample.Target, sample.Values)
				}
			}
			return nil
		}); err != nil {
			return fmt.Errorf("%s: %w", one.workload, err)
		}
	}
	return nil
}

// over serves the lessons over a line while f runs; a nil shape is the loopback interface.
func (c *Clock) over(ctx context.Context, dir string, shape *link.Shape, f func(s *viewer.Site, dir string) error) error {
	data := filepath.Join(dir, "gateway")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	var line *link.Link
	if shape != nil {
		var err error
		if line, err = link.New(*shape); err != nil {
			return err
		}
		defer line.Close()
	}
	s, err := c.lessons.Serve(ctx, data, line)
	if err != nil {
		return err
	}
	defer s.Close()
	return f(s, dir)
}

// visits opens lessons that nobody has watched, those once more, and those with a page that the
// browser has.
func (c *Clock) visits(ctx context.Context, b viewer.Browser, s *viewer.Site, name string, first int) (samples []results.Sample, err error) {
	for round := range c.Rounds {
		for _, state := range []string{"cold", "warm", "warm, page cached"} {
			if state != "warm, page cached" {
				if err := b.Forget(); err != nil {
					return nil, err
				}
			}
			phases, err := viewer.Visit(ctx, b, s.Address(first+round))
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", state, round+1, err)
			}
			samples = append(samples, results.Sample{Target: name + ", " + state, Round: round, Values: phaseValues(phases)})
			time.Sleep(stay)
		}
	}
	return samples, nil
}

// phaseValues leaves out what the browser did not say.
func phaseValues(p viewer.Phases) map[string]float64 {
	values := map[string]float64{
		results.PageLoaded: p.HTML, results.ScriptLoaded: p.Script, results.GrantAsked: p.Asked, results.Granted: p.Granted, results.SourceSet: p.Src,
		results.StreamBegan: p.FirstByte, results.MetadataKnown: p.Metadata, results.FrameLoaded: p.Data, results.FirstFrame: p.Frame, results.PlayingAfter: p.Playing,
	}
	for metric, v := range values {
		if v <= 0 {
			delete(values, metric)
		}
	}
	return values
}

// watch plays lessons, with a seek now and then.
func (c *Clock) watch(ctx context.Context, b viewer.Browser, s *viewer.Site, name string, first int) (samples []results.Sample, err error) {
	for session := range c.Sessions {
		if err := b.Forget(); err != nil {
			return nil, err
		}
		if _, err := viewer.Visit(ctx, b, s.Address(first+session)); err != nil {
			return nil, err
		}
		w, err := viewer.Watch(b, viewer.Habit{For: sessionLength, Every: seekEvery, Seeks: seekShare, Seed: uint32(session + 1)})
		if err != nil {
			return nil, err
		}
		samples = append(samples, results.Sample{Target: name, Round: session, Values: watchedValues(w)})
	}
	return samples, nil
}

func watchedValues(w viewer.Watched) map[string]float64 {
	values := map[string]float64{results.Rebuffered: 100 * w.Stalled / w.Watched, results.Seeks: float64(w.Seeks)}
	if w.Seeks > 0 {
		values[results.SeekWait] = w.Sought / float64(w.Seeks)
	}
	return values
}
