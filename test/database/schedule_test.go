package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/pgtest/faultproxy"
)

// fault is one kind of fault, for a while.
type fault struct {
	name string
	// brief faults leave connections that work when they are over; the others leave ones
	// that never answer.
	brief bool
	do    func(p *faultproxy.Proxy, random *rand.Rand, hold func(time.Duration))
}

// faultKinds are what happens to the connections of a node.
var faultKinds = []fault{
	{"away", true, func(p *faultproxy.Proxy, _ *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{Away: true})
		hold(time.Second)
	}},
	{"cut once", true, func(p *faultproxy.Proxy, _ *rand.Rand, _ func(time.Duration)) { p.Cut() }},
	{"cut every few milliseconds", true, func(p *faultproxy.Proxy, random *rand.Rand, hold func(time.Duration)) {
		for range 3 + random.IntN(5) {
			p.Cut()
			hold(40 * time.Millisecond)
		}
	}},
	{"stalled, then on", true, func(p *faultproxy.Proxy, _ *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{Stalled: true})
		hold(time.Second)
	}},
	{"stalled, then cut", true, func(p *faultproxy.Proxy, _ *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{Stalled: true})
		hold(time.Second)
		p.Cut()
	}},
	{"slow", true, func(p *faultproxy.Proxy, random *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{Delay: time.Duration(1+random.IntN(30)) * time.Millisecond, Rate: 20_000})
		hold(time.Second)
	}},
	{"commits not seen", true, func(p *faultproxy.Proxy, random *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{At: faultproxy.Commits(1+random.IntN(10), faultproxy.CutBefore)})
		awaitCommits(hold)
	}},
	{"commits' answers lost", true, func(p *faultproxy.Proxy, random *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{At: faultproxy.Commits(1+random.IntN(10), faultproxy.CutAfter)})
		awaitCommits(hold)
	}},
	{"statements cut", true, func(p *faultproxy.Proxy, random *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{At: statements(random, 20, faultproxy.CutBefore, faultproxy.CutAfter)})
		hold(500 * time.Millisecond)
	}},
	{"connections end after some bytes", true, func(p *faultproxy.Proxy, random *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{CutAfterBytes: 200 + random.Int64N(5000)})
		p.Cut()
		hold(500 * time.Millisecond)
	}},
	{"commits' answers never come", false, func(p *faultproxy.Proxy, random *rand.Rand, hold func(time.Duration)) {
		p.Set(faultproxy.Faults{At: faultproxy.Commits(1+random.IntN(3), faultproxy.Hang)})
		hold(500 * time.Millisecond)
	}},
	{"abandoned", false, func(p *faultproxy.Proxy, _ *rand.Rand, _ func(time.Duration)) { p.Abandon() }},
}

// awaitCommits is long enough for some commits: they are few among the statements.
func awaitCommits(hold func(time.Duration)) {
	for range 5 {
		hold(500 * time.Millisecond)
	}
}

// statements cuts one in n statements. It has a generator of its own: the schedule goes on with
// random meanwhile.
func statements(random *rand.Rand, n int, actions ...faultproxy.Action) func(string) faultproxy.Action {
	var mu sync.Mutex
	random = rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
	return func(text string) faultproxy.Action {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(text, "-- ping") || random.IntN(n) != 0 {
			return faultproxy.Pass
		}
		return actions[random.IntN(len(actions))]
	}
}

// span is when something was wrong with a node, in the history's time.
type span struct{ from, to int64 }

// schedule injects faults into proxies until its context ends. Each proxy has its own
// sequence, which its seed decides.
type schedule struct {
	proxies []*faultproxy.Proxy
	kinds   []fault
	// pause is the mean time between two faults of a proxy, longest the longest of one.
	pause, longest time.Duration
	now            func() int64

	running sync.WaitGroup
	mu      sync.Mutex
	begun   int            // how often it was started; guarded by mu
	faulty  [][]span       // by proxy; guarded by mu
	counts  map[string]int // by the faults' names; guarded by mu
}

// brief are the kinds of faults that are over when they are.
func brief() []fault {
	return slices.DeleteFunc(slices.Clone(faultKinds), func(f fault) bool { return !f.brief })
}

// start may be called again after wait: the faults add up, and are others.
func (s *schedule) start(ctx context.Context, seed uint64) {
	s.mu.Lock()
	if s.begun == 0 {
		s.faulty, s.counts = make([][]span, len(s.proxies)), map[string]int{}
	}
	offset := s.begun * len(s.proxies)
	s.begun++
	s.mu.Unlock()
	for i, p := range s.proxies {
		random := rand.New(rand.NewPCG(seed, uint64(offset+i)))
		s.running.Go(func() { s.run(ctx, i, p, random) })
	}
}

// wait returns when all proxies are as if nothing had been.
func (s *schedule) wait() { s.running.Wait() }

func (s *schedule) run(ctx context.Context, i int, p *faultproxy.Proxy, random *rand.Rand) {
	hold := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	defer p.Set(faultproxy.Faults{})
	for {
		hold(time.Duration((0.5 + random.Float64()) * float64(s.pause)))
		if ctx.Err() != nil {
			return
		}
		kind := s.kinds[random.IntN(len(s.kinds))]
		from := s.now()
		kind.do(p, random, func(d time.Duration) { hold(min(d, time.Duration(random.Float64()*float64(s.longest)))) })
		p.Set(faultproxy.Faults{})
		s.mu.Lock()
		s.faulty[i] = append(s.faulty[i], span{from, s.now()})
		s.counts[kind.name]++
		s.mu.Unlock()
	}
}

// injected is how many faults there have been.
func (s *schedule) injected() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.counts {
		n += of
	}
	return n
}

// until returns what reports whether there are less than n faults from now on: clients go on
// as long, however fast they are. Without proxies there are none to wait for.
func (s *schedule) until(n int) (more func() bool) {
	enough := s.injected() + n
	return func() bool { return len(s.proxies) > 0 && s.injected() < enough }
}

// String lists how often there was which fault.
func (s *schedule) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for name, n := range s.counts {
		all = append(all, fmt.Sprintf("%d× %s", n, name))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// during reports whether something was wrong with a node's database in a time, or not known
// to be over.
func (s *schedule) during(node int, call, end int64, recovery time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.faulty[node], func(f span) bool { return f.from <= end && f.to+int64(recovery) >= call })
}

// everywhere runs what is a fault of all nodes.
func (s *schedule) everywhere(name string, do func()) {
	from := s.now()
	do()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faulty {
		s.faulty[i] = append(s.faulty[i], span{from, s.now()})
	}
	s.counts[name]++
}

// putOff is the last moment at which a node may still act on what was true before a change
// that was acknowledged at a moment: the staleness that is promised, and while its database
// cannot be reached, until recovery after that is over.
func (s *schedule) putOff(node int, acknowledged int64, stale, recovery time.Duration) int64 {
	end := acknowledged + int64(stale)
	for _, f := range s.faulty[node] {
		// One that was over before may not be known to be over yet.
		if over := f.to + int64(recovery); f.from <= end && over >= acknowledged {
			end = max(end, over)
		}
	}
	return end
}
