package cache

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/cache/readahead"
	"github.com/lectiospace/lectern/internal/media"
)

// nearStart is how far behind a chunk's start, in bytes, a wanted byte may lie for
// the chunk to be fetched from its start: one request saved for a few milliseconds.
const nearStart = 16 << 10

// fetchPlan is what a new fetch would request.
type fetchPlan struct {
	gapIn      *fill // the fill of its first chunk, when the fetch is to close a gap there
	first, end int64 // chunks
	from, to   int64 // bytes of the object
	granted    int64 // buffers whose space has been acquired for it
}

// chunkLength is how many bytes chunk index of an object of size bytes has.
func (c *Cache) chunkLength(index, size int64) int64 {
	return min(c.chunkSize, size-index*c.chunkSize)
}

// planFetch plans a fetch from byte from on, of want bytes, rounded up to the end of
// a chunk unless exact. It ends before the first chunk that is committed or being
// fetched. ok is false when the byte at from is; current is then the fetch that
// brings it, if there is one. c.mu is held.
func (c *Cache) planFetch(key objectKey, obj media.Object, from, want int64, exact bool) (plan fetchPlan, current *fetch, ok bool) {
	index := from / c.chunkSize
	off, length := from-index*c.chunkSize, c.chunkLength(index, obj.Size)
	o := c.index.objects[key]
	plan = fetchPlan{first: index, end: index + 1, from: from, to: index*c.chunkSize + length}
	if c.index.find(o, index) != 0 {
		return fetchPlan{}, nil, false
	}
	if o != nil && o.filling[index] != nil {
		plan.gapIn = o.filling[index]
		if p := plan.gapIn.partAt(off); p != nil {
			return fetchPlan{}, p.fetch, false
		}
		if gapEnd := plan.gapIn.gapEnd(off); gapEnd < length {
			plan.to = index*c.chunkSize + gapEnd
			return plan, nil, true
		}
	} else if off <= nearStart {
		plan.from -= off
	}
	// A request is 16 MiB at most, which bounds the chunks that are looked at.
	end := min((obj.Size+c.chunkSize-1)/c.chunkSize, (from+want+c.chunkSize-1)/c.chunkSize)
	if o != nil {
		end = o.table.nextAvailable(plan.end, max(plan.end, end))
	}
	for ; plan.end < end && (o == nil || o.filling[plan.end] == nil); plan.end++ {
		plan.to += c.chunkLength(plan.end, obj.Size)
	}
	if exact {
		plan.to = min(plan.to, from+want)
	}
	return plan, nil, true
}

// storable reports whether the new chunks of a plan may be stored once they are
// complete; else they pass through. c.mu is held.
func (c *Cache) storable(p fetchPlan, obj media.Object) bool {
	return p.end-1 <= maxIndex && c.mayStore(spaceOf(c.chunkLength(p.first, obj.Size)))
}

// startOrJoin starts a fetch for a reader, or attaches the reader to the one that
// brings the same byte. nil means that the byte is there, or that the caller has to
// look for it again. It reserves no disk space: of a crowd that wants the same chunk all
// but one would reserve it in vain. c.mu is not held.
func (c *Cache) startOrJoin(r *reader, from, want int64, exact bool) *fetch {
	named := len(identity(r.obj, c.chunkSize)) <= chunkfile.MaxIdentity
	c.mu.Lock()
	defer c.mu.Unlock()
	plan, current, ok := c.planFetch(r.key, r.obj, from, want, exact)
	if !ok {
		return r.joinCurrent(current)
	}
	storable := named && c.storable(plan, r.obj)
	if !storable && want > readahead.PassThroughRequest {
		// Memory is dearer than disk: a short fetch, and the next one when needed.
		plan, _, _ = c.planFetch(r.key, r.obj, from, readahead.PassThroughRequest, exact)
	}
	c.grantBuffers(&plan)
	f := c.startFetch(r.obj, r.key, plan, storing{storable, r.keep}, r.traceparent)
	f.starter = r
	f.attach(r)
	return f
}

// grantBuffers acquires buffers for the new chunks of a plan, and shortens the plan to those that
// it gets: a fetch does not wait for memory once the origin serves it. Where there is none the plan
// keeps one chunk, whose fetch waits for its buffer before it begins. c.mu is held.
func (c *Cache) grantBuffers(plan *fetchPlan) {
	before := int64(0) // chunks that have a buffer, or will get that of another fetch
	if plan.gapIn != nil {
		before = 1
	}
	plan.granted = c.buffers.acquireSome(plan.end-plan.first-before, c.chunkSize)
	plan.end = plan.first + max(1, before+plan.granted)
	plan.to = min(plan.to, plan.end*c.chunkSize)
}

// storing is what becomes of a fetch's new chunks; the one whose gap it closes has been judged.
type storing struct {
	storable bool // they may find disk space
	keep     bool // they are stored at their first use too
}

// startFetch starts the fetch of a plan. traceparent goes along with the request. c.mu is
// held.
func (c *Cache) startFetch(obj media.Object, key objectKey, plan fetchPlan, s storing, traceparent string) *fetch {
	f := &fetch{c: c, obj: obj, first: plan.first, end: plan.end, from: plan.from, to: plan.to, granted: plan.granted, served: plan.from, startedAt: time.Now(), keep: s.keep}
	f.ctx, f.cancelCtx = context.WithCancel(media.WithTraceparent(c.base, traceparent))
	o := c.index.objectFor(key)
	for i := plan.first; i < plan.end; i++ {
		start := i * c.chunkSize
		fl := plan.gapIn
		if i > plan.first || fl == nil {
			fl = &fill{o: o, index: i, length: c.chunkLength(i, obj.Size)}
			if fl.storable = s.storable; fl.storable {
				fl.unwanted = !s.keep && c.scarce() && !c.policy.Wants(o.number, key.chunkName(i), eviction.Arrival{Edge: isEdge(i, obj.Size, c.chunkSize)})
			}
			c.list(fl)
			c.metrics.event(eventMiss)
		}
		c.gapped.remove(fl)
		lo := max(0, plan.from-start)
		fl.addPart(&part{fetch: f, lo: lo, have: lo, hi: min(fl.length, plan.to-start), sums: chunkfile.NewRun(c.chunkFile(fl), lo)})
		f.fills = append(f.fills, fl)
	}
	if c.closed {
		f.cancelCtx()
		f.finish(media.Faultf(media.Canceled, "cache: fetch", "the cache is closed"))
		return f
	}
	c.running.Go(f.run)
	return f
}

// backfill starts the fetch of a chunk's first gap. It returns nil when there is
// none, or the chunk will not be stored, so that nobody needs its gap. c.mu is held.
func (c *Cache) backfill(fl *fill, obj media.Object) *fetch {
	lo, hi := fl.firstGap()
	if lo >= hi || !fl.toBeStored() || !fl.listed {
		return nil
	}
	start := fl.index * c.chunkSize
	f := c.startFetch(obj, fl.o.key, fetchPlan{gapIn: fl, first: fl.index, end: fl.index + 1, from: start + lo, to: start + hi}, storing{}, "")
	f.isBackfill = true
	return f
}

// backfillDetached starts a backfill without readers; c.mu is held.
func (c *Cache) backfillDetached(fl *fill, obj media.Object) {
	if f := c.backfill(fl, obj); f != nil {
		f.startDetachGrace()
	}
}
