package catalog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// Source is what Cached asks: a Store. Its methods must answer within seconds
// and give errors with a Kind.
type Source interface {
	User(ctx context.Context, id int64) (media.User, error)
	Recording(ctx context.Context, id int64) (media.Recording, error)
	// Membership is given a Recording of which only ID and OwnerID are filled in.
	Membership(ctx context.Context, userID int64, rec media.Recording) (media.Membership, error)
	Ping(ctx context.Context) error
}

// CachedConfig bounds how old a fact may be.
type CacheConfig struct {
	// MaxStaleness is how old a fact may be and still be used without asking. 0:
	// every look-up asks. It bounds how long one who lost access keeps it.
	MaxStaleness time.Duration
	// OutageGrace is how long, after the database was first seen away, facts known
	// before stay good. 0: an outage is felt at once. Without it a restart of the
	// database would stop every lesson being watched.
	OutageGrace time.Duration
}

const (
	// maxAbsence is how long "there is no such row" is believed at most: short, for
	// a row just added, and long enough to take the force out of a flood of guesses.
	negativeStaleness = 2 * time.Second
	pingEvery         = time.Second
	// maxRetries bounds how often one look-up starts again because of Drop.
	maxReloads = 3
)

// Cached answers the Store's look-ups from memory as far as CachedConfig allows.
// It is safe for concurrent use.
//
// The rules, in terms of a fact's age since the question that gave it was asked:
//
//   - Younger than MaxStaleness: used without asking.
//   - Older, or unknown: asked for, once for all who wait. A waiter who gives up
//     fails nobody else.
//   - While the database is known to be away nobody but the pinger asks it. A fact
//     known before holds until OutageGrace after the outage began, provided it was
//     not older than the greater of the two bounds when that happened. Then, and
//     for anything not known, the answer is Unavailable.
//   - "No such row" is kept for two seconds at most, and does not outlive that in
//     an outage.
//   - Drop makes everything unknown: what is kept, and what is being asked for
//     just then. Each fact carries the generation it was asked in; Drop begins
//     another.
//
// What is kept is kept in ristretto, which may lose anything at any time: that
// costs a question, or in an outage an answer, and never gives a wrong one.
type Cache struct {
	cfg CacheConfig
	src Source
	log *slog.Logger
	now func() time.Time

	epoch time.Time
	// awaySince is when the database was first seen away, in clock's nanoseconds; 0
	// while it answers.
	downSince atomic.Int64
	pinging   atomic.Bool
	// reading is held by whoever reads a shelf, and by Stop, for good, before the
	// shelves are closed: ristretto must not be read while it closes.
	closing sync.RWMutex

	users       *loadingCache[int64, media.User]
	recordings  *loadingCache[int64, media.Recording]
	memberships *loadingCache[membershipKey, media.Membership]

	hit, miss, stale, failed prometheus.Counter

	base   context.Context // rules the flights and the pinger
	cancel context.CancelFunc
	mu     sync.Mutex // guards closing against a new goroutine
	closed bool
	work   sync.WaitGroup
	stop   sync.Once
}

// membershipKey is all that a membership depends on.
type membershipKey struct{ user, recording, owner int64 }

// NewCached makes a Cached, registers lectern_catalog_lookups_total and keeps
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
		Help: "Look-ups of users, recordings and memberships: hit (from memory), miss (asked), stale (from memory while the database is away), error.",
	}, []string{"result"})
	if reg != nil {
		if err := reg.Register(lookups); err != nil {
			return nil, media.Fault(media.Other, op, err)
		}
	}
	c := &Cache{cfg: cfg, src: src, log: log, now: now, epoch: now(),
		hit: lookups.WithLabelValues("hit"), miss: lookups.WithLabelValues("miss"),
		stale: lookups.WithLabelValues("stale"), failed: lookups.WithLabelValues("error")}
	c.base, c.cancel = context.WithCancel(context.Background())
	var errs [3]error
	c.users, errs[0] = newLoadingCache(c, src.User, func(id int64) uint64 { return mix(uint64(id)) })
	c.recordings, errs[1] = newLoadingCache(c, src.Recording, func(id int64) uint64 { return mix(uint64(id)) })
	c.memberships, errs[2] = newLoadingCache(c, c.loadMembership, func(k membershipKey) uint64 {
		return mix(mix(mix(uint64(k.user))^uint64(k.recording)) ^ uint64(k.owner))
	})
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

// User is Store.User, as old as CachedConfig allows.
func (c *Cache) User(ctx context.Context, id int64) (media.User, error) {
	return c.users.get(ctx, id)
}

// Recording is Store.Recording, as old as CachedConfig allows.
func (c *Cache) Recording(ctx context.Context, id int64) (media.Recording, error) {
	return c.recordings.get(ctx, id)
}

// Membership is Store.Membership, as old as CachedConfig allows.
func (c *Cache) Membership(ctx context.Context, userID int64, rec media.Recording) (media.Membership, error) {
	return c.memberships.get(ctx, membershipKey{userID, rec.ID, rec.OwnerID})
}

// Drop forgets everything at once, in a few nanoseconds. An answer to a question
// asked before Drop is given to nobody as fresh and is not kept.
func (c *Cache) InvalidateAll() {
	c.users.generation.Add(1)
	c.recordings.generation.Add(1)
	c.memberships.generation.Add(1)
}

// DropTable is Drop for what a table's rows are asked for, and of everything for a
// table that is not known. A school that makes a term's lessons one by one must
// not have each of them ask anew for everybody who is watching.
func (c *Cache) InvalidateTable(table string) {
	switch table {
	case "accounts_customuser":
		c.users.generation.Add(1)
	case "schedule_lessonrecording", "schedule_lesson":
		// An owner who changes is part of a membership's key.
		c.recordings.generation.Add(1)
	case "schedule_group":
		c.recordings.generation.Add(1) // the name is a title's last resort
		c.memberships.generation.Add(1)
	case "schedule_group_students", "schedule_lessonrecording_allowed_groups", "schedule_lessonrecording_allowed_students":
		c.memberships.generation.Add(1)
	default:
		c.InvalidateAll()
	}
}

// Away reports whether the database is known to be away: asking it now would only
// be waiting.
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

// Stop ends the pinger and the questions under way and returns when they have
// ended. Every later look-up is Unavailable. Calling it again does nothing.
func (c *Cache) Stop() {
	c.stop.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		c.cancel()
		c.work.Wait()
		c.closing.Lock()
		c.users.entries.Close()
		c.recordings.entries.Close()
		c.memberships.entries.Close()
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

// observe learns from an answer whether the database is there. Only an answer
// and only Unavailable say something: a caller's giving up says nothing.
func (c *Cache) observe(err error) {
	switch {
	case err == nil || media.KindOf(err) == media.NotFound:
		if since := c.downSince.Swap(0); since != 0 {
			c.log.Info("the catalog's database is back", slog.Duration("after", time.Duration(c.clock()-since)))
		}
	case media.KindOf(err) == media.Unavailable && c.base.Err() == nil:
		if c.downSince.CompareAndSwap(0, c.clock()) {
			c.log.Warn("the catalog's database is away: what is known stays good for a while",
				slog.Duration("grace", c.cfg.OutageGrace), slog.Any("error", err))
		}
	}
}

// good reports whether a fact of age since at may be used now without asking.
func (c *Cache) usable(at int64, absent bool, now, awaySince int64) bool {
	limit := c.cfg.MaxStaleness
	if absent {
		limit = min(limit, negativeStaleness)
	}
	if awaySince == 0 || absent {
		return now-at < int64(limit)
	}
	return now-awaySince <= int64(c.cfg.OutageGrace) &&
		awaySince-at <= int64(max(c.cfg.OutageGrace, c.cfg.MaxStaleness))
}

var (
	errUnavailable = errors.New("the database is away")
	errStopped     = errors.New("the catalog is closed")
)
