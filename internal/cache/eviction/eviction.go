// Package eviction decides which chunk of the cache goes first.
//
// It knows chunks by small numbers and keeps six bytes for each, so that a
// million of them cost little, and it remembers nothing of what has gone. It
// touches no disk and no clock: a simulator drives the same code.
package eviction

// ID is a chunk's number in the index. 0 is nobody's.
type ID uint32

// Arrival tells of a chunk that has come.
type Arrival struct {
	// Edge is a file's head or tail, where players look for its index before they
	// show a first frame.
	Edge bool
	// Crowd waited for it: more than one reader.
	Shared bool
}

// Policy ranks chunks. It is not safe for concurrent use: its owner's lock is
// held in every call, none of which takes longer than some microseconds, however
// many chunks there are.
type Policy interface {
	// Admit takes in a chunk under a number that is not in use.
	Admit(ID, Arrival)
	// Touch notes that somebody came for a chunk that was there.
	Touch(ID)
	// Victim names the chunk to go next; 0 when it finds none that is not busy. It
	// does not remove it.
	Victim(busy func(ID) bool) ID
	// Remove forgets a chunk, for whatever reason it goes.
	Remove(ID)
}
