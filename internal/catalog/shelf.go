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
const shelfSize = 1 << 16

// fact is an answer as it was given. It is immutable.
type fact[K comparable, V any] struct {
	key        K
	value      V
	absent     error // the NotFound, when there is no such row
	at         int64 // when it was asked for, by Cached.clock
	generation uint64
}

// shelf keeps one kind of fact and asks for those it lacks.
type shelf[K comparable, V any] struct {
	c    *Cached
	ask  func(context.Context, K) (V, error)
	hash func(K) uint64
	kept *ristretto.Cache[uint64, *fact[K, V]]
	// generation counts how often what is kept was dropped.
	generation atomic.Uint64

	mu      sync.Mutex // guards flights; nothing is asked or kept under it
	flights map[flightKey[K]]*flight[V]
}

// flightKey has the generation, so that nobody who asks after a Drop joins a
// question from before it.
type flightKey[K comparable] struct {
	key        K
	generation uint64
}

// flight is one question under way. value and err are set before done closes.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

func newShelf[K comparable, V any](c *Cached, ask func(context.Context, K) (V, error), hash func(K) uint64) (*shelf[K, V], error) {
	kept, err := ristretto.NewCache(&ristretto.Config[uint64, *fact[K, V]]{
		NumCounters: 10 * shelfSize,
		MaxCost:     shelfSize, // each fact costs 1: the bound is a count
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
	return &shelf[K, V]{c: c, ask: ask, hash: hash, kept: kept, flights: map[flightKey[K]]*flight[V]{}}, nil
}

// get answers from the shelf or asks. The way of a hit allocates nothing.
func (s *shelf[K, V]) get(ctx context.Context, key K) (V, error) {
	now, away := s.c.clock(), s.c.awaySince.Load()
	if f := s.known(key); f != nil && s.c.good(f.at, f.absent != nil, now, away) {
		if away == 0 {
			s.c.hit.Inc()
		} else {
			s.c.stale.Inc()
		}
		return f.value, f.absent
	}
	return s.getSlowly(ctx, key)
}

// known is the fact of this generation, or nil; after Stop always nil.
func (s *shelf[K, V]) known(key K) *fact[K, V] {
	if !s.c.reading.TryRLock() {
		return nil
	}
	f, ok := s.kept.Get(s.hash(key))
	s.c.reading.RUnlock()
	if !ok || f.key != key || f.generation != s.generation.Load() {
		return nil
	}
	return f
}

// getSlowly asks, again when a Drop came meanwhile, and falls back on what is
// known when the database turns out to be away.
func (s *shelf[K, V]) getSlowly(ctx context.Context, key K) (value V, err error) {
	const op = "catalog: look up"
	for try := 0; ; try++ {
		if away := s.c.awaySince.Load(); away != 0 && s.c.pinging.Load() {
			// The pinger knows better than a look-up that would wait for a time-out.
			err = media.Fault(media.Unavailable, op, errAway)
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
		if s.generation.Load() == generation || try == maxRetries {
			break
		}
	}
	switch {
	case err == nil || media.KindOf(err) == media.NotFound:
		s.c.miss.Inc()
	case media.KindOf(err) == media.Unavailable:
		now, away := s.c.clock(), s.c.awaySince.Load()
		if away == 0 {
			away = now // the pinger has found it back meanwhile; this question has not
		}
		if f := s.known(key); f != nil && s.c.good(f.at, f.absent != nil, now, away) {
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
func (s *shelf[K, V]) join(key K, generation uint64) (*flight[V], bool) {
	k := flightKey[K]{key, generation}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.flights[k]; ok {
		return f, true
	}
	f := &flight[V]{done: make(chan struct{})}
	if !s.c.spawn(func() { s.fly(k, f) }) {
		return nil, false
	}
	s.flights[k] = f
	return f, true
}

// fly asks under Cached's own context, keeps the answer and tells the waiters.
func (s *shelf[K, V]) fly(k flightKey[K], f *flight[V]) {
	asked := s.c.clock() // the answer is at least as new as the question
	f.value, f.err = s.ask(s.c.base, k.key)
	if f.err != nil && s.c.base.Err() != nil {
		// The source gave up because of Stop, which is not the waiters' doing.
		f.err = media.Fault(media.Unavailable, "catalog: look up", errStopped)
	}
	s.c.observe(f.err)
	absent := media.KindOf(f.err) == media.NotFound
	if f.err == nil || absent {
		kept := &fact[K, V]{key: k.key, value: f.value, at: asked, generation: k.generation}
		if absent {
			kept.absent = f.err
		}
		// After a Drop this fact is of an old generation and nobody will take it.
		s.kept.Set(s.hash(k.key), kept, 1)
	}
	s.mu.Lock()
	delete(s.flights, k)
	s.mu.Unlock()
	close(f.done)
}
