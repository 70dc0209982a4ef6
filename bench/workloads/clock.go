package workloads

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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
	gone          = time.Second            // until the next page, so that nothing of the last one is on the line
	sessionLength = time.Minute
	seekEvery     = 5 * time.Second
	seekShare     = 0.2
)

// browser is a kind of browser that watches.
type browser struct {
	name  string
	start viewer.Start
}

var browsers = []browser{{"Chromium", viewer.Chromium}, {"Firefox", viewer.Firefox}}

// maxFailures is how often a browser may fail on a line before the rest of its rounds is left out.
const maxFailures = 3

// Clock has browsers open lessons' pages: on the loopback interface and over a line as people
// have it at home, and watch them over a poor one.
type Clock struct {
	Module   string
	Dir      string         // for the files
	Rounds   int            // of each visit
	Sessions int            // of each browser over the poor line
	Lines    *regexp.Regexp // of workloads
	Browsers *regexp.Regexp
	lessons  viewer.Lessons
}

// round is one of a browser's on a line. It returns what it has measured before it fails, too.
type round func(ctx context.Context, b viewer.Browser, at sites, name string, lesson int) ([]results.Sample, error)

// sites are at the far end of one line.
type sites struct{ gateway, bare *viewer.Site }

// Run adds the samples to the set, and as failures what could not be measured. An error is one
// without which nothing can be.
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
		rounds   int
		round    round
	}{{results.Clock, nil, c.Rounds, visits}, {results.ClockSlow, &homeLine, c.Rounds, visits}, {results.Rebuffering, &poorLine, c.Sessions, watch}} {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !c.Lines.MatchString(one.workload) {
			continue
		}
		began := time.Now()
		line := measuredLine{workload: one.workload, rounds: one.rounds, round: one.round, set: set, dir: filepath.Join(dir, results.FileName(one.workload))}
		if err := c.over(ctx, line, one.shape); err != nil {
			line.fail("gateway", 0, err, "")
		}
		set.Took(one.workload, time.Since(began))
	}
	return nil
}

// over serves the lessons over a line and measures it; a nil shape is the loopback interface.
func (c *Clock) over(ctx context.Context, l measuredLine, shape *link.Shape) error {
	data := filepath.Join(l.dir, "gateway")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	var line *link.Link
	var err error
	if shape != nil {
		if line, err = link.New(*shape); err != nil {
			return err
		}
		defer line.Close()
	}
	var at sites
	if at.gateway, err = c.lessons.Serve(ctx, data, line); err != nil {
		return err
	}
	defer at.gateway.Close()
	bare := filepath.Join(l.dir, "bare")
	if err := os.MkdirAll(bare, 0o700); err != nil {
		return err
	}
	if at.bare, err = viewer.ServeBare(ctx, bare, c.lessons.Clip, line); err != nil {
		return err
	}
	defer at.bare.Close()
	for i, b := range browsers {
		if !c.Browsers.MatchString(b.name) {
			continue
		}
		l.measure(ctx, b, at, i*c.lessons.Count/len(browsers))
	}
	return nil
}

// measuredLine is a line while it is measured.
type measuredLine struct {
	workload string
	rounds   int
	round    round
	set      *results.Set
	dir      string // for the browsers' profiles
}

// measure has a browser do its rounds, each with the next lesson after first. One that has failed
// is started anew.
func (l measuredLine) measure(ctx context.Context, kind browser, at sites, first int) {
	var b viewer.Browser
	failures := 0
	for i := 0; i < l.rounds && failures < maxFailures && ctx.Err() == nil; i++ {
		err := error(nil)
		if b == nil {
			b, err = kind.start(ctx, filepath.Join(l.dir, kind.name+strconv.Itoa(failures)), at.gateway.URL)
		}
		var samples []results.Sample
		if err == nil {
			samples, err = l.round(ctx, b, at, kind.name, first+i)
		}
		for _, sample := range samples {
			sample.Workload, sample.Round = l.workload, i
			l.set.Samples = append(l.set.Samples, sample)
			fmt.Printf("%s, %s: %s\n", l.workload, sample.Target, results.Line(sample))
		}
		if err == nil {
			continue
		}
		failures++
		l.fail(kind.name, i, err, at.gateway.Logs())
		if b != nil {
			b.Close()
			b = nil
		}
	}
	if b != nil {
		b.Close()
	}
}

// fail adds a failure to the set, with what the page and the gateway say.
func (l measuredLine) fail(target string, round int, err error, logs string) {
	if missing, ok := errors.AsType[*viewer.NoFrame](err); ok {
		logs = "page:\n" + strings.TrimSpace(missing.Page) + "\n" + logs
	}
	l.set.Failures = append(l.set.Failures, results.Failure{Workload: l.workload, Target: target, Round: round, Error: err.Error(), Logs: logs})
	fmt.Printf("%s, %s failed: %v\n%s\n", l.workload, target, err, logs)
}

// visits opens a lesson that nobody has watched, once more, and with a page that the browser has;
// and then the bare video.
func visits(ctx context.Context, b viewer.Browser, at sites, name string, lesson int) (samples []results.Sample, err error) {
	for _, one := range []struct {
		target, address string
		keep            bool // what the browser knows
	}{
		{name + ", cold", at.gateway.Address(lesson), false},
		{name + ", warm", at.gateway.Address(lesson), false},
		{name + ", warm, page cached", at.gateway.Address(lesson), true},
		{results.BareBound + name, at.bare.URL.String() + "/", false},
	} {
		prepare := b.Forget
		if one.keep {
			prepare = func() error { return b.Open("about:blank") }
		}
		if err := prepare(); err != nil {
			return samples, err
		}
		time.Sleep(gone)
		phases, err := viewer.Visit(ctx, b, one.address)
		if err != nil {
			return samples, fmt.Errorf("%s: %w", one.target, err)
		}
		samples = append(samples, results.Sample{Target: one.target, Values: phaseValues(phases)})
		time.Sleep(stay)
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

// watch plays a lesson, with a seek now and then.
func watch(ctx context.Context, b viewer.Browser, at sites, name string, lesson int) ([]results.Sample, error) {
	if err := b.Forget(); err != nil {
		return nil, err
	}
	phases, err := viewer.Visit(ctx, b, at.gateway.Address(lesson))
	if err != nil {
		return nil, err
	}
	w, err := viewer.Watch(b, viewer.Habit{For: sessionLength, Every: seekEvery, Seeks: seekShare, Seed: uint32(lesson + 1)})
	if err != nil {
		return nil, err
	}
	values := watchedValues(w)
	values[results.FirstFrame] = phases.Frame
	return []results.Sample{{Target: name, Values: values}}, nil
}

func watchedValues(w viewer.Watched) map[string]float64 {
	values := map[string]float64{results.Rebuffered: 100 * w.Stalled / w.Watched, results.DecoderWaits: 100 * w.Decoder / w.Watched, results.Seeks: float64(w.Seeks)}
	if w.Seeks > 0 {
		values[results.SeekWait] = w.Sought / float64(w.Seeks)
	}
	return values
}
