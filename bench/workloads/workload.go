// Package workloads defines the requests that the servers are measured with, and what
// is counted while they run.
package workloads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/bench/content"
	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

// Workload is one of them.
type Workload struct {
	Name  string
	Peers []peers.Starter // the first is the reference of the ratios
	Shape origin.Shape    // of the origin, while it is measured
	// Rounds is how often the reference and the gateway are measured, and PeerRounds how often
	// all others; 0 is as often. It is less where the origin's clock sets what a peer does.
	Rounds, PeerRounds int
	// Warm fills the caches with the first lesson before anything is measured.
	Warm bool
	// Fresh starts each peer anew for each round, where its memory is measured.
	Fresh bool
	// Lessons are how many cold files it takes, LessonSize how large they are. Without cold
	// files it is the size of the warm one; 0 for Bench.HotSize.
	Lessons    int
	LessonSize int64
	// CacheBytes is how much a peer may keep, where that is not the same for all workloads.
	CacheBytes int64
	// Profile has the gateway profiled after it was measured, where Bench.Profiles is set. Of
	// Lessons those are left for it that are more than Rounds.
	Profile bool
	// Run measures a peer once. lesson is the warm one, or the round's cold one.
	Run func(ctx context.Context, run Run) (results.Sample, error)
}

// gatewayName is the peer that the report is about.
const gatewayName = "gateway"

// comparedSize is how much of a cold workload's peer is compared before it is measured.
const comparedSize = 24 << 20

// Run is one measurement.
type Run struct {
	Peer   *peers.Peer
	Lesson peers.Lesson
	// Lessons are all cold ones, for a workload that reads more than one at a time.
	Lessons []peers.Lesson
	Origin  *origin.Origin
	Round   int
}

// dropped is the lesson at the peer, for the client that drops bodies.
func (r Run) dropped() load.Target {
	t := r.Peer.Target(r.Lesson)
	t.Drop = true
	return t
}

// compared is the lesson at the peer, for the client that compares every byte.
func (r Run) compared() load.Target { return r.Peer.Target(r.Lesson) }

// Bench runs workloads one after the other.
type Bench struct {
	Site     *peers.Site // but for its lessons and its origin
	HotSize  int64
	Progress io.Writer
	Profiles string // folder for profiles; "" for none
}

// Run puts the peers through a workload and adds what comes of it to set. A peer
// that fails is left out from then on; that is a failure in the set, no error.
func (b *Bench) Run(ctx context.Context, w Workload, set *results.Set) error {
	site := *b.Site
	first := peers.Lesson{Name: "hot", Recording: 1, Content: content.New(b.HotSize, 1)}
	switch {
	case w.Warm && w.LessonSize > 0:
		first.Content = content.New(w.LessonSize, 1)
	case !w.Warm:
		// A small one that is compared and not measured.
		first = peers.Lesson{Name: "compared", Recording: 1, Content: content.New(min(comparedSize, w.LessonSize), 1)}
	}
	if w.Warm {
		if err := b.writeStatic(&site, &first); err != nil {
			return err
		}
	}
	lessons := []peers.Lesson{first}
	for i := range w.Lessons {
		lessons = append(lessons, peers.Lesson{Name: fmt.Sprintf("cold%03d", i), Recording: i + 2, Content: content.New(w.LessonSize, uint64(i+2))})
	}
	var files []origin.File
	for _, l := range lessons {
		files = append(files, origin.File{Name: l.Name, Content: l.Content})
	}
	from, err := origin.Start(ctx, files)
	if err != nil {
		return err
	}
	defer from.Close()
	site.Lessons, site.Origin = lessons, from
	if w.CacheBytes > 0 {
		site.CacheBytes = w.CacheBytes
	}
	began := time.Now()
	defer func() { set.Took(w.Name, time.Since(began)) }()
	r := runner{w: w, site: &site, set: set, progress: b.Progress, profiles: b.Profiles, out: map[string]bool{}, verified: map[string]bool{}}
	defer r.stopAll()
	if err := r.run(ctx); err != nil || !w.Profile || b.Profiles == "" {
		return err
	}
	return r.profile(ctx)
}

// writeStatic writes the warm lesson as the file that servers of files have, once for each size,
// and names the lesson after it.
func (b *Bench) writeStatic(site *peers.Site, l *peers.Lesson) error {
	if site.Static == "" { // no such server takes part
		return nil
	}
	l.Name = fmt.Sprintf("hot-%d", l.Content.Size())
	if _, err := os.Stat(filepath.Join(site.Static, l.Name)); err == nil {
		return nil
	}
	return peers.WriteStatic(site.Static, *l)
}

// runner is a workload under way.
type runner struct {
	w        Workload
	site     *peers.Site
	set      *results.Set
	progress io.Writer
	profiles string
	running  map[string]*peers.Peer
	out      map[string]bool // peers that have failed
	verified map[string]bool // peers whose bytes have been compared
}

func (r *runner) run(ctx context.Context) error {
	fmt.Fprintf(r.progress, "\n%s\n", r.w.Name)
	r.running = map[string]*peers.Peer{}
	if !r.w.Fresh {
		for _, s := range r.w.Peers {
			if err := r.start(ctx, s); err != nil {
				r.fail(s.Name, 0, err)
			}
		}
	}
	for round := range r.w.Rounds {
		for i := range r.w.Peers {
			if round%2 == 1 {
				i = len(r.w.Peers) - 1 - i
			}
			s := r.w.Peers[i]
			if r.out[s.Name] || round >= r.rounds(s.Name) {
				continue
			}
			if err := r.once(ctx, s, round); err != nil {
				r.fail(s.Name, round, err)
			}
			if r.w.Fresh {
				r.stop(s.Name)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// rounds is how often a peer is measured.
func (r *runner) rounds(name string) int {
	if r.w.PeerRounds == 0 || name == r.w.Peers[0].Name || name == gatewayName {
		return r.w.Rounds
	}
	return r.w.PeerRounds
}

// start starts a peer, compares every byte of a lesson that it fetches and then has cached,
// and so fills it where the workload wants it warm.
func (r *runner) start(ctx context.Context, s peers.Starter) error {
	if err := r.site.Origin.SetShape(ctx, origin.Shape{}); err != nil {
		return err
	}
	p, err := s.Start(ctx, r.site)
	if err != nil {
		return err
	}
	r.running[s.Name] = p
	if r.verified[s.Name] && !r.w.Warm {
		return nil
	}
	first := p.Target(r.site.Lessons[0])
	first.Drop = r.verified[s.Name]
	if err := r.fill(ctx, first); err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	if !r.verified[s.Name] {
		if err := load.Verify(ctx, first); err != nil {
			return fmt.Errorf("verifying: %w", err)
		}
		r.verified[s.Name] = true
	}
	return nil
}

// fillings is how often a file is read until a peer has all of it: one whose disk is slower than
// the origin may leave parts of it out.
const fillings = 6

// fill reads the lesson from a peer, and again until nothing of it is fetched any more where the
// workload wants it warm.
func (r *runner) fill(ctx context.Context, t load.Target) error {
	for range fillings {
		bytes, _, err := fetched(ctx, r.site.Origin, func() error {
			_, err := load.Whole(ctx, t, 0)
			return err
		})
		if err != nil || bytes == 0 || !r.w.Warm {
			return err
		}
		t.Drop = true // it has been compared
	}
	return fmt.Errorf("it still fetches after it was read %d times", fillings)
}

func (r *runner) once(ctx context.Context, s peers.Starter, round int) error {
	if r.w.Fresh {
		if err := r.start(ctx, s); err != nil {
			return err
		}
	}
	if err := r.site.Origin.SetShape(ctx, r.w.Shape); err != nil {
		return err
	}
	if !r.w.Warm { // else the origin has nothing to do
		if err := awaitIdle(ctx, r.site.Origin); err != nil {
			return err
		}
	}
	lesson := r.site.Lessons[0]
	if r.w.Lessons > 0 {
		lesson = r.site.Lessons[1+round%r.w.Lessons]
	}
	before, err := r.site.Origin.Stats(ctx)
	if err != nil {
		return err
	}
	sample, err := r.w.Run(ctx, Run{Peer: r.running[s.Name], Lesson: lesson, Lessons: r.site.Lessons[1:], Origin: r.site.Origin, Round: round})
	if err != nil {
		return err
	}
	after, err := r.site.Origin.Stats(ctx)
	if err != nil {
		return err
	}
	if n := after.BytesSent - before.BytesSent; r.w.Warm && n > 0 {
		return fmt.Errorf("%d bytes were fetched of what it should have kept", n)
	}
	sample.Workload, sample.Target, sample.Round = r.w.Name, s.Name, round
	r.set.Samples = append(r.set.Samples, sample)
	fmt.Fprintf(r.progress, "  %d  %-32s %s\n", round+1, s.Name, results.Line(sample))
	return nil
}

func (r *runner) fail(name string, round int, err error) {
	r.out[name] = true
	logs := ""
	if p := r.running[name]; p != nil {
		logs = p.Logs()
	}
	r.stop(name)
	if errors.Is(err, context.Canceled) {
		return
	}
	r.set.Failures = append(r.set.Failures, results.Failure{Workload: r.w.Name, Target: name, Round: round, Error: err.Error(), Logs: logs})
	fmt.Fprintf(r.progress, "  %d  %-32s failed: %v\n%s", round+1, name, err, logs)
}

func (r *runner) stop(name string) {
	if p := r.running[name]; p != nil {
		p.Stop()
		delete(r.running, name)
	}
}

func (r *runner) stopAll() {
	for name := range r.running {
		r.stop(name)
	}
}

// awaitIdle waits until the origin has no request, a few seconds at most: the read-ahead
// of one measurement must not count for the next.
func awaitIdle(ctx context.Context, o *origin.Origin) error {
	const still = 300 * time.Millisecond
	last, err := o.Stats(ctx)
	since := time.Now()
	for began := time.Now(); time.Since(since) < still && time.Since(began) < 8*time.Second && err == nil; {
		time.Sleep(20 * time.Millisecond)
		var now origin.Stats
		if now, err = o.Stats(ctx); now != last {
			last, since = now, time.Now()
		}
	}
	return err
}

// fetched counts the origin's bytes and requests while f runs and until the origin is
// idle again.
func fetched(ctx context.Context, o *origin.Origin, do func() error) (bytes, asks int64, err error) {
	before, err := o.Stats(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := do(); err != nil {
		return 0, 0, err
	}
	if err := awaitIdle(ctx, o); err != nil {
		return 0, 0, err
	}
	after, err := o.Stats(ctx)
	if err != nil {
		return 0, 0, err
	}
	return after.BytesSent - before.BytesSent, after.MediaRequests - before.MediaRequests, nil
}
