package cache

import (
	"encoding/binary"
)

// A chunk that is written into a full cache evicts another, and wears the flash. At its
// first use nobody knows whether there will be a second: it passes through, and is stored
// at the second one. Heads and tails, chunks that several readers wait for, those of
// popular objects, and what is warmed are stored at once; so is everything while there is
// space.

// scarce reports whether less than an eighth of the space is free; c.mu is held.
func (c *Cache) scarce() bool { return c.available() < c.limit()/8 }

// admit reports whether a complete chunk is stored although it was not wanted when its
// fetch began: several readers follow the fetch, or memory is half used, and what is ahead
// of its reader would fill it. c.mu is held.
func (c *Cache) admit(fl *fill) bool {
	if c.buffers.used > c.buffers.limit/2 && !fl.passed() {
		return true
	}
	for _, p := range fl.parts {
		if len(p.fetch.readers) > 1 {
			return true
		}
	}
	return false
}

// chunkName is a number for a chunk of the object, evenly distributed.
func (k objectKey) chunkName(index int64) uint64 {
	const golden = 0x9e3779b97f4a7c15 // 2^64 over the golden ratio: Fibonacci hashing
	x := (binary.LittleEndian.Uint64(k[locationSize:]) ^ uint64(index)) * golden
	return x ^ x>>32
}
