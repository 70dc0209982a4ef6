package media

import (
	"sync/atomic"
	"time"
)

// Residency remembers whether all bytes of a file were in the kernel's page cache when somebody
// looked, and when that was. The zero value remembers nothing. Safe for concurrent use.
type Residency struct {
	// looked is when somebody did, in nanoseconds since residencyBase; negative where bytes were missing.
	looked atomic.Int64
}

// residencyBase is the origin of Residency's times, on the monotonic clock.
var residencyBase = time.Now()

// Found returns what was found last, where that is less than within ago; else known is false.
func (r *Residency) Found(now time.Time, within time.Duration) (resident, known bool) {
	at := r.looked.Load()
	resident = at > 0
	age := int64(now.Sub(residencyBase)) - max(at, -at)
	return resident, at != 0 && age < int64(within)
}

// Set stores what was found now.
func (r *Residency) Set(now time.Time, resident bool) {
	at := max(int64(now.Sub(residencyBase)), 1)
	if !resident {
		at = -at
	}
	r.looked.Store(at)
}
