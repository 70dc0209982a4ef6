package intake

import (
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Of the requests that are refused, refusalBurst are logged at once and refusalsPerSecond
// from then on: anybody who reaches the listener could fill the disk otherwise.
const (
	refusalsPerSecond = 1
	refusalBurst      = 20
)

// sampler limits log lines, and counts those that it leaves out. Safe for concurrent use.
type sampler struct {
	limiter *rate.Limiter
	omitted atomic.Int64
}

func newSampler() *sampler {
	return &sampler{limiter: rate.NewLimiter(refusalsPerSecond, refusalBurst)}
}

// next reports whether a line is logged, and how many were left out since the last one.
func (s *sampler) next(now time.Time) (omitted int64, logged bool) {
	if !s.limiter.AllowN(now, 1) {
		s.omitted.Add(1)
		return 0, false
	}
	return s.omitted.Swap(0), true
}
