package eviction

// Policies are those that are compared, by name.
var Policies = []struct {
	Name string
	New  func(capacity int) Cache
}{{"LRU", NewLRU}, {"S3-FIFO", NewS3FIFO}, {"Lectern", NewLectern}}

// Result is how one policy did.
type Result struct {
	Policy string
	// Hits is the share of all bytes that were there; Viewers that of the bytes
	// which people asked for, Openings that of heads and tails.
	Hits, Openings float64
}

// Run plays a trace to every policy. The capacity is percent of what the lessons
// have together at the end. The first fifth of the requests fills the caches and
// is not counted.
func Run(t Trace, percent float64) []Result {
	capacity := int(float64(t.Play(func(Request) {})) * percent / 100)
	var results []Result
	for _, p := range Policies {
		c := p.New(capacity)
		var hits, asked, edgeHits, edges, i int
		t.Play(func(r Request) {
			hit := c.Access(nameOf(r), r)
			if i++; i <= t.Requests/5 {
				return
			}
			edge := r.Chunk == 0 || r.Chunk == r.Last
			asked++
			if edge {
				edges++
			}
			if hit {
				hits++
				if edge {
					edgeHits++
				}
			}
		})
		results = append(results, Result{p.Name, float64(hits) / float64(asked), float64(edgeHits) / float64(edges)})
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
