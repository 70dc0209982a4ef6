// Package eviction chooses the chunk of the cache that is evicted next.
//
// It knows chunks by small numbers and keeps six bytes for each, so that a
// million of them cost little. Of chunks that are not cached it remembers a fingerprint
// of those that were fetched lately. It uses no disk and no clock, so the simulator in bench/eviction runs the same code.
package eviction

// ID is a chunk's number in the index. 0 is no chunk.
type ID uint32

// Arrival describes a chunk that is admitted.
type Arrival struct {
	// Edge: it is a file's head or tail, where players look for the file's index
	// before they show a first frame.
	Edge bool
	// Shared: more than one reader waited for it.
	Shared bool
}

// Policy ranks chunks. It is not safe for concurrent use: the cache's lock is held in
// every call. No call takes longer than some microseconds, however many chunks there
// are.
type Policy interface {
	// Wants reports whether a chunk is worth its write when another must go for it.
	// group is the number of its object; name is the chunk's, evenly distributed.
	Wants(group uint32, name uint64, a Arrival) bool
	// Admit adds a chunk under an ID that is not in use.
	Admit(ID, Arrival)
	// Touch records a use of a chunk.
	Touch(ID)
	// Victim chooses the chunk to evict next; 0 when it finds none that is not busy. It
	// does not remove it.
	Victim(busy func(ID) bool) ID
	// Remove forgets a chunk, for whatever reason it leaves the cache.
	Remove(ID)
}
