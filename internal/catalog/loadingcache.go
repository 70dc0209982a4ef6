package catalog

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/lectiospace/lectern/internal/media"
)

// shelfSize is how many facts of one kind are kept: a large school's evening. At
// about 200 bytes each and 30 bytes of bookkeeping all shelves full are 50 MB.
const maxEntries = 1 << 16

// fact is an answer as it was given. It is immutable.
type cacheEntry[K comparable, V any] struct {
	key        K
	value      V
	absent     error // the NotFound, when there is no such row
	at         int64 // when it was asked for, by Cached.clock
	generation uint64
}

// shelf keeps one kind of fact and asks for those it lacks.
type loadingCache[K comparable, V any] struct {
	c       *Cache
	source  func(context.Context, K) (V, error)
	hash    func(K) uint64
	entries *ristretto.Cache[uint64, *cacheEntry[K, V]]
	// generation counts how often what is kept was dropped.
	generation atomic.Uint64

	mu    sync.Mutex // guards flights; nothing is asked or kept under it
	calls map[callKey[K]]*call[V]
}

// flightKey has the generation, so that nobody who asks after a Drop joins a
// question from before it.
type callKey[K comparable] struct {
	key        K
	generation uint64
}

// flight is one question under way. value and err are set before done closes.
type call[V any] struct {
	done  chan struct{}
	value V
	err   error
}

func newLoadingCache[K comparable, V any](c *Cache, ask func(context.Context, K) (V, error), hash func(K) uint64) (*loadingCache[K, V], error) {
	kept, err := ristretto.NewCache(&ristretto.Config[uint64, *cacheEntry[K, V]]{
		NumCounters: 10 * maxEntries,
		MaxCost:     maxEntries, // each fact costs 1: the bound is a count
		BufferItems: 64,
		// Otherwise ristretto adds its own bytes per item to each cost, and a bound
		// that counts would hold a sixtieth of what it says.
		IgnoreInternalCost: true,
		// Keys are hashes already. Two keys of one hash evict each other, and a
		// fact's own key is compared when it is read.
		KeyToHash: func(key uint64) (uint64, uint64) { return key, 0 },
	})
	if err != nil {
		return nil, err
	}
	return &loadingCache[K, V]{c: c, source: ask, hash: hash, entries: kept, calls: map[callKey[K]]*call[V]{}}, nil
}

// get answers from the shelf or asks. The way of a hit allocates nothing.
func (s *loadingCache[K, V]) get(ctx context.Context, key K) (V, error) {
	now, away := s.c.clock(), s.c.downSince.Load()
	if f := s.cached(key); f != nil && s.c.usable(f.at, f.absent != nil, now, away) {
		if away == 0 {
			s.c.hit.Inc()
		} else {
			s.c.stale.Inc()
		}
		return f.value, f.absent
	}
	return s.load(ctx, key)
}

// known is the fact of this generation, or nil; after Stop always nil.
func (s *loadingCache[K, V]) cached(key K) *cacheEntry[K, V] {
	if !s.c.closing.TryRLock() {
		return nil
	}
	f, ok := s.entries.Get(s.hash(key))
	s.c.closing.RUnlock()
	if !ok || f.key != key || f.generation != s.generation.Load() {
		return nil
	}
	return f
}

// getSlowly asks, again when a Drop came meanwhile, and falls back on what is
// known when the database turns out to be away.
func (s *loadingCache[K, V]) load(ctx context.Context, key K) (value V, err error) {
	const op = "catalog: look up"
	for try := 0; ; try++ {
		if away := s.c.downSince.Load(); away != 0 && s.c.pinging.Load() {
			// The pinger knows better than a look-up that would wait for a time-out.
			err = media.Fault(media.Unavailable, op, errUnavailable)
			break
		}
		generation := s.generation.Load()
		f, ok := s.join(key, generation)
		if !ok {
			err = media.Fault(media.Unavailable, op, errStopped)
			break
		}
		select {
		case <-f.done:
			value, err = f.value, f.err
		case <-ctx.Done():
			s.c.failed.Inc()
			return value, media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
		}
		// From the second try on the question was asked after this call began, so that
		// its answer is as fresh as the caller can want, whatever is dropped meanwhile.
		if s.generation.Load() == generation || try == maxReloads {
			break
		}
	}
	switch {
	case err == nil || media.KindOf(err) == media.NotFound:
		s.c.miss.Inc()
	case media.KindOf(err) == media.Unavailable:
		now, away := s.c.clock(), s.c.downSince.Load()
		if away == 0 {
			away = now // the pinger has found it back meanwhile; this question has not
		}
		if f := s.cached(key); f != nil && s.c.usable(f.at, f.absent != nil, now, away) {
			s.c.stale.Inc()
			return f.value, f.absent
		}
		s.c.failed.Inc()
	default:
		s.c.failed.Inc()
	}
	return value, err
}

// join finds the question under way or asks it. false: Cached has stopped.
func (s *loadingCache[K, V]) join(key K, generation uint64) (*call[V], bool) {
	k := callKey[K]{key, generation}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.calls[k]; ok {
		return f, true
	}
	f := &call[V]{done: make(chan struct{})}
	if !s.c.spawn(func() { s.run(k, f) }) {
		return nil, false
	}
	s.calls[k] = f
	return f, true
}

// fly asks under Cached's own context, keeps the answer and tells the waiters.
func (s *loadingCache[K, V]) run(k callKey[K], f *call[V]) {
	asked := s.c.clock() // the answer is at least as new as the question
	f.value, f.err = s.source(s.c.base, k.key)
	if f.err != nil && s.c.base.Err() != nil {
		// The source gave up because of Stop, which is not the waiters' doing.
		f.err = media.Fault(media.Unavailable, "catalog: look up", errStopped)
	}
	s.c.observe(f.err)
	absent := media.KindOf(f.err) == media.NotFound
	if f.err == nil || absent {
		kept := &cacheEntry[K, V]{key: k.key, value: f.value, at: asked, generation: k.generation}
		if absent {
			kept.absent = f.err
		}
		// After a Drop this fact is of an old generation and nobody will take it.
		s.entries.Set(s.hash(k.key), kept, 1)
	}
	s.mu.Lock()
	delete(s.calls, k)
	s.mu.Unlock()
	close(f.done)
}
