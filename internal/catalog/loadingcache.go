package catalog

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/lectiospace/lectern/internal/media"
)

// maxEntries bounds the entries of one loading cache: the evening of a large school. At
// about 200 bytes each and 30 bytes of bookkeeping, all caches when full are 50 MB.
const maxEntries = 1 << 16

// cacheEntry is one answer of the source. It is immutable.
type cacheEntry[K comparable, V any] struct {
	key        K
	value      V
	absent     error // the NotFound, when there is no such row
	at         int64 // when the call began, by Cache.clock
	generation uint64
}

// loadingCache keeps the answers to one kind of look-up and calls the source for those
// it lacks, once for all who wait.
type loadingCache[K comparable, V any] struct {
	c       *Cache
	source  func(context.Context, K) (V, error)
	hash    func(K) uint64
	entries *ristretto.Cache[uint64, *cacheEntry[K, V]]
	// generation counts the invalidations. An entry of an earlier one is used in an outage
	// only, and one from before generation changed, the last known change, never.
	generation, changed atomic.Uint64

	mu    sync.Mutex // guards calls; the source and entries are not used under it
	calls map[callKey[K]]*call[V]

	storing sync.Mutex // held while an entry is compared and replaced
}

// callKey includes the generation, so that a look-up after an invalidation does not join
// a call from before it.
type callKey[K comparable] struct {
	key        K
	generation uint64
}

// call is one call of the source. value and err are set before done closes.
type call[V any] struct {
	done  chan struct{}
	value V
	err   error
}

func newLoadingCache[K comparable, V any](c *Cache, source func(context.Context, K) (V, error), hash func(K) uint64) (*loadingCache[K, V], error) {
	entries, err := ristretto.NewCache(&ristretto.Config[uint64, *cacheEntry[K, V]]{
		NumCounters: 10 * maxEntries,
		MaxCost:     maxEntries, // each entry costs 1: the bound is a count
		BufferItems: 64,
		// Otherwise ristretto adds its own bytes per item to each cost, and a bound
		// that counts would hold a sixtieth of what it says.
		IgnoreInternalCost: true,
		// Keys are hashes already. Two keys of one hash evict each other, and an
		// entry's own key is compared when it is read.
		KeyToHash: func(key uint64) (uint64, uint64) { return key, 0 },
	})
	if err != nil {
		return nil, err
	}
	return &loadingCache[K, V]{c: c, source: source, hash: hash, entries: entries, calls: map[callKey[K]]*call[V]{}}, nil
}

// get answers from an entry that is usable, else from the source. A hit allocates nothing.
func (l *loadingCache[K, V]) get(ctx context.Context, key K) (V, error) {
	now, down := l.c.clock(), l.c.downSince.Load()
	if e := l.cached(key); e != nil && (down != 0 || e.generation == l.generation.Load()) && l.c.usable(e.at, e.absent != nil, now, down) {
		if down == 0 {
			l.c.hit.Inc()
		} else {
			l.c.stale.Inc()
		}
		return e.value, e.absent
	}
	return l.load(ctx, key)
}

// invalidate makes every entry unusable, in an outage too.
func (l *loadingCache[K, V]) invalidate() {
	g := l.generation.Add(1)
	for {
		old := l.changed.Load()
		if old >= g || l.changed.CompareAndSwap(old, g) {
			return
		}
	}
}

// cached is the entry from after the last known change, or nil; after Stop always nil.
func (l *loadingCache[K, V]) cached(key K) *cacheEntry[K, V] {
	if !l.c.closing.TryRLock() {
		return nil
	}
	e, ok := l.entries.Get(l.hash(key))
	l.c.closing.RUnlock()
	if !ok || e.key != key || e.generation < l.changed.Load() {
		return nil
	}
	return e
}

// load calls the source, again after an invalidation during the call, and falls back on
// a usable entry when the database turns out to be unavailable.
func (l *loadingCache[K, V]) load(ctx context.Context, key K) (value V, err error) {
	const op = "catalog: look up"
	for try := 0; ; try++ {
		if down := l.c.downSince.Load(); down != 0 && l.c.pinging.Load() {
			// The pinger knows already what a call would find out by a time-out.
			err = media.Fault(media.Unavailable, op, errUnavailable)
			break
		}
		generation := l.generation.Load()
		call, ok := l.join(key, generation)
		if !ok {
			err = media.Fault(media.Unavailable, op, errStopped)
			break
		}
		select {
		case <-call.done:
			value, err = call.value, call.err
		case <-ctx.Done():
			l.c.failed.Inc()
			return value, media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
		}
		// From the second try on the call began after this look-up, so that its answer is
		// as fresh as the caller can want, whatever is invalidated meanwhile.
		if l.generation.Load() == generation || try == maxReloads {
			break
		}
	}
	switch {
	case err == nil || media.KindOf(err) == media.NotFound:
		l.c.miss.Inc()
	case media.KindOf(err) == media.Unavailable:
		now, down := l.c.clock(), l.c.downSince.Load()
		if down == 0 {
			down = now // the pinger has reached it again meanwhile; this call has not
		}
		if e := l.cached(key); e != nil && l.c.usable(e.at, e.absent != nil, now, down) {
			l.c.stale.Inc()
			return e.value, e.absent
		}
		l.c.failed.Inc()
	default:
		l.c.failed.Inc()
	}
	return value, err
}

// join is the call under way for a key, or a new one. false: the Cache has stopped.
func (l *loadingCache[K, V]) join(key K, generation uint64) (*call[V], bool) {
	k := callKey[K]{key, generation}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.calls[k]; ok {
		return c, true
	}
	c := &call[V]{done: make(chan struct{})}
	if !l.c.spawn(func() { l.run(k, c) }) {
		return nil, false
	}
	l.calls[k] = c
	return c, true
}

// run calls the source under the Cache's own context, keeps the answer and wakes the
// waiters.
func (l *loadingCache[K, V]) run(k callKey[K], c *call[V]) {
	began := l.c.clock() // the answer is at least as new as the call's beginning
	c.value, c.err = l.source(l.c.base, k.key)
	if c.err != nil && l.c.base.Err() != nil {
		// The source failed because of Stop, not because of the waiters.
		c.err = media.Fault(media.Unavailable, "catalog: look up", errStopped)
	}
	l.c.observe(c.err)
	absent := media.KindOf(c.err) == media.NotFound
	if c.err == nil || absent {
		e := &cacheEntry[K, V]{key: k.key, value: c.value, at: began, generation: k.generation}
		if absent {
			e.absent = c.err
		}
		l.store(e)
	}
	l.mu.Lock()
	delete(l.calls, k)
	l.mu.Unlock()
	close(c.done)
}

// store keeps an answer, unless there is one of a later call. After an invalidation it is of
// an old generation, which is used in an outage only.
func (l *loadingCache[K, V]) store(e *cacheEntry[K, V]) {
	l.storing.Lock()
	defer l.storing.Unlock()
	hash := l.hash(e.key)
	if known, ok := l.entries.Get(hash); ok && known.key == e.key && known.at > e.at {
		return
	}
	l.entries.Set(hash, e, 1)
}
