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

// plan is what is run, in order.
func (o options) plan() (plan []workloads.Workload, err error) {
	rounds, hotFor, hold, coldSize, archive, faster := 5, 1500*time.Millisecond, 8*time.Second, int64(64*mib), 64, int64(4)
	if o.quick {
		rounds, hotFor, hold, coldSize, archive, faster = 2, 800*time.Millisecond, 4*time.Second, 32*mib, 24, 5
	}
	if o.rounds > 0 {
		rounds = o.rounds
	}
	cached := []peers.Starter{
		peers.NginxStatic(peers.AuthNone, peers.Unlogged), peers.Gateway(), peers.SendfileBound(),
		peers.NginxStatic(peers.AuthNone, peers.Logged),
		peers.NginxStatic(peers.AuthEach, peers.Unlogged), peers.NginxStatic(peers.AuthCached, peers.Unlogged),
		peers.NginxSlice("1m", peers.AuthNone, peers.Unlogged), peers.NginxSlice("1m", peers.AuthEach, peers.Unlogged),
		peers.NginxSlice("1m", peers.AuthCached, peers.Unlogged), peers.NginxSlice("1m", peers.AuthEach, peers.Logged),
		peers.Varnish(), peers.Rclone(),
	}
	comparing := []peers.Starter{
		peers.NginxStatic(peers.AuthNone, peers.Unlogged), peers.Gateway(), peers.NginxSlice("1m", peers.AuthEach, peers.Unlogged), peers.Varnish(), peers.Rclone(),
	}
	fetching := []peers.Starter{
		peers.Direct(), peers.Gateway(), peers.RelayBound(), peers.NginxSlice("1m", peers.AuthNone, peers.Unlogged),
		peers.NginxSlice("2m", peers.AuthNone, peers.Unlogged), peers.NginxSlice("8m", peers.AuthNone, peers.Unlogged), peers.Varnish(), peers.Rclone(),
	}
	crowding := []peers.Starter{
		peers.Direct(), peers.Gateway(), peers.NginxSlice("1m", peers.AuthNone, peers.Unlogged),
		peers.NginxSlice("2m", peers.AuthNone, peers.Unlogged), peers.NginxSlice("8m", peers.AuthNone, peers.Unlogged), peers.Varnish(), peers.Rclone(),
	}
	seeking := []peers.Starter{
		peers.Direct(), peers.Gateway(), peers.RelayBound(), peers.NginxSlice("1m", peers.AuthNone, peers.Unlogged),
		peers.NginxSlice("8m", peers.AuthNone, peers.Unlogged), peers.Rclone(),
	}
	streaming := []peers.Starter{peers.NginxStatic(peers.AuthNone, peers.Unlogged), peers.Gateway(), peers.SendfileBound(), peers.NginxStatic(peers.AuthNone, peers.Logged)}

	keeping := []peers.Starter{peers.Gateway(), peers.NginxSlice("1m", peers.AuthNone, peers.Unlogged), peers.Rclone()}

	deployed := []peers.Starter{peers.NginxSliceTLS("1m"), peers.DeployedNginx(), peers.DeployedHAProxy()}
	mixed := []peers.Starter{peers.NginxSlice("1m", peers.AuthCached, peers.Logged), peers.Gateway(), peers.SendfileBound()}
	recordings, err := workloads.Recordings()
	if err != nil {
		return nil, err
	}

	all := []workloads.Workload{
		workloads.Hot(results.Hot64K, 64<<10, hotFor, rounds, cached),
		workloads.Hot(results.Hot1M, mib, hotFor, rounds, cached),
		workloads.Hot(results.Hot8M, 8*mib, hotFor, rounds, cached),
		workloads.HotCompared(results.Same64K, 64<<10, hotFor, 1, comparing),
		workloads.HotCompared(results.Same8M, 8*mib, hotFor, 1, comparing),
		workloads.Sequential(results.ColdSlow, coldSize, drivelike, rounds, fetching),
		workloads.Sequential(results.ColdFast, 256*mib, nearby, rounds, fetching),
		workloads.CrowdOf(results.Crowd, 50, coldSize, drivelike, rounds, crowding),
		workloads.Seeks(results.Seek, 12, mib, 768*mib, drivelike, rounds, seeking),
		workloads.Slow(results.Slow1000, 1000, hold, rounds, streaming),
		workloads.Slow(results.Slow5000, 5000, hold, rounds, streaming),
		workloads.Hot(results.Deployed, mib, hotFor, rounds, deployed),
		workloads.Mix(results.Mix, 200, faster, recordings, rounds, mixed),
		workloads.Crawl(results.Flash, archive, 16*mib, rounds, keeping),
	}
	for _, w := range all {
		if !o.only.MatchString(w.Name) {
			continue
		}
		base := w.Peers[0].Name
		w.Peers = slices.DeleteFunc(slices.Clone(w.Peers), func(s peers.Starter) bool {
			return s.Name != base && !o.against.MatchString(s.Name)
		})
		plan = append(plan, w)
	}
	return plan, nil
}
