package workloads

import (
	"github.com/lectiospace/lectern/bench/eviction"
	"github.com/lectiospace/lectern/bench/results"
)

// capacityPercent is the size of the simulated caches, of all lessons together.
const capacityPercent = 10

// Eviction plays a school's days to the cache's own policy and its rivals, one
// trace a round.
func Eviction(rounds int, set *results.Set) {
	for round := range rounds {
		for _, r := range eviction.Run(eviction.School(uint64(round+1)), capacityPercent) {
			set.Samples = append(set.Samples, results.Sample{
				Workload: results.Eviction, Target: r.Policy, Round: round,
				Values: map[string]float64{results.ByteHits: 100 * r.Hits, results.Openings: 100 * r.Openings},
			})
		}
	}
}
