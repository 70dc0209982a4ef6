package eviction

import (
	"math"
	"math/rand/v2"
)

// ScorePolicy is the cache's policy. A chunk's score is the decayed number of its own
// uses, and the decayed uses of its whole object, which count much more: the second
// student who opens a lesson shows that its later chunks, used once so far, will be
// wanted too, while each object that a crawler downloads is used once and stays
// unpopular. The lowest score of a few dozen chunks, drawn at random, is evicted.
// Nothing is ordered, so a use costs an addition; nothing is scanned, so a victim
// costs the same at ten chunks and at a million.
//
// Time is counted in uses and arrivals, relative to the cache's capacity: scores decay
// faster in a small cache.
type ScorePolicy struct {
	group    func(ID) uint32
	capacity float64
	pages    []*page
	groups   []*groupPage
	resident int
	end      ID // one more than the highest ID ever admitted
	now      uint32
	random   *rand.PCG
	ghosts   ghosts
}

// The weights of a score, found with the simulator in bench/eviction; small changes
// make no difference. Half-lives are in capacities.
const (
	usesHalf  = 1.0 // of a use of the chunk itself
	groupHalf = 1.0 // of a use in the average of its object's
	groupUse  = 16  // weight of that average, in uses of the chunk itself
	freshHalf = 0.5 // of the credit of the last use or arrival
	edgeHalf  = 8.0 // of the credit of a head or tail
	samples   = 48
)

// wantedFrom is the popularity from which all chunks of an object are wanted at their first
// use. One viewer who opens a lesson leaves its head and its tail, which are always admitted;
// the second one uses both.
const wantedFrom = 1.5

// page has the usages of pageSize chunks. Growing by pages never copies.
type page struct {
	last   [pageSize]uint32 // time of the last use, or of the arrival
	usages [pageSize]usage
}

// groupPage has pageSize groups.
type groupPage [pageSize]group

const pageSize = 1 << 12

// usage is a chunk's decayed uses as of the last one, in 1/256, and two bits.
type usage uint16

const (
	present usage = 1 << 15
	edge    usage = 1 << 14
	oneUse  usage = 1 << 8
	usesMax usage = edge - 1
)

// group is the chunks of one object together.
type group struct {
	chunks     uint32 // resident
	popularity float32
	asOf       uint32
}

// New makes a policy for a cache of about so many chunks. group returns the number of
// a chunk's object, which counts from 1 without large gaps; numbers may be reused.
func New(chunks int, group func(ID) uint32) *ScorePolicy {
	return &ScorePolicy{group: group, capacity: float64(max(1, chunks)), random: rand.NewPCG(0x1ec7, 0xe217), ghosts: newGhosts(chunks)}
}

// decay is what remains of 1 after the time since, with a half-life of half.
func (w *ScorePolicy) decay(since uint32, half float64) float64 {
	return math.Exp2(-float64(w.now-since) / (half * w.capacity))
}

func (w *ScorePolicy) page(id ID) (*page, int) { return w.pages[id/pageSize], int(id % pageSize) }

// Wants implements Policy. A first use tells little, as a downloader shows, who uses each
// chunk once: a chunk is wanted at its second use, or when its object is popular, or when
// several readers wait for it, or when it is a head or tail.
func (w *ScorePolicy) Wants(group uint32, name uint64, a Arrival) bool {
	return w.ghosts.seen(name) || a.Edge || a.Shared || w.popularityOf(group) >= wantedFrom
}

// popularityOf is a group's popularity now; 0 when it has no chunks.
func (w *ScorePolicy) popularityOf(n uint32) float64 {
	if int(n/pageSize) >= len(w.groups) {
		return 0
	}
	g := &w.groups[n/pageSize][n%pageSize]
	return float64(g.popularity) * w.decay(g.asOf, groupHalf)
}

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

// groupOf returns a chunk's group, with its popularity decayed to now.
func (w *ScorePolicy) groupOf(id ID) *group {
	n := w.group(id)
	for int(n/pageSize) >= len(w.groups) {
		w.groups = append(w.groups, new(groupPage))
	}
	g := &w.groups[n/pageSize][n%pageSize]
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
		g.popularity = 0 // the number may be reused for another object
	}
	p, i := w.page(id)
	p.usages[i] = 0
	w.resident--
}

// score of a chunk now, in uses.
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

// Victim implements Policy. Free IDs are rarely drawn, because they are reused first.
// Where most are free, as after a purge, or most chunks are busy, a walk from a random
// ID finds a victim.
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

// maxWalk bounds the walk. A caller that gets no victim stores nothing.
const maxWalk = 1 << 14

func (w *ScorePolicy) evictable(id ID, busy func(ID) bool) bool {
	if id == 0 || int(id/pageSize) >= len(w.pages) {
		return false
	}
	p, i := w.page(id)
	return p.usages[i]&present != 0 && !busy(id)
}
