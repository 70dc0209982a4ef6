package eviction

// ghosts remember the names of chunks that were evicted lately, in a table of a
// fixed size. Each name has one bucket of four places; the oldest of them makes
// room. Forgetting one too early, or taking one name for another (a chance in
// sixteen million), costs a chunk a worse or a better place in a queue.
type ghosts struct {
	buckets [][ghostWays]uint32 // 24 bits of the name, 8 of the generation
	born    uint64
	perTick uint64
}

const ghostWays = 4

// ghostLife is how many generations a ghost lives; a generation passes whenever
// 1/ghostLife of the table has been filled anew.
const ghostLife = 64

func newGhosts(most int) ghosts {
	buckets := 16
	for buckets*ghostWays < most && buckets < 1<<17 {
		buckets *= 2
	}
	return ghosts{buckets: make([][ghostWays]uint32, buckets), perTick: uint64(max(1, buckets*ghostWays/ghostLife))}
}

func (g *ghosts) place(name uint64) (bucket *[ghostWays]uint32, mark uint32) {
	mark = uint32(name>>40) << 8
	if mark == 0 {
		mark = 1 << 8
	}
	return &g.buckets[name%uint64(len(g.buckets))], mark
}

func (g *ghosts) generation() uint8 { return uint8(g.born / g.perTick) }

// add remembers a name.
func (g *ghosts) add(name uint64) {
	bucket, mark := g.place(name)
	now := g.generation()
	oldest := 0
	for i, e := range bucket {
		if e&^0xff == mark || e == 0 {
			oldest = i
			break
		}
		if now-uint8(e) > now-uint8(bucket[oldest]) {
			oldest = i
		}
	}
	bucket[oldest] = mark | uint32(now)
	g.born++
}

// take reports whether a name is remembered, and forgets it.
func (g *ghosts) take(name uint64) bool {
	bucket, mark := g.place(name)
	for i, e := range bucket {
		if e&^0xff == mark {
			bucket[i] = 0
			return g.generation()-uint8(e) <= ghostLife
		}
	}
	return false
}
