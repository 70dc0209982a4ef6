package workloads

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/bench/content"
	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/meter"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

// Soak is many viewers for long: the slow ones watch at a lesson's rate, and the kernel drops what
// they read; the seeking ones read a piece somewhere, compare every byte, hang up, and go elsewhere.
type Soak struct {
	Slow, Seeking int
	For           time.Duration
	// Evict gives the gateway a cache of half the lessons, so that chunks come and go all the time.
	Evict bool
}

const (
	soakLessons = 4
	soakSize    = 512 << 20
	soakMost    = 2 << 20         // a seeking viewer reads up to so much before the next jump
	soakPause   = 4 * time.Second // and then rests for so long, on average
	soakLooks   = 240             // how often the gateway is looked at, evenly
	soakUnit    = 64 << 10        // what counts as one piece when unique bytes are counted
	soakStall   = time.Second
)

// Soak watches the gateway under s, and returns what it has seen, verdicts included. The error is
// of what keeps it from seeing: a wrong byte, a refused request, a gateway that died.
func (b *Bench) Soak(ctx context.Context, s Soak) (*results.Soak, error) {
	site := *b.Site
	site.CacheBytes = soakLessons * soakSize * 3 / 2
	if s.Evict {
		site.CacheBytes = soakLessons * soakSize / 2
	}
	var files []origin.File
	for i := range soakLessons {
		l := peers.Lesson{Name: fmt.Sprintf("soak%d", i), Recording: i + 1, Content: content.New(soakSize, uint64(i+1))}
		site.Lessons = append(site.Lessons, l)
		files = append(files, origin.File{Name: l.Name, Content: l.Content})
	}
	from, err := origin.Start(ctx, files)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	if err := from.SetShape(ctx, origin.Shape{Latency: 20 * time.Millisecond}); err != nil {
		return nil, err
	}
	site.Origin = from
	gateway, err := peers.Gateway().Start(ctx, &site)
	if err != nil {
		return nil, err
	}
	defer gateway.Stop()
	echo, err := load.StartEcho(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = echo.Stop() }()

	w := &soakWatch{gateway: gateway, origin: from, echo: echo, seen: make([]pieces, soakLessons)}
	for i := range w.seen {
		w.seen[i] = make(pieces, (soakSize/soakUnit+63)/64)
	}
	slow, err := load.StartViewers(ctx, s.Slow, load.Watching{
		Target: func(viewer int) load.Target {
			t := gateway.Target(site.Lessons[viewer%soakLessons])
			t.Drop = true
			return t
		},
		BytesPerSecond: slowRate, Gap: 2 * time.Millisecond, Again: true,
		Read: func(viewer int, off, n int64, awaited, belated time.Duration) {
			w.read(viewer%soakLessons, off, n)
			w.waited(awaited, belated)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, gateway.Logs())
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	group, until := errgroup.WithContext(running)
	for viewer := range s.Seeking {
		group.Go(func() error { return w.seek(until, site.Lessons, viewer) })
	}
	group.Go(func() error {
		defer cancel() // the seeking viewers end with the last look
		return w.lookOn(until, s.For, b)
	})
	err = group.Wait()
	if _, stopErr := slow.Stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, gateway.Logs())
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := &results.Soak{
		Slow: s.Slow, Seeking: s.Seeking, Evicting: s.Evict, CacheBytes: site.CacheBytes, LessonBytes: soakLessons * soakSize,
		Points: w.points, Seeks: w.seeks.Load(), Stalls: w.stalls,
	}
	seen.SetFirsts(w.firsts)
	return seen, nil
}

// soakWatch is what is seen meanwhile.
type soakWatch struct {
	gateway *peers.Peer
	origin  *origin.Origin
	echo    *load.Echo
	seen    []pieces
	served  atomic.Int64 // bytes that viewers have read
	unique  atomic.Int64 // bytes of the pieces that somebody has read from
	seeks   atomic.Int64
	worst   atomic.Int64 // the longest wait since the last look, in nanoseconds

	mu     sync.Mutex
	firsts []time.Duration     // of the seeking viewers; guarded by mu
	stalls []results.SoakStall // guarded by mu
	points []results.SoakPoint // guarded by mu
	began  time.Time
}

// pieces has a bit for each piece of a lesson.
type pieces []atomic.Uint64

// read counts bytes that a viewer has got.
func (w *soakWatch) read(lesson int, off, n int64) {
	w.served.Add(n)
	for i := off / soakUnit; i <= (off+n-1)/soakUnit; i++ {
		bit := uint64(1) << (i % 64)
		if w.seen[lesson][i/64].Or(bit)&bit == 0 {
			w.unique.Add(soakUnit)
		}
	}
}

// waited counts a wait for bytes. One that is longer than a second is a stall. belated is how much
// later than it meant to the viewer began to wait: a machine that wakes it late keeps it from
// reading as well.
func (w *soakWatch) waited(awaited, belated time.Duration) {
	for {
		worst := w.worst.Load()
		if int64(awaited) <= worst || w.worst.CompareAndSwap(worst, int64(awaited)) {
			break
		}
	}
	if awaited < soakStall {
		return
	}
	machine := max(belated, w.echo.Worst(time.Now().Add(-awaited-soakStall)))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalls = append(w.stalls, results.SoakStall{At: time.Since(w.began).Seconds(), Seconds: awaited.Seconds(), Machine: machine.Seconds()})
}

// seek is one seeking viewer.
func (w *soakWatch) seek(ctx context.Context, lessons []peers.Lesson, viewer int) error {
	rng := rand.New(rand.NewPCG(uint64(viewer), 3))
	for {
		rest := time.NewTimer(time.Duration(rng.Int64N(int64(2 * soakPause))))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return nil
		}
		want, lesson := 1+rng.Int64N(soakMost), rng.IntN(len(lessons))
		off := rng.Int64N(lessons[lesson].Content.Size() - want)
		r, err := load.Seek(ctx, w.gateway.Target(lessons[lesson]), viewer, off, want)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("bytes from %d on of lesson %d: %w", off, lesson+1, err)
		}
		w.seeks.Add(1)
		w.read(lesson, off, want)
		w.waited(r.First[0], 0)
		w.mu.Lock()
		w.firsts = append(w.firsts, r.First[0])
		w.mu.Unlock()
	}
}

// lookOn looks at the gateway until the time is over.
func (w *soakWatch) lookOn(ctx context.Context, runFor time.Duration, b *Bench) error {
	w.mu.Lock()
	w.began = time.Now()
	w.mu.Unlock()
	tick := time.NewTicker(runFor / soakLooks)
	defer tick.Stop()
	for look := range soakLooks {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p, err := w.look(ctx)
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.points = append(w.points, p)
		w.mu.Unlock()
		if look%10 == 9 {
			fmt.Fprintf(b.Progress, "%5.0f s: %7d seeks, %6.1f GiB, RSS %.0f MiB, %.0f descriptors, %.0f goroutines, longest wait %.0f ms (machine %.0f), origin %.0f MiB (asked for %.0f) of %.0f unique\n",
				p.At, w.seeks.Load(), p.Served/1024, p.RSS, p.Descriptors, p.Goroutines, p.Worst, p.Machine, p.Sent, p.Asked, p.Unique)
		}
	}
	return nil
}

const mebi = 1 << 20

// look is the gateway now.
func (w *soakWatch) look(ctx context.Context) (p results.SoakPoint, err error) {
	var page bytes.Buffer
	if err := peers.Fetch(ctx, "http://"+w.gateway.Admin+"/metrics", &page); err != nil {
		return p, err
	}
	gauges, err := parseGauges(page.Bytes(), "go_goroutines", "process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total")
	if err != nil {
		return p, err
	}
	sockets, err := meter.SocketMemory()
	if err != nil {
		return p, err
	}
	stats, err := w.origin.Stats(ctx)
	if err != nil {
		return p, err
	}
	w.mu.Lock()
	at := time.Since(w.began)
	every := at
	if len(w.points) > 0 {
		every = at - time.Duration(w.points[len(w.points)-1].At*float64(time.Second))
	}
	w.mu.Unlock()
	return results.SoakPoint{
		At: at.Seconds(), RSS: gauges[2] / mebi, Sockets: float64(sockets) / mebi, Descriptors: gauges[1], Goroutines: gauges[0], CPU: gauges[3],
		Served: float64(w.served.Load()) / mebi, Unique: float64(w.unique.Load()) / mebi,
		Sent: float64(stats.BytesSent) / mebi, Asked: float64(stats.BytesAsked) / mebi,
		Worst: milliseconds(time.Duration(w.worst.Swap(0))), Machine: milliseconds(w.echo.Worst(time.Now().Add(-every))),
	}, nil
}

// parseGauges finds metrics without labels in a page in the format of Prometheus.
func parseGauges(page []byte, names ...string) ([]float64, error) {
	values := make([]float64, len(names))
	found := 0
	for scan := bufio.NewScanner(bytes.NewReader(page)); scan.Scan(); {
		for i, name := range names {
			text, ok := strings.CutPrefix(scan.Text(), name+" ")
			if !ok {
				continue
			}
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			values[i] = v
			found++
		}
	}
	if found != len(names) {
		return nil, fmt.Errorf("%d of the metrics %s are there", found, strings.Join(names, ", "))
	}
	return values, nil
}
