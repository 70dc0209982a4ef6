package catalog

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// Source is where a Cache loads from: a Store. Its methods must answer within seconds
// and give errors with a Kind.
type Source interface {
	User(ctx context.Context, id int64) (media.User, error)
	Recording(ctx context.Context, id int64) (media.Recording, error)
	// Membership gets a Recording of which only ID and OwnerID are filled in.
	Membership(ctx context.Context, userID int64, rec media.Recording) (media.Membership, error)
	Companion(ctx context.Context, id int64) (media.Companion, error)
	DerivedFile(ctx context.Context, recording int64, name string) (media.Companion, error)
	Ping(ctx context.Context) error
}

// CacheConfig bounds how old an entry may be.
type CacheConfig struct {
	// MaxStaleness is the age up to which an entry is used without a look-up. 0: every
	// look-up goes to the database. It bounds how long a user who lost access keeps it.
	MaxStaleness time.Duration
	// OutageGrace is how long, after the database was first seen unavailable, entries
	// from before stay usable. 0: an outage is felt at once. Without it a restart of the
	// database would stop every playback.
	OutageGrace time.Duration
}

const (
	// negativeStaleness bounds the age of "there is no such row": short, so that a row
	// just added is seen, and long enough to blunt a flood of guesses.
	negativeStaleness = 2 * time.Second
	pingEvery         = time.Second
	// maxReloads bounds how often one look-up starts again because of an invalidation.
	maxReloads = 3
)

// Cache answers the Store's look-ups from memory as far as CacheConfig allows. It is a
// loading cache: it calls its Source itself, once for all who wait. It is safe for
// concurrent use.
//
// The rules, in terms of an entry's age since the call that gave it began:
//
//   - Younger than MaxStaleness: used without a call.
//   - Older, or absent: loaded, once for all who wait. A waiter whose context ends fails
//     no other waiter.
//   - While the database is known to be unavailable, only the pinger calls it. An entry
//     from before stays usable until OutageGrace after the outage began, provided it was
//     not older than the greater of the two bounds at that moment. After that, and for
//     anything without an entry, the answer is Unavailable.
//   - "No such row" is kept for two seconds at most, also in an outage.
//   - InvalidateAll makes every entry unusable, and the answers of the calls under way
//     too. Each entry carries the generation in which its call began; an invalidation
//     begins another.
//   - Where a change may have been missed, entries are loaded before they are used again,
//     and stay usable when that finds the database unavailable.
//
// Entries are kept in ristretto, which may lose any of them at any time: that costs a
// call, or in an outage an answer, and never gives a wrong one.
type Cache struct {
	cfg CacheConfig
	src Source
	log *slog.Logger
	now func() time.Time

	epoch time.Time
	// downSince is when the database was first seen unavailable, in clock's nanoseconds;
	// 0 while it answers.
	downSince atomic.Int64
	pinging   atomic.Bool
	// closing is read-locked around each read of entries. Stop locks it and never unlocks
	// it: ristretto must not be read while or after it closes.
	closing sync.RWMutex

	users       *loadingCache[int64, media.User]
	recordings  *loadingCache[int64, media.Recording]
	memberships *loadingCache[membershipKey, media.Membership]
	companions  *loadingCache[int64, media.Companion]
	derived     *loadingCache[derivedKey, media.Companion]

	hit, miss, stale, failed prometheus.Counter

	base   context.Context // of the calls and of the pinger
	cancel context.CancelFunc
	mu     sync.Mutex // guards closing against a new goroutine
	closed bool
	work   sync.WaitGroup
	stop   sync.Once
}

// membershipKey is all that a membership depends on.
type membershipKey struct{ user, recording, owner int64 }

// derivedKey names a file that is made of a recording.
type derivedKey struct {
	recording int64
	name      string
}

// NewCache makes a Cache, registers lectern_catalog_lookups_total and lectern_database_up, and keeps
// goroutines from now on: call Stop, also when Start was never called.
func NewCache(src Source, cfg CacheConfig, log *slog.Logger, reg prometheus.Registerer) (*Cache, error) {
	return newCache(src, cfg, log, reg, time.Now)
}

func newCache(src Source, cfg CacheConfig, log *slog.Logger, reg prometheus.Registerer, now func() time.Time) (*Cache, error) {
	const op = "catalog: cache"
	if cfg.MaxStaleness < 0 || cfg.OutageGrace < 0 {
		return nil, media.Faultf(media.Invalid, op, "the staleness and the grace of an outage cannot be negative")
	}
	lookups := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_catalog_lookups_total",
		Help: "Look-ups of users, recordings, memberships and companions: hit (from memory), miss (asked), stale (from memory while the database is away), error.",
	}, []string{"result"})
	c := &Cache{cfg: cfg, src: src, log: log, now: now, epoch: now(),
		hit: lookups.WithLabelValues("hit"), miss: lookups.WithLabelValues("miss"),
		stale: lookups.WithLabelValues("stale"), failed: lookups.WithLabelValues("error")}
	if reg != nil {
		up := prometheus.NewGaugeFunc(upOpts, c.databaseUp)
		if err := errors.Join(reg.Register(lookups), reg.Register(up)); err != nil {
			return nil, media.Fault(media.Other, op, err)
		}
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	var errs [5]error
	c.users, errs[0] = newLoadingCache(c, src.User, func(id int64) uint64 { return mix(uint64(id)) })
	c.recordings, errs[1] = newLoadingCache(c, src.Recording, func(id int64) uint64 { return mix(uint64(id)) })
	c.memberships, errs[2] = newLoadingCache(c, c.loadMembership, func(k membershipKey) uint64 {
		return mix(mix(mix(uint64(k.user))^uint64(k.recording)) ^ uint64(k.owner))
	})
	c.companions, errs[3] = newLoadingCache(c, src.Companion, func(id int64) uint64 { return mix(uint64(id)) })
	seed := maphash.MakeSeed()
	c.derived, errs[4] = newLoadingCache(c, func(ctx context.Context, k derivedKey) (media.Companion, error) {
		return c.src.DerivedFile(ctx, k.recording, k.name)
	}, func(k derivedKey) uint64 { return maphash.Comparable(seed, k) })
	if err := errors.Join(errs[:]...); err != nil {
		return nil, media.Fault(media.Other, op, err)
	}
	return c, nil
}

// mix spreads a number over 64 bits (the finaliser of splitmix64): ristretto
// chooses shards by the low bits and its sketch by others.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (c *Cache) loadMembership(ctx context.Context, k membershipKey) (media.Membership, error) {
	return c.src.Membership(ctx, k.user, media.Recording{ID: k.recording, OwnerID: k.owner})
}

// User is Store.User, as old as CacheConfig allows.
func (c *Cache) User(ctx context.Context, id int64) (media.User, error) {
	return c.users.get(ctx, id)
}

// Recording is Store.Recording, as old as CacheConfig allows.
func (c *Cache) Recording(ctx context.Context, id int64) (media.Recording, error) {
	return c.recordings.get(ctx, id)
}

// Membership is Store.Membership, as old as CacheConfig allows.
func (c *Cache) Membership(ctx context.Context, userID int64, rec media.Recording) (media.Membership, error) {
	return c.memberships.get(ctx, membershipKey{userID, rec.ID, rec.OwnerID})
}

// Companion is Store.Companion, as old as CacheConfig allows.
func (c *Cache) Companion(ctx context.Context, id int64) (media.Companion, error) {
	return c.companions.get(ctx, id)
}

// DerivedFile is Store.DerivedFile, as old as CacheConfig allows.
func (c *Cache) DerivedFile(ctx context.Context, recording int64, name string) (media.Companion, error) {
	return c.derived.get(ctx, derivedKey{recording, name})
}

// InvalidateAll makes every entry unusable, in a few nanoseconds. The answer of a call
// that began before is not used as fresh and is not kept.
func (c *Cache) InvalidateAll() {
	c.users.invalidate()
	c.recordings.invalidate()
	c.memberships.invalidate()
	c.companions.invalidate()
	c.derived.invalidate()
}

// reloadAll makes every entry be loaded before it is used again. It is for a connection
// that is back: the listening one may be before the others, so that dropping the entries
// would fail those for whom the database is still unavailable.
func (c *Cache) reloadAll() {
	c.users.generation.Add(1)
	c.recordings.generation.Add(1)
	c.memberships.generation.Add(1)
	c.companions.generation.Add(1)
	c.derived.generation.Add(1)
}

// InvalidateTable is InvalidateAll for the entries that depend on a table, and for all of
// them when the table is not known. A school that creates a term's lessons one by one
// must not make everybody who is watching be looked up anew each time.
func (c *Cache) InvalidateTable(table string) {
	switch table {
	case "accounts_customuser":
		c.users.invalidate()
	case "schedule_lessonrecording":
		// What people change of a recording's companions is announced as a change of it. Files
		// that the syncer makes are not: a backfill would empty every cache each minute.
		c.recordings.invalidate()
		c.companions.invalidate()
		c.derived.invalidate()
	case "schedule_lesson":
		// An owner who changes is part of a membership's key.
		c.recordings.invalidate()
	case "schedule_group":
		c.recordings.invalidate() // the name is a title's last resort
		c.memberships.invalidate()
	case "schedule_group_students", "schedule_lessonrecording_allowed_groups", "schedule_lessonrecording_allowed_students":
		c.memberships.invalidate()
	default:
		c.InvalidateAll()
	}
}

// Outage is how long the database has been known to be unavailable; 0 while it answers.
func (c *Cache) Outage() time.Duration {
	since := c.downSince.Load()
	if since == 0 {
		return 0
	}
	return time.Duration(max(c.clock()-since, 1))
}

// databaseUp is the value of lectern_database_up.
func (c *Cache) databaseUp() float64 {
	if c.downSince.Load() != 0 {
		return 0
	}
	return 1
}

// Unavailable reports whether the database is known to be unavailable: a call now would
// only wait for a time-out.
func (c *Cache) Unavailable() bool { return c.downSince.Load() != 0 && c.pinging.Load() }

// Start pings the database every second until ctx ends or Stop, so that an
// outage is known before somebody has to wait for it. Call it once.
func (c *Cache) Start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	stopToo := context.AfterFunc(c.base, cancel)
	started := c.spawn(func() {
		defer cancel()
		defer stopToo()
		c.pinging.Store(true)
		// Without a pinger, an outage is over when a look-up finds it over.
		defer c.pinging.Store(false)
		c.ping(ctx)
	})
	if !started {
		stopToo()
		cancel()
	}
}

// Follow invalidates the entries of each table that changes in s, and calls changed
// afterwards, until Stop. changed must not block. A notification is also an answer of the
// database: an outage is over with it, and not only with the next ping.
func (c *Cache) Follow(s *Store, changed func()) {
	c.spawn(func() {
		err := s.Listen(c.base, func(table string) {
			c.InvalidateTable(table)
			c.observe(nil)
			changed()
		}, func() {
			c.reloadAll()
			c.observe(nil)
			changed()
		})
		if err != nil {
			c.log.Error("catalog: listening for changes ended", slog.Any("error", err))
		}
	})
}

func (c *Cache) ping(ctx context.Context) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		c.observe(c.src.Ping(ctx))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Stop ends the pinger and the calls under way and returns when they have ended. Every later look-up is Unavailable. Calling it again does nothing.
func (c *Cache) Stop() {
	c.stop.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		c.cancel()
		c.reloadAll() // CachedFacts are no longer fresh
		c.work.Wait()
		c.closing.Lock()
		c.users.entries.Close()
		c.recordings.entries.Close()
		c.memberships.entries.Close()
		c.companions.entries.Close()
		c.derived.entries.Close()
	})
}

// spawn runs f in a goroutine that Stop waits for, or reports that it is too late.
func (c *Cache) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.work.Go(f)
	return true
}

// clock is monotonic time in nanoseconds, never 0.
func (c *Cache) clock() int64 { return max(int64(c.now().Sub(c.epoch)), 0) + 1 }

// observe derives from the outcome of a call whether the database is available. An answer
// and Unavailable decide; the end of a caller's context decides nothing.
func (c *Cache) observe(err error) {
	switch {
	case err == nil || media.KindOf(err) == media.NotFound:
		if since := c.downSince.Swap(0); since != 0 {
			c.log.Info("catalog: database available again", slog.Duration("after", time.Duration(c.clock()-since)))
		}
	case media.KindOf(err) == media.Unavailable && c.base.Err() == nil:
		if c.downSince.CompareAndSwap(0, c.clock()) {
			c.log.Warn("catalog: database unavailable, entries stay usable for the grace",
				slog.Duration("grace", c.cfg.OutageGrace), slog.Any("error", err))
		}
	}
}

// usable reports whether an entry whose call began at may be used now without a call.
func (c *Cache) usable(at int64, absent bool, now, downSince int64) bool {
	limit := c.cfg.MaxStaleness
	if absent {
		limit = min(limit, negativeStaleness)
	}
	if downSince == 0 || absent {
		return now-at < int64(limit)
	}
	return now-downSince <= int64(c.cfg.OutageGrace) &&
		downSince-at <= int64(max(c.cfg.OutageGrace, c.cfg.MaxStaleness))
}

var (
	errUnavailable = errors.New("the database is unavailable")
	errStopped     = errors.New("the catalog is closed")
)
