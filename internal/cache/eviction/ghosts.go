package eviction

import "slices"

// ghosts remembers chunks that were fetched lately and not admitted, each by a fingerprint
// of four bytes. It has places for as many as the cache has
// chunks, in buckets of four, where a new one takes the place of the oldest. Equal fingerprints admit a chunk too early, which harms nobody.
type ghosts [][ghostWays]uint32

const (
	ghostWays = 4
	// maxGhosts bounds the memory, to 4 MiB; a million chunks of 1 MiB are a terabyte.
	maxGhosts = 1 << 20
)

func newGhosts(chunks int) ghosts {
	return make(ghosts, max(1, min(chunks, maxGhosts)/ghostWays))
}

// seen reports whether a chunk is remembered, and remembers it as the latest of its
// bucket. name is evenly distributed over 64 bits.
func (g ghosts) seen(name uint64) bool {
	bucket := &g[name%uint64(len(g))]
	fingerprint := uint32(name>>32) | 1 // 0 is an empty place
	at := slices.Index(bucket[:], fingerprint)
	last := at
	if at < 0 {
		last = ghostWays - 1
	}
	copy(bucket[1:last+1], bucket[:last])
	bucket[0] = fingerprint
	return at >= 0
}
