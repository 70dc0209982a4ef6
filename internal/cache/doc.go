// Package cache keeps chunks of objects on a disk and fetches what is missing.
//
// An object is cut into chunks of a fixed size. A chunk is in one of three states:
//
//	           reserve                    write, close, rename
//	absent ──────────────▶ filling ─────────────────────────▶ committed
//	  ▲                       │                                    │
//	  └── failed, abandoned ──┴────────── evicted, corrupt ────────┘
//
// # Flights
//
// A flight is one bounded origin request. It begins at the byte that somebody
// waits for, not at its chunk's start, and fills a run of adjacent absent chunks.
// Its bytes are readable as they arrive, from memory, by every reader that comes;
// each chunk that is whole is written to a file of its own, appears by a rename,
// and is from then on read from there. Several flights may fill one chunk, a part
// each: the head that a demand left out is asked for when its reader stays, or
// has had all it came for, or at once where players look for a file's index.
//
//	            first byte             all bytes              last reader leaves
//	under way ──────────────▶ (same) ─────────────▶ landed ────────────────────▶ closed
//	    │                                                                          ▲
//	    ├── last reader leaves ──▶ called off ──▶ its goroutine has ended ─────────┤
//	    └── the origin fails ────▶ failed ──────▶ last reader leaves ──────────────┘
//
// A flight lives as long as somebody waits for it; one whose readers have had all
// of their span lingers for a few seconds, to leave a whole chunk behind. A reader
// learns of a failure only of a flight that it waited for: what was read ahead in
// vain is asked for again. Chunks for which no room can be reserved stay in memory
// until their readers have passed and are never stored: the stream goes on, the
// cache does not grow.
//
// How much is asked for, and how far ahead, is arithmetic in pace.go. Memory of
// all chunks on their way is bounded, see memory.go; the line for it is first
// come, first served, and who stands in it holds nothing that others wait for but
// what clients and origins will free.
//
// Keys hold the object's version, so nothing is ever invalidated: a changed file
// is another object, and the old one's chunks age out.
//
// # Locks
//
// Cache.mu guards everything that is shared: the index, the fills, the flights and
// who is aboard, the memory, the budget, the policy, the health. It is the only
// lock; no I/O and no callback happens under it, and it is held for a handful of
// map operations. The bytes of a block below a part's watermark never change, so
// they are read without it; those above belong to the part's flight.
package cache
