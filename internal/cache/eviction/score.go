package eviction

import (
	"math"
	"math/rand/v2"
)

// Worth is the cache's policy. A chunk is worth what its own uses were lately,
// and much more what those of its whole object were: the second student who
// opens a lesson says that its later chunks, which have been used once so far,
// will be wanted too, while each object that a downloader crawls through is used
// once and stays cold. What is worth least among a few dozen chunks, drawn at
// random, goes. Nothing is ordered, so a use costs an addition, and nothing is
// scanned, so a victim costs the same at ten chunks and at a million.
//
// Time is counted in uses and arrivals, and compared with the cache's capacity:
// a small cache forgets sooner.
type ScorePolicy struct {
	group    func(ID) uint32
	capacity float64
	pages    []*page
	groups   []group
	resident int
	end      ID // one more than the highest number ever admitted
	now      uint32
	random   *rand.PCG
}

// What makes a chunk's worth, found with the simulator in bench/eviction; its
// neighbourhood is flat. Half-lives are in capacities.
const (
	usesHalf  = 1.0 // of a use of the chunk itself
	groupHalf = 1.0 // of a use in the average of its object's
	groupUse  = 16  // what that average counts, in uses of its own
	freshHalf = 0.5 // of the credit of having been used or fetched just now
	edgeHalf  = 8.0 // of the credit of a head or tail
	samples   = 48
)

// page is the notes of pageSize chunks. Growing by pages never copies.
type page struct {
	last   [pageSize]uint32 // when it was used last, or came
	usages [pageSize]usage
}

const pageSize = 1 << 12

// note is a chunk's uses as of the last one, in 1/256, and two bits.
type usage uint16

const (
	present usage = 1 << 15
	edge    usage = 1 << 14
	oneUse  usage = 1 << 8
	usesMax usage = edge - 1
)

// group is the chunks of one object together.
type group struct {
	chunks     uint32 // here now
	popularity float32
	asOf       uint32
}

// New makes a policy for a cache of about so many chunks. group gives the number
// of a chunk's object; numbers may be used again.
func New(chunks int, group func(ID) uint32) *ScorePolicy {
	return &ScorePolicy{group: group, capacity: float64(max(1, chunks)), random: rand.NewPCG(0x1ec7, 0xe217)}
}

// left is what a half-life leaves of one after a time.
func (w *ScorePolicy) decay(since uint32, half float64) float64 {
	return math.Exp2(-float64(w.now-since) / (half * w.capacity))
}

func (w *ScorePolicy) page(id ID) (*page, int) { return w.pages[id/pageSize], int(id % pageSize) }

// Admit implements Policy.
func (w *ScorePolicy) Admit(id ID, a Arrival) {
	for int(id/pageSize) >= len(w.pages) {
		w.pages = append(w.pages, new(page))
	}
	w.end = max(w.end, id+1)
	w.now++
	w.resident++
	p, i := w.page(id)
	p.last[i], p.usages[i] = w.now, present
	if a.Edge {
		p.usages[i] |= edge
	}
	g := w.groupOf(id)
	g.chunks++
	if a.Shared {
		p.usages[i] += oneUse
		g.popularity++
	}
}

// groupOf brings a chunk's group up to now.
func (w *ScorePolicy) groupOf(id ID) *group {
	n := int(w.group(id))
	for n >= len(w.groups) {
		w.groups = append(w.groups, group{})
	}
	g := &w.groups[n]
	if g.asOf != w.now {
		g.popularity *= float32(w.decay(g.asOf, groupHalf))
		g.asOf = w.now
	}
	return g
}

// Touch implements Policy.
func (w *ScorePolicy) Touch(id ID) {
	w.now++
	p, i := w.page(id)
	uses := float64(p.usages[i]&usesMax)*w.decay(p.last[i], usesHalf) + float64(oneUse)
	p.usages[i] = p.usages[i]&^usesMax | usage(min(uses, float64(usesMax)))
	p.last[i] = w.now
	w.groupOf(id).popularity++
}

// Remove implements Policy.
func (w *ScorePolicy) Remove(id ID) {
	g := w.groupOf(id)
	if g.chunks--; g.chunks == 0 {
		g.popularity = 0 // the number may become another object's
	}
	p, i := w.page(id)
	p.usages[i] = 0
	w.resident--
}

// worth of a chunk now, in uses.
func (w *ScorePolicy) score(id ID) float64 {
	p, i := w.page(id)
	n, last := p.usages[i], p.last[i]
	own := float64(n&usesMax)/float64(oneUse)*w.decay(last, usesHalf) + w.decay(last, freshHalf)
	if n&edge != 0 {
		own += 2 * w.decay(last, edgeHalf)
	}
	g := w.groupOf(id)
	return own + groupUse*float64(g.popularity)/float64(g.chunks)
}

// Victim implements Policy. Numbers that are free are drawn in vain, which is
// rare: they are used again first. Where most are, as after a purge, or where
// most chunks are busy, a walk from a random place finds one.
func (w *ScorePolicy) Victim(busy func(ID) bool) ID {
	best, least := ID(0), math.Inf(1)
	for seen, drawn := 0, 0; seen < samples && drawn < 4*samples && w.resident > 0; drawn++ {
		id := ID(w.random.Uint64() % uint64(w.end))
		if !w.evictable(id, busy) {
			continue
		}
		seen++
		if v := w.score(id); v < least {
			best, least = id, v
		}
	}
	if best != 0 || w.resident == 0 {
		return best
	}
	start := ID(w.random.Uint64() % uint64(w.end))
	for k := range min(w.end, maxWalk) {
		if id := (start + k) % w.end; w.evictable(id, busy) {
			return id
		}
	}
	return 0
}

// maxWalk bounds the walk: a caller that gets nothing does without.
const maxWalk = 1 << 14

func (w *ScorePolicy) evictable(id ID, busy func(ID) bool) bool {
	if id == 0 || int(id/pageSize) >= len(w.pages) {
		return false
	}
	p, i := w.page(id)
	return p.usages[i]&present != 0 && !busy(id)
}
