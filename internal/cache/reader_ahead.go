package cache

import (
	"time"

	"github.com/lectiospace/lectern/internal/cache/readahead"
)

// readAhead starts the fetches that are due beyond the reader's position, so that
// its stream does not wait at the end of each. Nothing is fetched beyond its span.
func (r *reader) readAhead() {
	if r.pos < r.nextPlan || r.pos >= r.end || r.fetched.end == r.fetched.first {
		return // while everything is on the disk, the first miss starts read-ahead
	}
	r.nextPlan = r.pos + readahead.Interval
	now := time.Now()
	r.plan.Observe(r.pos, now)
	for range 2 * r.plan.Streams() {
		from, others, due := r.nextUnplanned(now)
		if !due || !r.plan.ShouldFetch(r.pos, from, others.busy, r.passThrough) {
			return
		}
		r.findOnDisk(from)
		size, exact := r.plan.RequestSize(r.pos, from, others.left)
		if f := r.c.startOrJoin(r, from, size, exact); f != nil {
			r.c.mu.Lock()
			r.passThrough = f.fills[0] != nil && !f.fills[0].storable
			r.c.mu.Unlock()
		}
	}
}

// readAheadBackoff is how long nothing is read ahead after a failure.
const readAheadBackoff = 2 * time.Second

// transfers are a reader's fetches that a new one would compete with.
type transfers struct {
	busy int   // those that transfer for longer than a new one's first byte takes
	left int64 // bytes that they will have to bring then
}

// nextUnplanned returns the first byte ahead that is neither there nor being
// fetched, and the reader's fetches that transfer something. It attaches the reader to
// the fetches before that byte. due is false where nothing may be read ahead now. c.mu
// is not held.
func (r *reader) nextUnplanned(now time.Time) (from int64, others transfers, due bool) {
	c := r.c
	c.mu.Lock()
	defer c.mu.Unlock()
	from = r.advanceFrontier()
	for _, f := range r.fetches {
		switch {
		case f.err != nil && !f.closed:
			// What failed is fetched again when it is wanted: an origin that is down gets
			// no more requests than there are readers that wait.
			r.backoffUntil = now.Add(readAheadBackoff)
		default:
			if left := f.leftAfterFirstByte(now); left > 0 {
				others.busy++
				others.left += left
			}
		}
	}
	return from, others, from < r.end && !c.buffers.hasWaiters() && !now.Before(r.backoffUntil)
}

// advanceFrontier moves the frontier to the first chunk that is neither there nor
// being fetched as a whole, no further than the horizon, and returns the first byte
// to fetch. Runs of available chunks are skipped by one look; fetches within the
// horizon are few. c.mu is held.
func (r *reader) advanceFrontier() (from int64) {
	c := r.c
	r.frontier = max(r.frontier, r.chunk)
	o := c.index.objects[r.key]
	horizon := r.plan.Horizon(r.pos)
	last := (horizon + c.chunkSize - 1) / c.chunkSize
	for ; ; r.frontier++ {
		var fl *fill
		if o != nil && r.frontier < last {
			if fl = o.filling[r.frontier]; fl == nil {
				r.frontier = o.table.nextMissing(r.frontier, last)
				fl = o.filling[r.frontier]
			}
		}
		start := r.frontier * c.chunkSize
		if from = max(r.pos, start); from >= horizon || fl == nil {
			return from
		}
		gap := fl.attachFrom(r, from-start)
		if from = start + gap; gap < fl.length {
			return from
		}
	}
}
