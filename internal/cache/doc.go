// Package cache keeps chunks of objects on a disk and fetches what is missing.
//
// An object is cut into chunks of a fixed size. A chunk is in one of three states:
//
//	            fetch                reserve, write, close, rename
//	absent ──────────────▶ filling ─────────────────────────▶ committed
//	  ▲                       │                                    │
//	  └── failed, cancelled ──┴──── evicted, purged, invalidated ──┘
//
// A chunk's key holds the object's version. A changed file is another object, so no
// change invalidates a chunk; the chunks of the old version age out.
//
// # Fetches
//
// A fetch is one bounded origin request for a run of missing chunks. It begins at the
// byte that a reader waits for, which may be in the middle of a chunk. Readers attach
// to it and read its bytes from memory as they arrive. Each complete chunk waits in a
// queue for a writer, which writes it to a file of its own; the file appears by a
// rename, and is read from there from then on. Several fetches may fill one chunk, a part each: the head that a seek left out
// is backfilled once the seek's reader stays, or has read its whole span, or at once
// in a file's head and tail, where players look for its index. When the last reader hangs
// up the gaps of those chunks are fetched of which at most half of what is there is missing. Where others
// watch the object, who may come there, more may be missing, up to a MiB.
//
//	                    all bytes received                last reader detaches
//	transferring ─────────────────────────────▶ finished ─────────────────────▶ closed
//	     │                                                                        ▲
//	     ├── last reader detaches ──▶ cancelled ──▶ its goroutine has ended ──────┤
//	     └── the origin fails ──────▶ failed ────── last reader detaches ─────────┘
//
// The last reader to detach cancels a fetch, unless its last byte is about to arrive, or at most a MiB
// is left of what others may come to. A fetch
// whose readers have read their whole span goes on for a grace of a few seconds, so that its last
// chunk becomes complete; so does one that completes a chunk. A reader sees the failure of a fetch that it waited for; what failed in
// read-ahead is fetched again when it is needed. No reader and no fetch waits for the
// disk: chunks that find no disk space or no place in the queue pass through. They stay
// in memory until their readers have passed, and are never stored. So do those that a
// full cache does not want yet. The writer of a chunk reserves its disk space, and removes
// the chunks that are evicted for it first. The fetches of a reader whom nobody watches, which
// OpenToStore makes, wait for the disk.
//
// How much is requested, and how far ahead, is decided by package readahead. Memory
// is bounded by the buffer pool.
//
// # Locks
//
// Cache.mu guards everything that is shared: the index, the fills, the fetches and
// their readers, the fd cache, the known keys, the buffer pool, the write queue, the budget, the policy, the
// health. It is the only mutex of the package; chunkfile, readahead and eviction have none. A
// function either takes it and releases it, or says that it is held.
//
// Under the lock there are memory operations only: no I/O, no call into a Fetcher, a
// progress function of Verify or a logger, no allocation of a buffer. Their number does
// not grow with the span that is read, the object or the cache. It is bounded by the
// six levels of a chunk table, the chunks of one request (16 MiB), the readers of one
// fetch, the 16 chunks of one batch of evictions, purges or dropped writes, the chunks
// that wait for a writer, the 4,096 known keys, and the samples of the
// eviction policy, or its walk of 16,384 IDs where most are free. The two functions
// that the policy calls, the object of a chunk and whether it is pinned, are look-ups in
// the index and the fd cache.
//
// The bytes of a buffer below a part's watermark never change, so they are read
// without the lock; those above belong to the part's fetch.
package cache
