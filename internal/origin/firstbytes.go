package origin

import (
	"slices"
	"sync"
	"time"
)

// firstBytes are how long an origin's recent first bytes took. The zero value is empty.
// Safe for concurrent use.
type firstBytes struct {
	mu     sync.Mutex
	recent [64]time.Duration // a ring of count%len; guarded by mu
	count  int               // of all ever added; guarded by mu
	p95    time.Duration     // of recent; guarded by mu
}

func (f *firstBytes) add(took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent[f.count%len(f.recent)] = took
	f.count++
	sorted := f.recent
	known := sorted[:min(f.count, len(sorted))]
	slices.Sort(known)
	f.p95 = known[(len(known)*95-1)/100]
}

// late is how long a wait must take to be unusual; least while little is known.
func (f *firstBytes) late(least time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(least, lateFactor*f.p95)
}
