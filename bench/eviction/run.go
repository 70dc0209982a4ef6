package eviction

// Policy is one that is compared.
type Policy struct {
	Name string
	New  func(capacity int, names []uint64) Cache // names is what will be asked for
}

// Policies are all of them; the optimum is the last.
var Policies = []Policy{
	{"LRU", online(NewLRU)}, {"S3-FIFO", online(NewS3FIFO)}, {"Lectern", online(NewLectern)},
	{"W-TinyLFU", online(NewTinyLFU)}, {"Belady", NewBelady},
}

// online is a policy that does not know the future.
func online(policy func(capacity int) Cache) func(int, []uint64) Cache {
	return func(capacity int, _ []uint64) Cache { return policy(capacity) }
}

// Result is how one policy did.
type Result struct {
	Policy string
	// Hits is the share of all bytes that were there, Openings that of heads and tails.
	Hits, Openings float64
	// Written is how many bytes were written for each byte served.
	Written float64
}

// Run plays a trace to policies. The capacity is percent of what the lessons
// have together at the end. The first fifth of the requests fills the caches and
// is not counted.
func Run(t Trace, percent float64, policies []Policy) []Result {
	names := make([]uint64, 0, t.Requests)
	capacity := int(float64(t.Play(func(r Request) { names = append(names, nameOf(r)) })) * percent / 100)
	var results []Result
	for _, p := range policies {
		c := p.New(capacity, names)
		var hits, written, asked, edgeHits, edges, i int
		t.Play(func(r Request) {
			hit, stored := c.Access(names[i], r)
			if i++; i <= t.Requests/5 {
				return
			}
			edge := r.Chunk == 0 || r.Chunk == r.Last
			asked++
			if edge {
				edges++
			}
			if stored {
				written++
			}
			if hit {
				hits++
				if edge {
					edgeHits++
				}
			}
		})
		results = append(results, Result{
			Policy: p.Name, Hits: float64(hits) / float64(asked), Openings: float64(edgeHits) / float64(edges),
			Written: float64(written) / float64(asked),
		})
	}
	return results
}

// nameOf spreads a chunk's place over 64 bits, as the cache's digests do.
func nameOf(r Request) uint64 {
	x := uint64(r.Lesson)<<32 | uint64(r.Chunk)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
