// Package gctrigger runs a garbage collection when a program's memory has grown and the
// program has come to rest, and fewer while it works.
//
// A goroutine's stack is as large as its deepest call needed until a collection shrinks
// it, and what a request's beginning allocated is freed by a collection only. By itself the runtime
// starts one when the heap has doubled, or after two minutes. A gateway whose viewers watch
// allocates nearly nothing: thousands of connections then hold for minutes what they
// needed for a millisecond.
//
// While it serves ranges from the disk at full speed the heap doubles six times a second, because what lives is
// little. Collections are then under way for a thirtieth of the time, and first bytes that come
// meanwhile are milliseconds late.
package gctrigger

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// interval is how often the memory is looked at; a look costs microseconds.
	interval = time.Second
	// leastGrowth is how much stacks and heap must have grown since the last collection, in
	// bytes: less is not worth one. liveShare relates it to the live heap, whose size is what
	// a collection costs.
	leastGrowth = 12 << 20
	liveShare   = 4
	// restShare is what part of the growth may have come within the last interval. While the
	// heap grows faster the runtime soon starts a collection by itself.
	restShare = 4
	// headroom is about how many bytes may be allocated between two collections of a small heap, which
	// the runtime would collect once it has doubled. mostPercent bounds that, since the heap may have
	// become a large one before it is looked at again.
	headroom    = 64 << 20
	mostPercent = 300
	// leastPercent is the runtime's own, and step by how much it has to differ to be set.
	leastPercent = 100
	step         = 50
)

// Trigger looks at the memory of the process. The zero value is ready; Start and Stop may
// each be called once, Stop also without Start or again.
type Trigger struct {
	stop    chan struct{}
	running sync.WaitGroup
	once    sync.Once
}

// Start starts the goroutine that looks.
func (t *Trigger) Start() {
	t.stop = make(chan struct{})
	t.running.Go(t.run)
}

// Stop ends it, and returns when it has ended.
func (t *Trigger) Stop() {
	t.once.Do(func() {
		if t.stop != nil {
			close(t.stop)
		}
	})
	t.running.Wait()
}

func (t *Trigger) run() {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var seen history
	read := newReader()
	set := int(read().percent)
	chooses := set == leastPercent // else somebody did, by GOGC
	if chooses {
		defer debug.SetGCPercent(set)
	}
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
			now := read()
			if seen.due(now) {
				debug.FreeOSMemory() // a collection, after which the system has what is unused
			}
			if p := percentFor(now.live + now.stacks); chooses && (p <= set-step || p >= set+step) {
				debug.SetGCPercent(p)
				set = p
			}
		}
	}
}

// sample is the memory at one time, in bytes.
type sample struct {
	cycles uint64 // collections so far
	live   uint64 // of the heap, as the last of them found
	heap   uint64 // in use now, garbage included
	stacks uint64
	// percent is by how much the heap may grow between two collections.
	percent uint64
}

// percentFor is by how much a live heap may grow that is, with the stacks, of so many bytes: the
// runtime counts both. It comes in steps.
func percentFor(live uint64) int {
	percent := headroom / (live/100 + 1) / 25 * 25
	return int(max(leastPercent, min(mostPercent, percent)))
}

// history is what was seen since the last collection.
type history struct {
	began  bool
	first  sample // after the last collection
	growth uint64 // at the last look
}

// due reports whether a collection is worth its cost.
func (h *history) due(now sample) bool {
	if !h.began || now.cycles != h.first.cycles {
		*h = history{began: true, first: now}
	}
	before := h.growth
	h.growth = grown(now.heap, now.live) + grown(now.stacks, h.first.stacks)
	return h.growth >= max(leastGrowth, now.live/liveShare) && grown(h.growth, before) <= h.growth/restShare
}

func grown(now, before uint64) uint64 { return now - min(now, before) }

// newReader returns a function that takes samples. It is not safe for concurrent use.
func newReader() func() sample {
	values := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/gc/gogc:percent"},
	}
	return func() sample {
		metrics.Read(values)
		return sample{values[0].Value.Uint64(), values[1].Value.Uint64(), values[2].Value.Uint64(), values[3].Value.Uint64(), values[4].Value.Uint64()}
	}
}
