// Package cache keeps chunks of objects on a disk and fetches what is missing.
//
// An object is cut into chunks of a fixed size. A chunk is in one of three states:
//
//	           reserve                    write, close, rename
//	absent ──────────────▶ filling ─────────────────────────▶ committed
//	  ▲                       │                                    │
//	  └── failed, abandoned ──┴────────── evicted, corrupt ────────┘
//
// A flight fills a run of adjacent absent chunks with one bounded origin request.
// Its bytes are readable as they arrive, from memory, by every reader that joined
// it; each chunk that is complete is written to a file of its own, appears whole by
// a rename, and is from then on read from there. A flight lives as long as
// somebody waits for it. Chunks for which no room can be reserved stay in
// memory for the flight's life and are never stored: the stream goes on, the
// cache does not grow.
//
// Keys hold the object's version, so nothing is ever invalidated: a changed file
// is another object, and the old one's chunks age out.
//
// # Locks
//
// Cache.mu guards everything that is shared: the index, the flights and their
// blocks, the budget, the policy, the health. It is the only lock; no I/O and no
// callback happens under it, and it is held for a handful of map operations.
package cache
