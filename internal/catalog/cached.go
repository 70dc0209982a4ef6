package catalog

import (
	"math"

	"github.com/lectiospace/lectern/internal/media"
)

// CachedFacts returns what User, Recording and, where membership is true, Membership
// answer from memory; false when one of them would call the source.
func (c *Cache) CachedFacts(userID, recordingID int64, membership bool) (known media.CachedFacts, ok bool) {
	// The generations are read before the entries: an invalidation in between makes these
	// answers stale at once.
	f := &freshness{c: c, until: math.MaxInt64, generations: c.generations()}
	known.Fresh = f.hold
	if known.User, ok = cachedAnswer(c.users, userID, f); !ok {
		return known, false
	}
	if known.Recording, ok = cachedAnswer(c.recordings, recordingID, f); !ok {
		return known, false
	}
	if membership {
		known.Membership, ok = cachedAnswer(c.memberships, membershipKey{userID, recordingID, known.Recording.OwnerID}, f)
	}
	return known, ok && f.hold()
}

// cachedAnswer returns the answer of an entry, and has f end no later than the entry. ok is
// false when there is none of f's generations, or when the source has no such row.
func cachedAnswer[K comparable, V any](l *loadingCache[K, V], key K, f *freshness) (answer V, ok bool) {
	e := l.cached(key)
	if e == nil || e.absent != nil || e.generation != l.generation.Load() {
		return answer, false
	}
	f.until = min(f.until, e.at+int64(l.c.cfg.MaxStaleness))
	return e.value, true
}

// freshness is for how long answers from memory may be used again.
type freshness struct {
	c           *Cache
	generations [3]uint64
	until       int64 // by Cache.clock
}

// generations are those of the three loading caches.
func (c *Cache) generations() [3]uint64 {
	return [3]uint64{c.users.generation.Load(), c.recordings.generation.Load(), c.memberships.generation.Load()}
}

func (f *freshness) hold() bool {
	return f.generations == f.c.generations() && f.c.downSince.Load() == 0 && f.c.clock() < f.until
}
