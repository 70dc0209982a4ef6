package main

import (
	"slices"
	"time"

	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
	"github.com/lectiospace/lectern/bench/workloads"
)

const mib = 1 << 20

// drivelike is an origin as Drive is from a data centre; nearby is one that does
// not hold anybody up.
var (
	drivelike = origin.Shape{Latency: 50 * time.Millisecond, Rate: 8 * mib}
	nearby    = origin.Shape{Latency: 5 * time.Millisecond}
)

// lengths are how often and how long things are measured.
type lengths struct {
	rounds, few  int           // few where one round says as much as many, or takes long
	hotFor, hold time.Duration // of a hot round, and of watching slow viewers
	cold         int64         // bytes of a cold file from a slow origin
	seeks        int
	archive      int   // lessons
	faster       int64 // than the players were recorded
}

func (o options) lengths() lengths {
	l := lengths{rounds: 5, few: 3, hotFor: 1500 * time.Millisecond, hold: 6 * time.Second, cold: 64 * mib, seeks: 12, archive: 64, faster: 4}
	if o.quick {
		l = lengths{rounds: 2, few: 1, hotFor: 700 * time.Millisecond, hold: 4 * time.Second, cold: 32 * mib, seeks: 8, archive: 32, faster: 5}
	}
	if o.rounds > 0 {
		l.rounds, l.few = o.rounds, o.rounds
	}
	return l
}

// profiledLessons are what a profile of cold files takes.
const profiledLessons = 6

// warmSize is the size of the lesson that slow viewers watch: each takes a few MB of it.
const warmSize = 256 * mib

// plan is what is run, in order.
func (o options) plan() (plan []workloads.Workload, err error) {
	l := o.lengths()
	recordings, err := workloads.Recordings()
	if err != nil {
		return nil, err
	}
	fetching := peersFetching(o.quick)
	deployed := []peers.Starter{peers.NginxSliceTLS("1m"), peers.DeployedNginx(), peers.DeployedHAProxy(), peers.NginxStaticTLS(), peers.HAProxyBound()}
	// With slices of 1 MiB 200 viewers' ranges without an end have nginx open more files than the
	// 20,000 a worker that systems allow.
	mixed := []peers.Starter{peers.NginxSlice("8m", peers.AuthCached, peers.Logged), peers.Gateway(), peers.NginxStatic(peers.AuthNone, peers.Unlogged)}
	keeping := []peers.Starter{peers.Gateway(), peers.NginxSlice("1m", peers.AuthNone, peers.Unlogged), peers.Rclone()}
	large := workloads.Sequential(results.ColdLarge, 3<<30, nearby, l.few, slices.DeleteFunc(slices.Clone(fetching), func(s peers.Starter) bool {
		return s.Name == peers.Varnish().Name // it has not so much memory
	}))
	large.Fresh, large.PeerRounds = true, 2 // what one has left to be written must not slow the next down

	all := []workloads.Workload{
		workloads.Hot(results.Hot64K, 64<<10, l.hotFor, l.rounds, peersCached(o.quick, true)),
		workloads.HotThreads(results.Hot1M, mib, l.hotFor, l.rounds, peersCached(o.quick, false)),
		workloads.HotThreads(results.Hot8M, 8*mib, l.hotFor, l.rounds, peersCached(o.quick, false)),
		workloads.HotThreads(results.Threads64K, 64<<10, l.hotFor, l.few, peersStreaming()),
		workloads.Hot(results.Turns1M, mib, l.hotFor, l.few, peersStreaming()),
		workloads.Hot(results.Turns8M, 8*mib, l.hotFor, l.few, peersStreaming()),
		workloads.HotCompared(results.Same64K, 64<<10, l.hotFor, 1, peersCompared(o.quick)),
		workloads.HotCompared(results.Same8M, 8*mib, l.hotFor, 1, peersCompared(o.quick)),
		few(workloads.Sequential(results.ColdSlow, l.cold, drivelike, l.rounds, fetching), min(l.few, 2)),
		few(workloads.Sequential(results.ColdFast, 256*mib, nearby, l.rounds, fetching), l.few),
		large,
		few(workloads.CrowdOf(results.Crowd, 50, 64*mib, drivelike, l.rounds, without(fetching, peers.RelayBound())), min(l.few, 2)),
		few(workloads.Seeks(results.Seek, l.seeks, mib, 768*mib, drivelike, l.rounds, without(fetching, peers.Varnish())), l.few),
		workloads.Slow(results.Slow1000, 1000, warmSize, l.hold, l.few, peersStreaming()),
		workloads.Slow(results.Slow5000, 5000, warmSize, l.hold, l.few, peersStreaming()),
		workloads.Hot(results.Deployed, mib, l.hotFor, l.rounds, deployed),
		workloads.Mix(results.Mix, 200, l.faster, recordings, l.few, mixed),
		workloads.Crawl(results.Flash, l.archive, 16*mib, l.few, keeping),
	}
	for _, w := range all {
		if !o.only.MatchString(w.Name) || o.quick && w.Name == results.ColdLarge {
			continue
		}
		if w.Profile = slices.Contains([]string{results.Hot64K, results.Hot8M, results.ColdFast}, w.Name); w.Profile && w.Lessons > 0 && o.profiles != "" {
			w.Lessons += profiledLessons
		}
		base := w.Peers[0].Name
		w.Peers = slices.DeleteFunc(slices.Clone(w.Peers), func(s peers.Starter) bool {
			return s.Name != base && !o.against.MatchString(s.Name)
		})
		plan = append(plan, w)
	}
	return plan, nil
}

// few has the peers measured less often than the gateway and the reference.
func few(w workloads.Workload, rounds int) workloads.Workload {
	w.PeerRounds = rounds
	return w
}

func without(compared []peers.Starter, one peers.Starter) []peers.Starter {
	return slices.DeleteFunc(slices.Clone(compared), func(s peers.Starter) bool { return s.Name == one.Name })
}

// peersCached are the servers of a cached file. The small ranges, where it costs the most who may
// watch, have each way to check it.
func peersCached(quick, small bool) []peers.Starter {
	compared := []peers.Starter{
		peers.NginxStatic(peers.AuthNone, peers.Unlogged), peers.Gateway(), peers.SendfileBound(),
		peers.NginxStatic(peers.AuthNone, peers.Logged), peers.NginxSlice("1m", peers.AuthEach, peers.Unlogged),
	}
	if small {
		compared = append(compared, peers.GatewayEachLogged())
	}
	if quick {
		return compared
	}
	if small {
		compared = append(compared,
			peers.NginxStatic(peers.AuthEach, peers.Unlogged), peers.NginxStatic(peers.AuthCached, peers.Unlogged),
			peers.NginxSlice("1m", peers.AuthNone, peers.Unlogged), peers.NginxSlice("1m", peers.AuthCached, peers.Unlogged))
	}
	return append(compared, peers.NginxSlice("1m", peers.AuthEach, peers.Logged), peers.Varnish(), peers.Rclone())
}

func peersCompared(quick bool) []peers.Starter {
	compared := []peers.Starter{peers.NginxStatic(peers.AuthNone, peers.Unlogged), peers.Gateway()}
	if quick {
		return compared
	}
	return append(compared, peers.NginxSlice("1m", peers.AuthEach, peers.Unlogged), peers.Varnish(), peers.Rclone())
}

func peersFetching(quick bool) []peers.Starter {
	compared := []peers.Starter{
		peers.Direct(), peers.Gateway(), peers.RelayBound(), peers.NginxSlice("1m", peers.AuthNone, peers.Unlogged), peers.Rclone(),
	}
	if quick {
		return compared
	}
	return append(compared, peers.NginxSlice("8m", peers.AuthNone, peers.Unlogged), peers.Varnish())
}

func peersStreaming() []peers.Starter {
	return []peers.Starter{peers.NginxStatic(peers.AuthNone, peers.Unlogged), peers.Gateway(), peers.SendfileBound()}
}
