package workloads

import (
	"github.com/lectiospace/lectern/bench/eviction"
	"github.com/lectiospace/lectern/bench/results"
)

// capacityPercent is the size of the simulated caches, of all lessons together.
const capacityPercent = 10

// Eviction simulates the cache's own policy and the reference policies, one trace a round.
func Eviction(rounds int, set *results.Set) {
	for round := range rounds {
		for _, r := range eviction.Run(eviction.DefaultTrace(uint64(round+1)), capacityPercent, eviction.Policies) {
			set.Samples = append(set.Samples, results.Sample{
				Workload: results.Eviction, Target: r.Policy, Round: round,
				Values: map[string]float64{results.ByteHits: 100 * r.Hits, results.Openings: 100 * r.Openings, results.Written: r.Written},
			})
		}
	}
}
